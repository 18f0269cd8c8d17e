//! A stored response in the form in which this client gets it: as it stands, or unzipped for who does not take gzip.
//!
//! Unzipping costs time on the way to the client, so it is done only where the bytes are sent. That something should be
//! compressed, on the other hand, is only noted here ([`super::deferred`]).

use std::borrow::Cow;

use super::Surroundings;
use super::deferred::LONGEST;
use super::surplus::EntryId;
use crate::config::{CachePolicy, Compression, Share};
use crate::entry::{Coding, StoredResponse};
use crate::http::{Headers, RequestHead};
use crate::policy::Reason;
use crate::policy::range::Validators;
use crate::policy::template::Kind;
use crate::policy::validation::{Condition, Preconditions};
use crate::transform::{GzipError, Wish, gzip_fields, is_suitable, plain_fields, unzip, wish};

/// Why a stored body cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is not what was stored: it does not unzip to what it should.
    Corrupt,
    /// There is no memory for it.
    NoMemory,
}

impl From<GzipError> for Unfit {
    fn from(error: GzipError) -> Self {
        match error {
            GzipError::Damaged | GzipError::TooLong => Self::Corrupt,
            GzipError::NoMemory => Self::NoMemory,
        }
    }
}

/// A stored response as this client gets it.
pub(super) struct Form<'a> {
    pub(super) headers: Headers,
    pub(super) body: Cow<'a, [u8]>,
    pub(super) validators: Validators,
    pub(super) work: Work,
}

/// What the form has cost, or could save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Nothing.
    None,
    /// It was unzipped.
    Unzipped,
    /// The client would rather have it in gzip, which has to save so much.
    Wanted(Share),
}

/// The stored response, whose fields these are, as it is sent to whoever asks like this.
///
/// Where the client has it already, the body that comes back is of no use.
pub(super) fn of<'a>(
    stored: &StoredResponse<'a>,
    headers: Headers,
    (request, policy): (&RequestHead, &CachePolicy),
    entry: EntryId,
    around: &Surroundings,
) -> Result<Form<'a>, Unfit> {
    let validators = validators(stored.coding, stored.body.len(), policy);
    let form = |headers, body, work| Form {
        headers,
        body,
        validators,
        work,
    };
    let body = Cow::Borrowed(stored.body);
    if is_template(stored.status, &headers, policy) {
        return of_template(stored, (headers, validators), entry, around);
    }
    match stored.coding {
        Coding::AsReceived => Ok(form(headers, body, Work::None)),
        Coding::Compressible => {
            let work = chance(stored.body.len(), request, policy);
            Ok(form(headers, body, work))
        }
        Coding::Gzip { length } => match wish_under(policy, request) {
            Wish::Gzip => Ok(form(gzip_fields(headers), body, Work::None)),
            Wish::Plain if has_it(stored.status, &headers, request) => {
                Ok(form(shared(policy, headers), body, Work::None))
            }
            Wish::Plain => {
                let (body, work) = as_it_came(stored, length, entry, around)?;
                Ok(form(shared(policy, headers), Cow::Owned(body), work))
            }
        },
    }
}

/// A template as it came, since a page is made of it.
#[cold]
fn of_template<'a>(
    stored: &StoredResponse<'a>,
    (headers, validators): (Headers, Validators),
    entry: EntryId,
    around: &Surroundings,
) -> Result<Form<'a>, Unfit> {
    let (body, work) = match stored.coding {
        Coding::AsReceived | Coding::Compressible => (Cow::Borrowed(stored.body), Work::None),
        Coding::Gzip { length } => {
            let (body, work) = as_it_came(stored, length, entry, around)?;
            (Cow::Owned(body), work)
        }
    };
    Ok(Form {
        headers,
        body,
        validators,
        work,
    })
}

/// The body of so many bytes that is stored as gzip: from this worker's memory, where it has been unzipped lately.
fn as_it_came(
    stored: &StoredResponse<'_>,
    length: usize,
    entry: EntryId,
    around: &Surroundings,
) -> Result<(Vec<u8>, Work), Unfit> {
    if let Some(body) = around.hot.plain(entry, &stored.meta, length) {
        return Ok((body, Work::None));
    }
    let body = unzip(stored.body, length, around.config.limits.max_object_bytes)?;
    around.hot.keep_plain(entry, stored, &body);
    Ok((body, Work::Unzipped))
}

/// What tells the parts of this response from those of others, where clients get it in two forms: both have the same date,
/// and "a strong validator is unique across all versions of all representations" (RFC 9110 section 8.8.1), codings included.
fn validators(coding: Coding, length: usize, policy: &CachePolicy) -> Validators {
    match (coding, policy.compression) {
        (Coding::AsReceived, _) | (Coding::Compressible, Compression::Off) => Validators::All,
        (Coding::Compressible, Compression::On { threshold, .. }) if length < threshold => {
            Validators::All
        }
        (Coding::Compressible, Compression::On { .. }) | (Coding::Gzip { .. }, _) => {
            Validators::Tags
        }
    }
}

