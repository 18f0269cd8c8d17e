//! Cases: what a configuration should do, told as plays.
//!
//! ```text
//! YAML ─▶ read: every mistake with its place ─▶ Case ─▶ play, over a stage ─▶ what was expected and is not so
//! ```

mod expect;
mod fields;
mod junit;
mod play;
mod read;

pub(crate) use junit::junit;
pub(crate) use play::{Miss, play};
pub(crate) use read::cases;

use larder_core::http::Headers;
use larder_core::time::Timestamp;
use serde_json::Value;

use crate::document::{Node, Place};
use crate::stage::Response;

/// One play.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// What the plugin is given.
    json: String,
    /// When it begins.
    clock: Timestamp,
    origin: Vec<(String, Vec<Response>)>,
    steps: Vec<Step>,
}

/// What happens next.
#[derive(Debug)]
struct Step {
    place: Place,
    /// So many seconds later.
    after: u64,
    action: Action,
    expected: Vec<Expected>,
}

/// What happens.
#[derive(Debug)]
enum Action {
    /// Nothing: time passes.
    Wait,
    /// A client asks.
    Request(Headers, Option<Vec<u8>>),
    /// Somebody calls the management API.
    Invalidate(Value),
    /// Somebody purges as other caches are purged.
    Purge(Headers),
}

/// What should be so.
#[derive(Debug)]
struct Expected {
    place: Place,
    subject: Subject,
    wanted: Value,
}

/// Of what.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Body,
    BodyContains,
    Header(String),
    Key,
    OriginHeader(String),
    OriginRequests,
    Reason,
    Rule,
    Status,
    Stored,
    Tags,
    Ttl,
}

impl Subject {
    /// As it is called in cases.
    fn name(&self) -> String {
        match self {
            Self::Body => "body".to_owned(),
            Self::BodyContains => "body_contains".to_owned(),
            Self::Header(name) => format!("headers.{name}"),
            Self::Key => "key".to_owned(),
            Self::OriginHeader(name) => format!("origin_headers.{name}"),
            Self::OriginRequests => "origin_requests".to_owned(),
            Self::Reason => "reason".to_owned(),
            Self::Rule => "rule".to_owned(),
            Self::Status => "status".to_owned(),
            Self::Stored => "stored".to_owned(),
            Self::Tags => "tags".to_owned(),
            Self::Ttl => "ttl".to_owned(),
        }
    }
}

/// A configuration as a file of cases names it.
enum Named<'a> {
    File(&'a str),
    Inline(&'a Node),
}
