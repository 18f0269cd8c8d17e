//! A page in the making.

use std::rc::Rc;

use larder_core::config::Composition;
use larder_core::http::{Headers, Uri, list};

use crate::client::Client;
use crate::fragments::{Fragment, FragmentState, Fragments};
use crate::json::is_json;
use crate::sheet::{Asked, End, Room, Sheet};

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
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) client: Client,
    /// The template, and those that stand in it.
    pub(crate) sheets: Vec<Sheet>,
    pub(crate) fragments: Fragments,
    /// What templates may still have.
    room: Room,
    end: End,
    /// Whether something that was wanted could not be had, whatever stands in its place.
    pub(crate) is_poorer: bool,
}

impl Page {
    /// A page for the client with this request (pseudo-fields included) from a template with this status and these fields, of
    /// which nothing has come yet.
    pub fn new(
        (status, headers): (u16, Headers),
        language: Language,
        request: Rc<Headers>,
        bounds: Composition,
    ) -> Self {
        let client = Client::new(request);
        let sheet = Sheet::new(language, 0, client.uri());
        Self {
            status,
            headers,
            client,
            sheets: vec![sheet],
            fragments: Fragments::new(bounds),
            room: Room {
                includes: bounds.max_fragments,
                made: bounds.max_bytes,
            },
            end: End::Open,
            is_poorer: false,
        }
    }

    /// More of the template has come.
    ///
    /// All of it is kept until the page is finished, so who pushes sees to the bound.
    pub fn push(&mut self, chunk: &[u8]) {
        if self.end == End::Open
            && let Some(template) = self.sheets.first_mut()
        {
            template.text.extend_from_slice(chunk);
            self.read();
        }
    }

    /// The template as it came, where no page can be made of it after all.
    pub fn into_template(mut self) -> Vec<u8> {
        let template = self.sheets.first_mut();
        let text = template.map(|sheet| std::mem::take(&mut sheet.text));
        text.unwrap_or_default()
    }

    /// That was all of it.
    pub fn end(&mut self) {
        if self.end == End::Open {
            self.end = End::Reached;
            self.read();
        }
    }

    /// A fragment that is wanted and that nobody has been asked for yet; each is named once, as soon as that is known.
    pub fn next_wanted(&mut self) -> Option<Wanted> {
        self.fragments.next_wanted(&self.client)
    }

    /// A fragment has come, and may be a template itself. What nobody wants is ignored.
    pub fn arrived(&mut self, number: Number, part: Part, language: Option<Language>) {
        let Some((at, fragment)) = self.fragments.awaited(number) else {
            return;
        };
        let taken = fit(&part, language, fragment, self.fragments.bounds().max_depth);
        let taken = taken.and_then(|()| self.fragments.weigh(&part));
        let taken = taken.and_then(|()| match language {
            Some(language) => self.template(at, part, language),
            None => {
                let Part { headers, body, .. } = part;
                self.fragments
                    .settle(at, FragmentState::Body { headers, body });
                Ok(())
            }
        });
        if let Err(why) = taken {
            self.failed(number, why);
        }
    }

    /// A fragment cannot be had. It may make the page want others.
    #[cold]
    pub fn failed(&mut self, number: Number, failure: Failure) {
        if let Some((at, _)) = self.fragments.awaited(number) {
            self.fragments.settle(at, FragmentState::Failed(failure));
            self.is_poorer = true;
            self.settle();
        }
    }

    /// Whether the template has ended, and no fragment is still wanted.
    pub fn is_complete(&self) -> bool {
        self.end == End::Reached && (!self.fragments.is_open() || !self.is_awaiting())
    }

    /// The page with what has come so far; what has not has not come in time.
    pub fn finish(mut self) -> Composed {
        self.end();
        while self.fragments.is_open() && self.is_awaiting() {
            self.fragments.close();
            self.is_poorer = true;
            self.settle();
        }
        self.write()
    }

