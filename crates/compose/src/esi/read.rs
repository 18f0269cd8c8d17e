//! The reader: from one beginning to the next.

use memchr::{memchr, memchr2, memchr3};

use super::scopes::{Scope, Scopes};
use super::tag::Tag;
use crate::client::Client;
use crate::sheet::{End, Parts};
use crate::variable;

/// A tag that is longer is text.
const MOST_TAG_BYTES: usize = 8192;

/// A `</esi:remove` with more of them before the `>` is none.
const MOST_SPACES: usize = 64;

const TAG: &[u8] = b"<esi:";
const END_TAG: &[u8] = b"</esi:";
const CDATA: &[u8] = b"<![CDATA[";
const COMMENT: &[u8] = b"<!--";
const HIDDEN: &[u8] = b"<!--esi";
const COMMENT_END: &[u8] = b"-->";

/// How far a template is read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Everything before is read.
    pub(super) at: usize,
    /// Everything before is in a piece, or on no page.
    pub(super) kept: usize,
    pub(super) mode: Mode,
    pub(super) scopes: Scopes,
    /// Whether `<!--esi` is open.
    is_hidden: bool,
    tag: TagEnd,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Mode {
    /// Anything that means something.
    #[default]
    Markup,
    /// The end of what is text whatever is in it.
    Until(&'static [u8]),
    /// The end of an element in which nothing means anything.
    Body { of: &'static str, is_text: bool },
}

/// How far the end of a tag has been looked for.
#[derive(Debug, Default)]
struct TagEnd {
    /// From the tag's beginning.
    looked: usize,
    quote: Option<u8>,
    /// The last byte that was no white space.
    before: u8,
}

/// Whether it can go on with what has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Read,
    Wait,
}

/// What the beginning of something may be.
enum Beginning {
    Is,
    IsNot,
    /// That depends on what follows.
    Unknown,
}

fn begins(rest: &[u8], with: &[u8], end: End) -> Beginning {
    let common = rest.len().min(with.len());
    let (Some(rest), Some(start)) = (rest.get(..common), with.get(..common)) else {
        return Beginning::IsNot;
    };
    match rest.eq_ignore_ascii_case(start) {
        false => Beginning::IsNot,
        true if common == with.len() => Beginning::Is,
        true if end == End::Reached => Beginning::IsNot,
        true => Beginning::Unknown,
    }
}

/// Whether what stands before a colon begins a tag with it.
fn ends(before: &[u8], tag: &[u8]) -> bool {
    let (start, _) = tag.split_at(tag.len().saturating_sub(1));
    let end = before.get(before.len().saturating_sub(start.len())..);
    end.is_some_and(|end| end.eq_ignore_ascii_case(start))
}

impl Reader {
    pub(crate) fn read(&mut self, text: &[u8], end: End, parts: &mut Parts, client: &mut Client) {
        while self.at < text.len() {
            let next = match self.mode {
                Mode::Markup => self.markup((text, end), parts, client),
                Mode::Until(sign) => self.until(text, sign),
                Mode::Body { of, is_text } => self.body((text, end), parts, (of, is_text)),
            };
            if next == Next::Wait {
                break;
            }
        }
        if end == End::Reached {
            match self.mode {
                Mode::Markup | Mode::Until(_) | Mode::Body { is_text: true, .. } => {
                    self.keep(text.len(), parts);
                }
                Mode::Body { is_text: false, .. } => {}
            }
            self.at = text.len();
        }
    }

    /// What has been passed over belongs to the page, if it stands where something does.
    pub(super) fn keep(&mut self, to: usize, parts: &mut Parts) {
        let scope = self.scopes.innermost();
        if scope.emits {
            parts.text(scope.place, self.kept..to);
        }
        self.kept = to;
    }

    fn skip(&mut self, bytes: usize) -> Next {
        self.at = self.at.saturating_add(bytes);
        Next::Read
    }

    /// Looks for the last byte of what a beginning is told by: in a page there are fewer colons than angles.
    fn markup(
        &mut self,
        (text, end): (&[u8], End),
        parts: &mut Parts,
        client: &mut Client,
    ) -> Next {
        let rest = text.get(self.at..).unwrap_or_default();
        let found = match (self.scopes.innermost().is_vars, self.is_hidden) {
            (false, false) => memchr2(b':', b'!', rest),
            (true, false) => memchr3(b':', b'!', b'$', rest),
            (false, true) => memchr3(b':', b'!', b'-', rest),
            (true, true) => rest.iter().position(|byte| b":!$-".contains(byte)),
        };
        let Some(found) = found else {
            // What it ends with may be the first bytes of a tag.
            self.skip(rest.len().saturating_sub(END_TAG.len().saturating_sub(1)));
            return Next::Wait;
        };
        let (before, behind) = rest.split_at(found.min(rest.len()));
        match behind.first() {
            Some(b':') => {
                let start = match ends(before, TAG) {
                    true => TAG,
                    false if ends(before, END_TAG) => END_TAG,
                    false => return self.skip(found.saturating_add(1)),
                };
                self.skip(found.saturating_add(1).saturating_sub(start.len()));
                let rest = text.get(self.at..).unwrap_or_default();
                self.tag((rest, end), start.len(), parts, client)
            }
            Some(b'!') if before.ends_with(b"<") => {
                self.skip(found.saturating_sub(1));
                self.declaration(text.get(self.at..).unwrap_or_default(), end, parts)
            }
            Some(b'$') => {
                self.skip(found);
                self.dollar((behind, end), parts, client)
            }
            Some(b'-') => {
                self.skip(found);
                self.hidden_end(behind, end, parts)
            }
            Some(_) | None => self.skip(found.saturating_add(1)),
        }
    }

    fn hidden_end(&mut self, rest: &[u8], end: End, parts: &mut Parts) -> Next {
        match begins(rest, COMMENT_END, end) {
            Beginning::Is => {
                self.drop(COMMENT_END.len(), parts);
                self.is_hidden = false;
                Next::Read
            }
            Beginning::IsNot => self.skip(1),
            Beginning::Unknown => Next::Wait,
        }
    }

    /// So many bytes are on no page.
    fn drop(&mut self, bytes: usize, parts: &mut Parts) {
        self.keep(self.at, parts);
        self.skip(bytes);
        self.kept = self.at;
    }

    fn declaration(&mut self, rest: &[u8], end: End, parts: &mut Parts) -> Next {
        match (begins(rest, HIDDEN, end), rest.get(HIDDEN.len())) {
            (Beginning::Unknown, _) => return Next::Wait,
            (Beginning::Is, None) if end == End::Open => return Next::Wait,
            (Beginning::Is, behind) if !behind.is_some_and(u8::is_ascii_alphanumeric) => {
                self.drop(HIDDEN.len(), parts);
                self.is_hidden = true;
                return Next::Read;
            }
            (Beginning::Is | Beginning::IsNot, _) => {}
        }
        match (begins(rest, COMMENT, end), begins(rest, CDATA, end)) {
            // Two less: `<!-->` is a comment, and over.
            (Beginning::Is, _) => {
                self.mode = Mode::Until(COMMENT_END);
                self.skip(COMMENT.len().saturating_sub(2))
            }
            (_, Beginning::Is) => {
                self.mode = Mode::Until(b"]]>");
                self.skip(CDATA.len())
            }
            (Beginning::Unknown, _) | (_, Beginning::Unknown) => Next::Wait,
            (Beginning::IsNot, Beginning::IsNot) => self.skip(2),
        }
    }

    /// Looks for a sign that ends in `>`, and has none before.
    fn until(&mut self, text: &[u8], sign: &'static [u8]) -> Next {
        let rest = text.get(self.at..).unwrap_or_default();
        let Some(found) = memchr(b'>', rest) else {
            self.skip(rest.len().saturating_sub(sign.len()));
            return Next::Wait;
        };
        let (before, _) = rest.split_at(found.saturating_add(1).min(rest.len()));
        if before.ends_with(sign) {
            self.mode = Mode::Markup;
        }
        self.skip(before.len())
    }

    /// Looks for `</esi:name>`, with white space before the `>` or without.
    fn body(
        &mut self,
        (text, end): (&[u8], End),
        parts: &mut Parts,
        (of, is_text): (&'static str, bool),
    ) -> Next {
        let rest = text.get(self.at..).unwrap_or_default();
        let Some(found) = memchr(b'<', rest) else {
            return self.skip(rest.len());
        };
        self.skip(found);
        let rest = rest.get(found..).unwrap_or_default();
        let behind = match begins(rest, END_TAG, end) {
            Beginning::Is => rest.get(END_TAG.len()..).unwrap_or_default(),
            Beginning::IsNot => return self.skip(1),
            Beginning::Unknown => return Next::Wait,
        };
        let behind = match begins(behind, of.as_bytes(), end) {
            Beginning::Is => behind.get(of.len()..).unwrap_or_default(),
            Beginning::IsNot => return self.skip(1),
            Beginning::Unknown => return Next::Wait,
        };
        let spaces = behind.iter().take(MOST_SPACES);
        let spaces = spaces.take_while(|byte| byte.is_ascii_whitespace()).count();
        match behind.get(spaces) {
            Some(b'>') => {}
            None if end == End::Open => return Next::Wait,
            Some(_) | None => return self.skip(1),
        }
        if is_text {
            self.keep(self.at, parts);
        }
        let name = END_TAG.len().saturating_add(of.len());
        self.skip(name.saturating_add(spaces).saturating_add(1));
        self.kept = self.at;
        self.mode = Mode::Markup;
        Next::Read
    }

    fn tag(
        &mut self,
        (rest, end): (&[u8], End),
        start: usize,
        parts: &mut Parts,
        client: &mut Client,
    ) -> Next {
        let length = match self.tag.find(rest, start, end) {
            Some(Some(length)) => length,
            None => return Next::Wait,
            Some(None) => {
                self.tag = TagEnd::default();
                return self.skip(start); // text
            }
        };
        self.tag = TagEnd::default();
        self.drop(length.saturating_add(1), parts);
        let inside = rest.get(start..length).unwrap_or_default();
        if start == END_TAG.len() {
            self.scopes.close(Tag::parse(inside).name);
        } else {
            self.element(Tag::parse(inside), parts, client);
        }
        Next::Read
    }

    fn dollar(
        &mut self,
        (rest, end): (&[u8], End),
        parts: &mut Parts,
        client: &mut Client,
    ) -> Next {
        let (length, variable) = match variable::read(rest) {
            variable::Read::Is(length, variable) => (length, variable),
            variable::Read::Unknown if end == End::Open => return Next::Wait,
            variable::Read::Unknown | variable::Read::IsNot => return self.skip(1),
        };
        self.drop(length, parts);
        let scope: Scope = self.scopes.innermost();
        if scope.emits {
            variable.write_markup(client, parts, scope.place);
        }
        Next::Read
    }

    /// Opens an element; what is too deep is left out, and is missing.
    pub(super) fn open(&mut self, scope: Scope, parts: &mut Parts) {
        let around = self.scopes.innermost();
        if self.scopes.open(scope) && around.emits {
            parts.gap(around.place, crate::page::Failure::Bound);
        }
    }

    pub(super) fn around(&self) -> Scope {
        self.scopes.innermost()
    }
}

impl TagEnd {
    /// Where the tag that `rest` begins with has its `>`: `None` where that is still to come, `Some(None)` where it has none.
    #[expect(clippy::option_option, reason = "unknown, known to be none, known")]
    fn find(&mut self, rest: &[u8], start: usize, end: End) -> Option<Option<usize>> {
        let from = self.looked.max(start);
        let unread = rest.get(from..).unwrap_or_default();
        for (at, byte) in unread.iter().enumerate() {
            let at = from.saturating_add(at);
            match (self.quote, *byte) {
                (Some(quote), byte) if byte == quote => self.quote = None,
                (Some(_), _) => {}
                (None, b'>') => return Some(Some(at)),
                (None, b'<') => return Some(None),
                (None, b'"' | b'\'') if self.before == b'=' => self.quote = Some(*byte),
                (None, _) => {}
            }
            if at > MOST_TAG_BYTES {
                return Some(None);
            }
            if !byte.is_ascii_whitespace() {
                self.before = *byte;
            }
        }
        self.looked = rest.len();
        match end {
            End::Open => None,
            End::Reached => Some(None),
        }
    }
}
