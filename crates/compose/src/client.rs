//! The request that a page is made for, and which of its fields the page depends on.

use std::rc::Rc;

use larder_core::http::{Headers, MAX_TARGET_BYTES, Uri, is_of_one_request};

/// So many variables are replaced on one page, since each may be looked for in all of a request.
const MOST_VARIABLES: u32 = 1024;

/// A page that depends on more fields depends on anything.
const MOST_FIELDS: usize = 32;

/// Fields that say how the page is to be coded, and fields that would make an origin take a request for the page's path, or for one
/// of another method.
const OF_THE_PAGE: [&str; 6] = [
    "accept-encoding",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

fn is_of_the_page(name: &[u8]) -> bool {
    OF_THE_PAGE.iter().any(|other| name == other.as_bytes())
}

/// The client's request.
#[derive(Debug)]
pub(crate) struct Client {
    request: Rc<Headers>,
    /// The names of fields whose values are on the page, or decide what is.
    pub(crate) used: Vec<Vec<u8>>,
    /// How many variables may still be replaced.
    variables: u32,
}

impl Client {
    pub(crate) fn new(request: Rc<Headers>) -> Self {
        Self {
            request,
            used: Vec::new(),
            variables: MOST_VARIABLES,
        }
    }

    /// What it asks for, without its query where that is too long; `None` where it has bytes that no URI has.
    pub(crate) fn uri(&self) -> Option<Uri> {
        let field = |name| self.request.only(name);
        let mut target = field(":path")?;
        if target.len() > MAX_TARGET_BYTES {
            target = target.split(|byte| *byte == b'?').next()?;
        }
        if target.len() > MAX_TARGET_BYTES {
            return None;
        }
        Uri::of_request(
            field(":scheme").unwrap_or(b"http"),
            field(":authority")?,
            target,
        )
    }

    pub(crate) fn request(&self) -> &Headers {
        &self.request
    }

    /// The page depends on this field from now on.
    pub(crate) fn depend(&mut self, field: &[u8]) {
        let field = match self.used.len() < MOST_FIELDS {
            true => field,
            false => b"*",
        };
        if !self.used.iter().any(|used| used == field) {
            self.used.push(field.to_vec());
        }
    }

    /// One more variable is to be replaced; `None` where that is too much.
    pub(crate) fn one_more_variable(&mut self) -> Option<()> {
        self.variables = self.variables.checked_sub(1)?;
        Some(())
    }

    /// The request for a fragment, but for its path: by whom the client's is, for something else, in no coding.
    pub(crate) fn own_request(&self) -> Headers {
        let mut own = Headers::with_room_for(&self.request);
        own.push(":method", "GET");
        for (name, value) in self.request.iter() {
            let is_kept = match name.first() {
                Some(b':') => matches!(name, b":scheme" | b":authority"),
                Some(_) | None => !is_of_the_page(name) && !is_of_one_request(name),
            };
            if is_kept {
                own.push(name, value);
            }
        }
        own
    }
}
