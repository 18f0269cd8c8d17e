//! Which requests are calls of the management API, and who is let in: as the filter decides it, by the same code.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, header, request::Parts};
use larder_core::config::Config;
use larder_core::exchange::{Received, Reception, Refused};
use larder_core::http::{Headers, RequestHead};
use larder_core::key::{Attributes, Unreadable};
use larder_core::time::Timestamp;
use larder_manage::{Ask, Desks};

use super::said::Said;
use crate::settings::Hidden;

/// Where the management API stands.
pub const PREFIX: &str = "/api/cache";

/// Lets people in.
#[derive(Debug)]
pub struct FrontDesk(Mutex<Desks>);

/// A call, as it came.
#[derive(Clone, Debug)]
pub struct Head {
    lines: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What becomes of a call.
#[derive(Debug)]
pub enum Admitted {
    /// It is answered.
    Answered(Said),
    /// This is asked for, and a body of so many bytes at most belongs to it.
    Asked(Ask, usize),
}

/// Who calls.
struct Caller(SocketAddr);

impl Attributes for Caller {
    fn attribute(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        let is_address = path == ["source", "address"];
        Ok(is_address.then(|| self.0.to_string().into_bytes()))
    }
}

impl FrontDesk {
    /// That of a token; none where there is no token.
    pub fn of(token: &Hidden) -> Option<Self> {
        let token = token.0.clone()?;
        let mut config = Config::parse(br#"{"management": {}}"#).ok()?;
        config.unlock(|_| Some(token.clone())).ok()?;
        Desks::of(&config).map(|desks| Self(Mutex::new(desks)))
    }

    /// Takes in a request; `None` for one that is no call.
    pub fn receive(&self, head: &Head, from: SocketAddr) -> Option<Admitted> {
        let head = head.parsed()?;
        let desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = match desks.receive(&head, &Caller(from), now())? {
            Received::Answered(said) => return Some(Admitted::Answered(Said::at_the_door(&said))),
            Received::Complete => 0,
            Received::NeedsBody(most) => most,
        };
        let asked = desks.asked(&head)?;
        Some(Admitted::Asked(asked, most))
    }

    /// What is said where the body is longer than that.
    pub fn too_large(&self, most: usize) -> Said {
        let desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Said::at_the_door(&desks.refuse(Refused::TooLarge(most)))
    }
}

impl Head {
    /// That of a request.
    pub fn of(parts: &Parts) -> Self {
        let uri = &parts.uri;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let host = parts.headers.get(header::HOST);
        let host = host.map(|host| host.as_bytes().to_vec());
        let authority = uri.authority().map(|named| named.as_str().into());
        let mut lines: Vec<(Vec<u8>, Vec<u8>)> = vec![
            (b":method".to_vec(), parts.method.as_str().into()),
            (b":scheme".to_vec(), scheme(&parts.headers)),
            (
                b":authority".to_vec(),
                authority.or(host).unwrap_or_default(),
            ),
            (b":path".to_vec(), target.into()),
        ];
        let fields = parts.headers.iter();
        let fields = fields.filter(|(name, _)| *name != header::HOST);
        lines.extend(fields.map(|(name, value)| (name.as_str().into(), value.as_bytes().into())));
        Self { lines }
    }

    /// The same for another path.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        if let Some((_, value)) = self.lines.iter_mut().find(|(name, _)| name == b":path") {
            *value = path.into();
        }
        self
    }

    /// As the core reads it; `None` where it is none.
    pub fn parsed(&self) -> Option<RequestHead> {
        let mut headers = Headers::new();
        for (name, value) in &self.lines {
            headers.push(name, value);
        }
        RequestHead::parse(headers).ok()
    }
}

/// What a proxy in front says, if there is one.
fn scheme(fields: &HeaderMap) -> Vec<u8> {
    let forwarded = fields.get("x-forwarded-proto");
    match forwarded.map(|value| value.as_bytes()) {
        Some(b"https") => b"https".to_vec(),
        Some(_) | None => b"http".to_vec(),
    }
}

/// The time by this machine's clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
