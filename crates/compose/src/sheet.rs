//! A template that is read: the pieces of its page in order, and what stands in the place of what cannot be had.
//!
//! Pieces are places in what came, so nothing is copied until the page is written. What lies in `esi:attempt` and `esi:except` is
//! in one row with all else, each piece with the place it stands in: which of the two is on the page is known only in the end.

use std::ops::Range;

use larder_core::http::Uri;

use crate::client::Client;
use crate::fragments::Fragments;
use crate::page::{Failure, Language};
use crate::{esi, json};

/// What a template asks for, as it is asked: path and query of the client's authority.
pub(crate) type Address = Result<String, Failure>;

/// A template and how far it is read.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// How many templates it stands in.
    pub(crate) depth: u8,
    pub(crate) text: Vec<u8>,
    pub(crate) parts: Parts,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Esi(esi::Reader),
    Json(json::Reader),
}

/// What has been read.
#[derive(Debug)]
pub(crate) struct Parts {
    /// What relative addresses are relative to; `None` where the request's has bytes that no URI has.
    pub(crate) base: Option<Uri>,
    pub(crate) pieces: Vec<Piece>,
    /// Text that does not stand in the template: values of variables.
    pub(crate) made: Vec<u8>,
    pub(crate) tries: Vec<Try>,
    pub(crate) includes: Vec<Include>,
    pub(crate) room: Room,
    /// Whether something that was wanted could not be had, whatever stands in its place.
    pub(crate) is_poorer: bool,
}

/// What all templates of a page together may still have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    pub(crate) includes: usize,
    /// Bytes of values.
    pub(crate) made: usize,
}

/// A piece of the page, and where it stands.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// Of the template.
    Text(Range<usize>),
    /// Of what is made.
    Made(Range<usize>),
    /// What this include brings.
    Include(usize),
    /// Nothing, where something should stand.
    Gap(Failure),
}

/// The innermost `esi:attempt` or `esi:except` that something stands in, by its `esi:try`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Open,
    Attempt(usize),
    Except(usize),
}

/// An `esi:try`.
#[derive(Debug)]
pub(crate) struct Try {
    pub(crate) place: Place,
    /// What its attempt fails by.
    pub(crate) failure: Option<Failure>,
    pub(crate) has_except: bool,
}

/// An include.
#[derive(Debug)]
pub(crate) struct Include {
    pub(crate) place: Place,
    pub(crate) now: Now,
    /// What is asked for when the first cannot be had.
    pub(crate) alt: Option<Address>,
    pub(crate) instead: Instead,
}

/// How it stands with an include.
#[derive(Debug)]
pub(crate) enum Now {
    /// Nobody knows yet whether it is wanted.
    Resting(Address),
    /// This fragment is to stand there.
    Asked(usize),
    /// It cannot be had, and the template says what that means.
    Given,
    /// It cannot be had.
    Missing(Failure),
}

/// What stands in the place of what cannot be had.
#[derive(Clone, Debug)]
pub(crate) enum Instead {
    /// It is missed.
    Missed,
    /// Nothing, as the template says.
    Nothing,
    /// `null`, and it is missed.
    Null,
    /// This of the template.
    Text(Range<usize>),
}

impl Sheet {
    pub(crate) fn new(language: Language, depth: u8, base: Option<Uri>) -> Self {
        Self {
            depth,
            text: Vec::new(),
            parts: Parts {
                base,
                pieces: Vec::new(),
                made: Vec::new(),
                tries: Vec::new(),
                includes: Vec::new(),
                room: Room::default(),
                is_poorer: false,
            },
            reader: match language {
                Language::Esi => Reader::Esi(esi::Reader::default()),
                Language::Json => Reader::Json(json::Reader::default()),
            },
        }
    }

    /// Reads on, as far as the text goes.
    pub(crate) fn read(&mut self, end: End, client: &mut Client) {
        match &mut self.reader {
            Reader::Esi(reader) => reader.read(&self.text, end, &mut self.parts, client),
            Reader::Json(reader) => reader.read(&self.text, end, &mut self.parts),
        }
    }

    /// Asks for what an include wants now, if it stands on the page and has nothing that it waits for.
    pub(crate) fn ask(&mut self, at: usize, fragments: &mut Fragments) -> Asked {
        let (depth, language) = (self.depth.saturating_add(1), self.language());
        let parts = &mut self.parts;
        let place = parts.includes.get(at).map(|include| include.place);
        if !place.is_some_and(|place| parts.is_live(place)) {
            return Asked::Settled;
        }
        while let Some(include) = parts.includes.get_mut(at) {
            let why = match &mut include.now {
                Now::Resting(address) => {
                    let address = std::mem::replace(address, Err(Failure::Address));
                    match address.and_then(|target| fragments.ask(target, depth, language)) {
                        Ok(fragment) => {
                            include.now = Now::Asked(fragment);
                            return Asked::Settled;
                        }
                        Err(why) => why,
                    }
                }
                Now::Asked(fragment) => match fragments.failure(*fragment) {
                    Some(why) => why,
                    None => return Asked::Settled,
                },
                Now::Given | Now::Missing(_) => return Asked::Settled,
            };
            parts.is_poorer = true;
            match include.alt.take() {
                Some(address) => include.now = Now::Resting(address),
                None => return parts.give_up(at, why),
            }
        }
        Asked::Settled
    }