    /// A fragment has come that is a template.
    fn template(&mut self, at: usize, part: Part, language: Language) -> Result<(), Failure> {
        let Part { headers, body, .. } = part;
        let fragment = self.fragments.get(at).ok_or(Failure::Unreadable)?;
        let (wanted_in, target) = (fragment.language, fragment.target.clone());
        let base = self.client.uri().map(|uri| Uri { target, ..uri });
        let mut sheet = Sheet::new(language, fragment.depth, base);
        sheet.text = body;
        sheet.parts.room = self.room;
        sheet.read(End::Reached, &mut self.client);
        if !sheet.is_fit_for(wanted_in) {
            return Err(Failure::Unreadable);
        }
        self.room = sheet.parts.room;
        let number = self.sheets.len();
        self.sheets.push(sheet);
        self.fragments.settle(
            at,
            FragmentState::Sheet {
                headers,
                sheet: number,
            },
        );
        self.ask(number, 0);
        Ok(())
    }

    /// Reads the template as far as it has come.
    fn read(&mut self) {
        let Some(sheet) = self.sheets.first_mut() else {
            return;
        };
        let first = sheet.parts.includes.len();
        sheet.parts.room = self.room;
        sheet.read(self.end, &mut self.client);
        self.room = sheet.parts.room;
        self.ask(0, first);
    }

    /// Asks for what is wanted in a template, from this include on.
    fn ask(&mut self, number: usize, first: usize) {
        let Some(sheet) = self.sheets.get_mut(number) else {
            return;
        };
        let mut is_settled = true;
        for at in first..sheet.parts.includes.len() {
            is_settled &= sheet.ask(at, &mut self.fragments) == Asked::Settled;
        }
        self.is_poorer |= sheet.parts.is_poorer;
        if !is_settled {
            self.settle();
        }
    }

    /// Goes on to what stands in the place of what has failed, until nothing more comes of it: each include is asked for twice at most.
    #[cold]
    fn settle(&mut self) {
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for sheet in &mut self.sheets {
                for at in 0..sheet.parts.includes.len() {
                    is_settled &= sheet.ask(at, &mut self.fragments) == Asked::Settled;
                }
                self.is_poorer |= sheet.parts.is_poorer;
            }
        }
    }

    /// Whether a fragment is awaited that stands where the page shows something.
    fn is_awaiting(&self) -> bool {
        let mut seen = vec![false; self.sheets.len()];
        let mut open = vec![0];
        while let Some(number) = open.pop() {
            let (Some(sheet), Some(seen)) = (self.sheets.get(number), seen.get_mut(number)) else {
                continue;
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            for fragment in sheet.shown() {
                match self.fragments.get(fragment).map(|one| &one.state) {
                    Some(FragmentState::Open) => return true,
                    Some(FragmentState::Sheet { sheet, .. }) => open.push(*sheet),
                    Some(FragmentState::Body { .. } | FragmentState::Failed(_)) | None => {}
                }
            }
        }
        false
    }
}

/// Whether a response can stand where it is wanted.
fn fit(
    part: &Part,
    language: Option<Language>,
    wanted: &Fragment,
    max_depth: u8,
) -> Result<(), Failure> {
    if !matches!(part.status, 200 | 203 | 204) {
        return Err(Failure::Status);
    }
    let mut codings = list::elements(part.headers.all("content-encoding"));
    let is_coded = codings.any(|coding| !coding.bytes().eq_ignore_ascii_case(b"identity"));
    let is_fit = match (wanted.language, language) {
        (Language::Esi, _) => true,
        (Language::Json, Some(_)) => is_json_type(&part.headers),
        (Language::Json, None) => is_json_type(&part.headers) && is_json(&part.body),
    };
    match language {
        _ if is_coded || !is_fit => Err(Failure::Unreadable),
        Some(_) if wanted.depth >= max_depth => Err(Failure::Bound),
        Some(_) | None => Ok(()),
    }
}

fn is_json_type(headers: &Headers) -> bool {
    let value = headers.only("content-type").unwrap_or_default();
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let (_, subtype) = essence.split_at(essence.iter().position(|byte| *byte == b'/').unwrap_or(0));
    let subtype = subtype.trim_ascii().to_ascii_lowercase();
    subtype == b"/json" || subtype.ends_with(b"+json")
}