/// In which form a client gets what is stored in gzip.
fn wish_under(policy: &CachePolicy, request: &RequestHead) -> Wish {
    match policy.compression {
        Compression::Off => Wish::Plain,
        Compression::On { .. } => wish(request),
    }
}

/// Whether it would be of use to compress this body.
fn chance(length: usize, request: &RequestHead, policy: &CachePolicy) -> Work {
    match policy.compression {
        Compression::On {
            threshold,
            min_saving,
        } if (threshold..=LONGEST).contains(&length) && wish(request) == Wish::Gzip => {
            Work::Wanted(min_saving)
        }
        Compression::Off | Compression::On { .. } => Work::None,
    }
}

/// The head of the body as it came, where others may get it in gzip.
fn shared(policy: &CachePolicy, headers: Headers) -> Headers {
    match policy.compression {
        Compression::Off => headers,
        Compression::On { .. } => plain_fields(headers),
    }
}

fn is_template(status: u16, headers: &Headers, policy: &CachePolicy) -> bool {
    Kind::of(policy.templates, status, headers) != Kind::Plain
}

fn has_it(status: u16, headers: &Headers, request: &RequestHead) -> bool {
    let condition = Preconditions::of(request).map(|asked| asked.evaluate(status, headers));
    condition == Some(Condition::NotModified)
}

/// A stored body that waits for the origin's word about it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    pub(super) coding: Coding,
    /// As it came, where it is stored as gzip and that is not what the client takes.
    plain: Option<Vec<u8>>,
    cap: usize,
}

impl Held {
    /// Takes a copy of a stored body, as it stands and, if this client needs it so, as it came; with its fields.
    pub(super) fn of(
        (stored, headers): (&StoredResponse<'_>, &Headers),
        (request, policy): (&RequestHead, &CachePolicy),
        cap: usize,
    ) -> Result<Self, Unfit> {
        let is_template = || is_template(stored.status, headers, policy);
        let plain = match stored.coding {
            Coding::AsReceived | Coding::Compressible => None,
            Coding::Gzip { .. } if wish_under(policy, request) == Wish::Gzip && !is_template() => {
                None
            }
            Coding::Gzip { length } => Some(unzip(stored.body, length, cap)?),
        };
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(stored.body.len())
            .map_err(|_| Unfit::NoMemory)?;
        bytes.extend_from_slice(stored.body);
        Ok(Self {
            bytes,
            coding: stored.coding,
            plain,
            cap,
        })
    }

    /// What tells its parts from those of others.
    pub(super) fn validators(&self, policy: &CachePolicy) -> Validators {
        validators(self.coding, self.bytes.len(), policy)
    }

    /// How many bytes the body has that came.
    pub(super) fn length(&self) -> usize {
        self.coding.length(self.bytes.len())
    }

    /// How many bytes of memory it takes.
    pub(super) fn size(&self) -> usize {
        let plain = self.plain.as_ref().map_or(0, Vec::len);
        plain.saturating_add(self.bytes.len())
    }

    /// The body as it came, where it is at hand.
    pub(super) fn into_plain(self) -> Option<Vec<u8>> {
        match self.coding {
            Coding::AsReceived | Coding::Compressible => Some(self.bytes),
            Coding::Gzip { .. } => self.plain,
        }
    }

    /// The fields beside it are these now. Where they forbid what was made of it, it becomes what it was.
    pub(super) fn follow(&mut self, status: u16, headers: &Headers) -> Result<(), Reason> {
        if is_suitable(status, headers) {
            return Ok(());
        }
        if let Coding::Gzip { length } = self.coding {
            self.bytes = match self.plain.take() {
                Some(plain) => plain,
                None => unzip(&self.bytes, length, self.cap).map_err(|_| Reason::Internal)?,
            };
        }
        self.coding = Coding::AsReceived;
        Ok(())
    }

    /// The client's response, with these fields in their stored form.
    pub(super) fn into_form(
        self,
        (status, headers): (u16, Headers),
        policy: &CachePolicy,
    ) -> (Headers, Vec<u8>) {
        match (self.coding, self.plain) {
            (Coding::AsReceived | Coding::Compressible, _) => (headers, self.bytes),
            (Coding::Gzip { .. }, Some(plain)) if is_template(status, &headers, policy) => {
                (headers, plain)
            }
            (Coding::Gzip { .. }, Some(plain)) => (shared(policy, headers), plain),
            (Coding::Gzip { .. }, None) => (gzip_fields(headers), self.bytes),
        }
    }
}