    /// The fragments that stand on the page, as far as is known.
    pub(crate) fn shown(&self) -> impl Iterator<Item = usize> {
        let shown = |include: &Include| match include.now {
            Now::Asked(fragment) => self.parts.is_live(include.place).then_some(fragment),
            Now::Resting(_) | Now::Given | Now::Missing(_) => None,
        };
        self.parts.includes.iter().filter_map(shown)
    }

    fn language(&self) -> Language {
        match &self.reader {
            Reader::Esi(_) => Language::Esi,
            Reader::Json(_) => Language::Json,
        }
    }

    /// Whether it may stand in a template of this language.
    pub(crate) fn is_fit_for(&self, language: Language) -> bool {
        match (language, &self.reader) {
            (Language::Esi, Reader::Esi(_) | Reader::Json(_)) => true,
            (Language::Json, Reader::Json(reader)) => reader.is_valid(),
            (Language::Json, Reader::Esi(_)) => false,
        }
    }
}

/// Whether more text may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    Reached,
}

/// What has come of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Others may be wanted now.
    More,
    Settled,
}

impl Parts {
    pub(crate) fn piece(&mut self, place: Place, content: Content) {
        self.pieces.push(Piece { place, content });
    }

    pub(crate) fn text(&mut self, place: Place, text: Range<usize>) {
        if !text.is_empty() {
            self.piece(place, Content::Text(text));
        }
    }

    /// The number of a new `esi:try`.
    pub(crate) fn new_try(&mut self, place: Place) -> usize {
        self.tries.push(Try {
            place,
            failure: None,
            has_except: false,
        });
        self.tries.len().saturating_sub(1)
    }

    pub(crate) fn has_except(&mut self, number: usize) {
        if let Some(one) = self.tries.get_mut(number) {
            one.has_except = true;
        }
    }

    /// A new include; nothing where there are too many.
    pub(crate) fn include(
        &mut self,
        place: Place,
        (src, alt): (Address, Option<Address>),
        instead: Instead,
    ) {
        let Some(room) = self.room.includes.checked_sub(1) else {
            return self.one_too_many(place, instead);
        };
        self.room.includes = room;
        self.piece(place, Content::Include(self.includes.len()));
        self.includes.push(Include {
            place,
            now: Now::Resting(src),
            alt,
            instead,
        });
    }

    /// Text that is made, from where it starts.
    pub(crate) fn made(&mut self, place: Place, start: usize) {
        let made = start..self.made.len();
        match self.room.made.checked_sub(made.len()) {
            Some(room) => self.room.made = room,
            None => {
                self.made.truncate(start);
                return self.gap(place, Failure::Bound);
            }
        }
        if !made.is_empty() {
            self.piece(place, Content::Made(made));
        }
    }

    #[cold]
    fn one_too_many(&mut self, place: Place, instead: Instead) {
        self.is_poorer = true;
        match instead {
            Instead::Nothing => {}
            Instead::Text(text) => self.text(place, text),
            Instead::Missed => self.gap(place, Failure::Bound),
            Instead::Null => {
                self.gap(place, Failure::Bound);
                let start = self.made.len();
                self.made.extend_from_slice(b"null");
                let made = start..self.made.len();
                self.piece(place, Content::Made(made)); // shorter than the include
            }
        }
    }

    /// Something that is missing, whatever may be asked for.
    #[cold]
    pub(crate) fn gap(&mut self, place: Place, why: Failure) {
        self.is_poorer = true;
        if self.fail(place, why) == Missed::Yes {
            self.piece(place, Content::Gap(why));
        }
    }

    /// An include has nothing left to ask for.
    #[cold]
    fn give_up(&mut self, at: usize, why: Failure) -> Asked {
        let Some(include) = self.includes.get_mut(at) else {
            return Asked::Settled;
        };
        let place = match include.instead {
            Instead::Nothing | Instead::Text(_) => {
                include.now = Now::Given;
                return Asked::Settled;
            }
            Instead::Missed | Instead::Null => include.place,
        };
        include.now = Now::Missing(why);
        match self.fail(place, why) {
            Missed::Yes => Asked::Settled,
            Missed::No => Asked::More,
        }
    }

    /// Whether what stands there is on the page, as far as is known.
    pub(crate) fn is_live(&self, mut place: Place) -> bool {
        loop {
            let (at, wants_failure) = match place {
                Place::Open => return true,
                Place::Attempt(at) => (at, false),
                Place::Except(at) => (at, true),
            };
            match self.tries.get(at) {
                Some(one) if one.failure.is_some() == wants_failure => place = one.place,
                Some(_) | None => return false,
            }
        }
    }

    /// Something fails in this place, and with it the attempt that it is part of.
    #[cold]
    pub(crate) fn fail(&mut self, mut place: Place, why: Failure) -> Missed {
        loop {
            let (at, is_attempt) = match place {
                Place::Open => return Missed::Yes,
                Place::Attempt(at) => (at, true),
                Place::Except(at) => (at, false),
            };
            let Some(one) = self.tries.get_mut(at) else {
                return Missed::Yes;
            };
            if is_attempt {
                one.failure.get_or_insert(why);
                return Missed::No;
            }
            place = one.place;
        }
    }
}

/// Whether something is missed that fails, or an attempt fails instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    Yes,
    No,
}
