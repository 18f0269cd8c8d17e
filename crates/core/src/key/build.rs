//! The key of a request.

use super::canonical::{Canonical, Tag};
use super::identity::{self, Attributes, Found};
use super::query::parameters;
use super::{Key, KeyError};
use crate::config::{
    CachePolicy, Captures, KeySpec, QueryOrder, QuerySpec, Template, TemplatePart, Trust,
};
use crate::http::{Authority, Headers, RequestHead, Target, cookies};

/// What a key is made of.
#[derive(Clone, Copy)]
pub struct KeyParts<'a> {
    /// The request.
    pub head: &'a RequestHead,
    /// What its `:path` means.
    pub target: &'a Target,
    /// The policy that holds for it.
    pub policy: &'a CachePolicy,
    /// What the policy's rule took of the path.
    pub captures: &'a Captures,
    /// What the host knows of it.
    pub attributes: &'a dyn Attributes,
    /// What its canonical bytes may take: `limits.max_key_bytes`.
    pub max_key_bytes: usize,
}

/// A key, and for whom it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltKey {
    /// The key.
    pub key: Key,
    /// For whom.
    pub principal: Principal,
}

/// For whom a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The policy wants an identity, and the request has none.
    Anonymous,
    /// The request has the identity that the policy wants; it is part of the key.
    Known,
    /// The policy wants no identity.
    NotAsked,
}

impl Key {
    /// Builds the key of a request.
    ///
    /// # Errors
    ///
    /// A request without key is passed through: see [`KeyError`].
    pub fn build(parts: KeyParts<'_>) -> Result<BuiltKey, KeyError> {
        let KeyParts {
            head,
            target,
            policy,
            captures,
            attributes,
            max_key_bytes,
        } = parts;
        let mut canonical = Canonical::new(max_key_bytes);
        write_origin(&mut canonical, head)?;
        write_locator(&mut canonical, target, policy, captures);
        write_chosen(&mut canonical, head.headers(), &policy.key);
        let principal = match &policy.identity {
            None => Principal::NotAsked,
            Some(identity) => {
                let found = identity::find(identity, head.headers(), attributes)?;
                write_identity(&mut canonical, head.headers(), &found, identity.trust)
            }
        };
        Ok(BuiltKey {
            key: canonical.finish()?,
            principal,
        })
    }
}

fn write_origin(canonical: &mut Canonical, head: &RequestHead) -> Result<(), KeyError> {
    let authority = Authority::parse(head.authority()).ok_or(KeyError::Authority)?;
    write_scheme(canonical, head);
    write_host(canonical, head.scheme(), authority);
    Ok(())
}

/// The host, and the port unless it is the scheme's own.
pub(super) fn write_host(canonical: &mut Canonical, scheme: &[u8], authority: Authority<'_>) {
    canonical.bytes(Tag::Host, &[authority.origin(scheme).as_bytes()]);
}

/// Path and query, or what the policy's template puts in their place.
pub(super) fn write_locator(
    canonical: &mut Canonical,
    target: &Target,
    policy: &CachePolicy,
    captures: &Captures,
) {
    match &policy.key.template {
        Some(template) => {
            write_template(canonical, template, captures);
            // A template replaces the query too; only what is asked for by name is added to it.
            if policy.key.query.include.is_some() {
                write_query(canonical, target, &policy.key.query);
            }
        }
        None => {
            canonical.bytes(Tag::Path, &[target.path().as_bytes()]);
            write_query(canonical, target, &policy.key.query);
        }
    }
}

/// The scheme, and behind a comma the one that the origin is told, where that is another.
///
/// `:scheme` is the client's to choose (an absolute target, HTTP/2), while origins decide by `x-forwarded-proto` whether
/// to redirect and how to write links: what was fetched with one word is no answer to a request with the other.
fn write_scheme(canonical: &mut Canonical, head: &RequestHead) {
    let told = head
        .headers()
        .first("x-forwarded-proto")
        .unwrap_or(head.scheme());
    if told.eq_ignore_ascii_case(head.scheme()) {
        canonical.bytes(Tag::Scheme, &[head.scheme()]);
    } else {
        canonical.bytes(Tag::Scheme, &[head.scheme(), b",", told]);
    }
}

fn write_template(canonical: &mut Canonical, template: &Template, captures: &Captures) {
    canonical.list(Tag::Template, |list| {
        for part in template.parts() {
            match part {
                TemplatePart::Capture(index) => match captures.get(*index) {
                    Some(capture) => list.element(&[b"C", capture.as_bytes()]),
                    None => list.element(&[b"N"]),
                },
                TemplatePart::Literal(text) => list.element(&[b"L", text.as_bytes()]),
            }
        }
    });
}

fn write_query(canonical: &mut Canonical, target: &Target, spec: &QuerySpec) {
    let Some(query) = target.query() else {
        return;
    };
    match spec.order {
        QueryOrder::AsSent | QueryOrder::Sorted => {
            let parameters = parameters(query, spec);
            if !parameters.is_empty() {
                canonical.list(Tag::Parameters, |list| {
                    for parameter in &parameters {
                        list.element(&[parameter.as_bytes()]);
                    }
                });
            }
        }
        QueryOrder::Verbatim => canonical.bytes(Tag::Query, &[query.as_bytes()]),
    }
}

fn write_chosen(canonical: &mut Canonical, headers: &Headers, spec: &KeySpec) {
    for name in &spec.headers {
        canonical.list(Tag::Header, |list| {
            list.element(&[name.as_bytes()]);
            for line in headers.all(name) {
                list.element(&[line]);
            }
        });
    }
    for name in &spec.cookies {
        canonical.list(Tag::Cookie, |list| {
            list.element(&[name.as_bytes()]);
            for cookie in cookies(headers, name) {
                match cookie {
                    Some(value) => list.element(&[b"=", value]),
                    None => list.element(&[]),
                }
            }
        });
    }
}

fn write_identity(
    canonical: &mut Canonical,
    headers: &Headers,
    found: &Found,
    trust: Trust,
) -> Principal {
    let (kind, value): (&[u8], Option<&[u8]>) = match found {
        Found::Anonymous => (b"anonymous", None),
        Found::Integer(number) => (b"integer", Some(number.as_bytes())),
        Found::Text(text) => (b"text", Some(text)),
    };
    canonical.list(Tag::Identity, |list| {
        list.element(&[kind]);
        if let Some(value) = value {
            list.element(&[value]);
        }
    });
    match trust {
        Trust::Claimed => canonical.list(Tag::Credential, |list| {
            for line in headers.all("authorization") {
                list.element(&[line]);
            }
        }),
        Trust::Verified => {}
    }
    match found {
        Found::Anonymous => Principal::Anonymous,
        Found::Integer(_) | Found::Text(_) => Principal::Known,
    }
}
