//! A page in the making.

use std::rc::Rc;

use larder_core::config::Composition;
use larder_core::http::Headers;

/// How a template says where fragments go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// ESI Language Specification 1.0, with `try`, `choose` and `vars`.
    Esi,
    /// JSON in which an object with the one member `$include` stands for what is at that path.
    Json,
}

/// A response, as a client of Larder would get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The status.
    pub status: u16,
    /// The fields, without pseudo-fields.
    pub headers: Headers,
    /// The body, in no content coding.
    pub body: Vec<u8>,
}

/// Which of the fragments of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub u32);

/// A fragment that a page wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Under which it is given to the page.
    pub number: Number,
    /// The request for it, pseudo-fields included, made of the client's.
    pub request: Headers,
}

/// Why a fragment is not on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// It was answered with something else than it.
    Status,
    /// It could not be asked for, or nobody answered.
    Unreachable,
    /// It did not come in time.
    Overdue,
    /// It is coded, or of no use where it was wanted.
    Unreadable,
    /// Its address is none that may be asked for.
    Address,
    /// The page has too many, too deep, or too large ones.
    Bound,
}

/// A page that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// The template's status.
    pub status: u16,
    /// Fields that are true of the template and all fragments: freshness, age, variation, and no validator of one part.
    pub headers: Headers,
    /// The page.
    pub body: Vec<u8>,
    /// Why fragments are missing whose template did not say what stands in their place.
    pub missing: Vec<Failure>,
}

/// A page in the making.
#[derive(Debug)]
pub struct Page {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
}

impl Page {
    /// A page for the client with this request (pseudo-fields included) from a template with this status and these fields, of
    /// which nothing has come yet.
    pub fn new(
        (status, headers): (u16, Headers),
        _language: Language,
        _request: Rc<Headers>,
        _bounds: Composition,
    ) -> Self {
        Self {
            status,
            headers,
            body: Vec::new(),
        }
    }

    /// More of the template has come.
    pub fn push(&mut self, chunk: &[u8]) {
        self.body.extend_from_slice(chunk);
    }

    /// That was all of it.
    pub fn end(&mut self) {}

    /// A fragment that is wanted and that nobody has been asked for yet; each is named once, as soon as that is known.
    pub fn next_wanted(&mut self) -> Option<Wanted> {
        None
    }

    /// A fragment has come, and may be a template itself. What nobody wants is ignored.
    pub fn arrived(&mut self, _number: Number, _part: Part, _language: Option<Language>) {}

    /// A fragment cannot be had. It may make the page want others.
    pub fn failed(&mut self, _number: Number, _failure: Failure) {}

    /// Whether the template has ended, and no fragment is still wanted.
    pub fn is_complete(&self) -> bool {
        true
    }

    /// The page with what has come so far; what has not has not come in time.
    pub fn finish(self) -> Composed {
        Composed {
            status: self.status,
            headers: self.headers,
            body: self.body,
            missing: Vec::new(),
        }
    }
}
