//! The page is written, in one go, into one buffer.

use larder_core::config::Composition;

use crate::fragments::{FragmentState, Fragments};
use crate::head::Head;
use crate::page::{Composed, Failure, Page};
use crate::sheet::{Content, Instead, Now, Parts, Place, Sheet};

/// So many things that are missing are named; more say nothing new.
const MOST_MISSING: usize = 64;

/// There is no room for it.
struct Full;

struct Writer<'a> {
    sheets: &'a [Sheet],
    fragments: &'a Fragments,
    bounds: &'a Composition,
    out: Vec<u8>,
    missing: Vec<Failure>,
    /// How many fragments have been written.
    placed: usize,
    /// Which are on the page.
    used: Vec<bool>,
}

impl Page {
    /// The page of what is there.
    pub(crate) fn write(self) -> Composed {
        let template = self.sheets.first();
        let text = template.map_or(0, |sheet| sheet.text.len());
        let bounds = self.fragments.bounds();
        let size = text.saturating_add(self.fragments.bytes());
        let mut writer = Writer {
            sheets: &self.sheets,
            fragments: &self.fragments,
            bounds,
            out: Vec::with_capacity(size),
            missing: Vec::new(),
            placed: 0,
            used: vec![false; self.fragments.len()],
        };
        if let Some(template) = template {
            let _ = writer.sheet(template); // what is the template's own always has room
        }
        let Writer {
            out, missing, used, ..
        } = writer;
        let mut head = Head::of_template(&self.headers, &self.client);
        for (fragment, _) in self.fragments.iter().zip(&used).filter(|(_, used)| **used) {
            match &fragment.state {
                FragmentState::Body { headers, .. } | FragmentState::Sheet { headers, .. } => {
                    head.add(headers);
                }
                FragmentState::Open | FragmentState::Failed(_) => {}
            }
        }
        let is_poorer = self.is_poorer || !missing.is_empty();
        let headers = head.write(self.headers, &out, is_poorer);
        Composed {
            status: self.status,
            headers,
            body: out,
            missing,
        }
    }
}

impl<'a> Writer<'a> {
    fn sheet(&mut self, sheet: &'a Sheet) -> Result<(), Full> {
        let parts = &sheet.parts;
        let is_template = sheet.depth == 0;
        let mut shown = (Place::Open, true);
        for piece in &parts.pieces {
            if piece.place != shown.0 {
                shown = (piece.place, parts.is_live(piece.place));
            }
            if !shown.1 {
                continue;
            }
            match &piece.content {
                Content::Text(text) => {
                    let text = sheet.text.get(text.clone()).unwrap_or_default();
                    match is_template {
                        true => self.out.extend_from_slice(text),
                        false => self.put(text)?,
                    }
                }
                Content::Made(made) => {
                    self.put_or_miss(parts.made.get(made.clone()).unwrap_or_default());
                }
                Content::Include(at) => self.include(sheet, *at)?,
                Content::Gap(why) => self.miss(*why),
            }
        }
        self.failed_tries(parts);
        Ok(())
    }

    /// An attempt that fails, without anything in its place.
    fn failed_tries(&mut self, parts: &Parts) {
        for one in &parts.tries {
            if let Some(why) = one.failure
                && !one.has_except
                && parts.is_live(one.place)
            {
                self.miss(why);
            }
        }
    }

    fn include(&mut self, sheet: &'a Sheet, at: usize) -> Result<(), Full> {
        let Some(include) = sheet.parts.includes.get(at) else {
            return Ok(());
        };
        let missing = match include.now {
            Now::Asked(fragment) => match self.fragment(fragment) {
                Ok(()) => return Ok(()),
                Err(why) => Some(why),
            },
            Now::Missing(why) => Some(why),
            Now::Resting(_) | Now::Given => None,
        };
        let instead: &[u8] = match &include.instead {
            Instead::Missed | Instead::Nothing => b"",
            Instead::Null => b"null",
            Instead::Text(text) => sheet.text.get(text.clone()).unwrap_or_default(),
        };
        if let Some(why) = missing {
            self.miss(why);
        }
        // In JSON something has to stand there. It is shorter than the include.
        match sheet.depth {
            0 => self.out.extend_from_slice(instead),
            _ => self.put(instead)?,
        }
        Ok(())
    }

    fn fragment(&mut self, at: usize) -> Result<(), Failure> {
        self.placed = self.placed.saturating_add(1);
        if self.placed > self.bounds.max_fragments {
            return Err(Failure::Bound);
        }
        let (fragments, sheets) = (self.fragments, self.sheets);
        let start = self.out.len();
        let put = match fragments.get(at).map(|fragment| &fragment.state) {
            Some(FragmentState::Body { body, .. }) => self.put(body),
            Some(FragmentState::Sheet { sheet, .. }) => {
                let sheet = sheets
                    .get(*sheet)
                    .filter(|sheet| sheet.depth <= self.bounds.max_depth);
                sheet.map_or(Ok(()), |sheet| self.sheet(sheet))
            }
            Some(FragmentState::Failed(why)) => return Err(*why),
            Some(FragmentState::Open) | None => return Err(Failure::Overdue),
        };
        if put.is_err() {
            self.out.truncate(start);
            return Err(Failure::Bound);
        }
        if let Some(used) = self.used.get_mut(at) {
            *used = true;
        }
        Ok(())
    }

    fn put(&mut self, text: &[u8]) -> Result<(), Full> {
        let length = self.out.len().saturating_add(text.len());
        if length > self.bounds.max_bytes && !text.is_empty() {
            return Err(Full);
        }
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn put_or_miss(&mut self, text: &[u8]) {
        if self.put(text).is_err() {
            self.miss(Failure::Bound);
        }
    }

    #[cold]
    fn miss(&mut self, why: Failure) {
        if self.missing.len() < MOST_MISSING {
            self.missing.push(why);
        }
    }
}
