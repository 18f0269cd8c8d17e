//! One call to the service of the fleet, and what its answer is worth.
//!
//! All calls go through the cluster that the configuration names. An answer counts only where it says that it is of this
//! protocol (`larder-wire`): the proxy makes up answers of its own, and anything may stand behind a cluster.

use larder_core::config::Admin;
use larder_core::http::Headers;
use larder_core::report::FleetResult;

use crate::host::{self, HeaderMap, HostError};

/// The version of the protocol that is spoken here.
const WIRE: &str = "1";

/// A request to the service.
#[derive(Clone, Copy, Default)]
pub(super) struct Letter<'a> {
    pub(super) method: &'static str,
    pub(super) path: &'a str,
    pub(super) fields: &'a [(&'static str, &'a str)],
    pub(super) body: &'a [u8],
    /// Milliseconds; then the proxy gives the answer up.
    pub(super) patience: u32,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody says anything in time.
    Late,
    /// Nobody says anything, or the service cannot reach its store.
    Silence,
    /// It does not take the secret.
    Secret,
    /// It speaks another version.
    Wire,
    /// What answers is not the service.
    Stranger,
}

impl Trouble {
    /// What it counts as.
    pub(super) fn result(self) -> FleetResult {
        match self {
            Self::Late => FleetResult::Timeout,
            Self::Secret => FleetResult::Refused,
            Self::Silence | Self::Stranger => FleetResult::Error,
            Self::Wire => FleetResult::Version,
        }
    }
}

/// What the service has answered.
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) head: Headers,
    pub(super) bytes: usize,
}

/// Sends a letter; what comes back does so under this number.
pub(super) fn send(admin: &Admin, letter: &Letter<'_>) -> Result<u32, HostError> {
    let secret = admin.secret.as_deref().unwrap_or_default();
    let bearer = ["Bearer ", secret].concat();
    let mut head = Headers::from_iter([
        (":method", letter.method),
        (":path", letter.path),
        (":authority", &admin.authority),
        ("authorization", &bearer),
        ("larder-wire", WIRE),
    ]);
    for (name, value) in letter.fields {
        head.push(name, value);
    }
    if letter.body.first() == Some(&b'{') {
        head.push("content-type", "application/json");
    }
    host::call_with(
        &admin.cluster,
        &head.to_pairs(),
        letter.body,
        letter.patience,
    )
}

/// The answer to a call, with a head of so many lines and so many bytes, in its callback.
pub(super) fn read((lines, bytes): (usize, usize)) -> Result<Said, Trouble> {
    if lines == 0 {
        return Err(Trouble::Silence);
    }
    let head = host::header_pairs(HeaderMap::CallResponse).map_err(|_| Trouble::Silence)?;
    let head = Headers::from_pairs(head).map_err(|_| Trouble::Silence)?;
    let status = head.first(":status").and_then(number).unwrap_or_default();
    let wire = head.first("larder-wire");
    match (wire, status) {
        // The proxy's own, in the service's place.
        (None, 504) => Err(Trouble::Late),
        (None, 502..=503) => Err(Trouble::Silence),
        (None, _) => Err(Trouble::Stranger),
        (Some(_), 401 | 403) => Err(Trouble::Secret),
        (Some(_), 426) => Err(Trouble::Wire),
        (Some(wire), _) if wire != WIRE.as_bytes() => Err(Trouble::Wire),
        (Some(_), 502..=504) => Err(Trouble::Silence),
        (Some(_), _) => Ok(Said {
            status: u16::try_from(status).unwrap_or_default(),
            head,
            bytes,
        }),
    }
}

impl Said {
    /// The body; `None` where it is longer than so many bytes, or cannot be had.
    pub(super) fn body(&self, most: usize) -> Option<Vec<u8>> {
        match self.bytes <= most {
            true => host::call_response_body(self.bytes).ok(),
            false => None,
        }
    }

    /// The number in a field.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        number(self.head.only(name)?)
    }
}

fn number(text: &[u8]) -> Option<u64> {
    str::from_utf8(text).ok()?.parse().ok()
}
