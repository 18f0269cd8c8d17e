//! What the elements mean.
//!
//! Those that nobody knows are not there, while what stands in them is, as Varnish has it. What stands where it has no meaning (an
//! `esi:when` alone) means as much as can be said without the rest, and never shows what a test would hide.

use super::read::{Mode, Reader};
use super::scopes::{Branches, Kind, Scope};
use super::tag::Tag;
use crate::address::address;
use crate::client::Client;
use crate::page::Failure;
use crate::sheet::{Address, Instead, Parts, Place};
use crate::{expression, variable};

impl Reader {
    pub(super) fn element(&mut self, tag: Tag<'_>, parts: &mut Parts, client: &mut Client) {
        let around = self.around();
        if tag.is("include") {
            if around.emits {
                include(tag, around.place, parts, client);
            }
        } else if tag.is("vars") {
            self.vars(tag, around, parts, client);
        } else if tag.is_closed {
            // All others are about what stands in them.
        } else if tag.is("remove") {
            self.body_of("remove", false);
        } else if tag.is("text") {
            self.body_of("text", true);
        } else if tag.is("inline") {
            self.body_of("inline", false);
        } else if tag.is("comment") {
            // As the specification has it, it is one tag with its text in it; without, it is taken for what stands around one.
            if tag.attribute("text").is_none() {
                self.body_of("comment", false);
            }
        } else if let Some(scope) = self.scope(tag, around, parts, client) {
            self.open(scope, parts);
        }
    }

    fn body_of(&mut self, of: &'static str, is_text: bool) {
        self.mode = Mode::Body { of, is_text };
    }

    fn vars(&mut self, tag: Tag<'_>, around: Scope, parts: &mut Parts, client: &mut Client) {
        if !tag.is_closed {
            let scope = Scope {
                kind: Kind::Vars,
                is_vars: true,
                ..around
            };
            return self.open(scope, parts);
        }
        let name = tag.attribute("name").unwrap_or_default();
        match variable::read(&name) {
            variable::Read::Is(_, variable) if around.emits => {
                variable.write_markup(client, parts, around.place);
            }
            variable::Read::Is(..) | variable::Read::IsNot | variable::Read::Unknown => {}
        }
    }

    /// What an element opens; `None` for one that nobody knows.
    fn scope(
        &mut self,
        tag: Tag<'_>,
        around: Scope,
        parts: &mut Parts,
        client: &mut Client,
    ) -> Option<Scope> {
        let shown = |kind, emits| Scope {
            kind,
            emits,
            ..around
        };
        let within = |kind, place| Scope {
            kind,
            emits: true,
            place,
            ..around
        };
        Some(if tag.is("try") {
            let number = around.emits.then(|| parts.new_try(around.place));
            shown(Kind::Try(number), false)
        } else if tag.is("attempt") {
            match around.kind.as_try() {
                Some(Some(number)) => within(Kind::Attempt, Place::Attempt(number)),
                Some(None) => shown(Kind::Attempt, false),
                None => shown(Kind::Attempt, around.emits),
            }
        } else if tag.is("except") {
            match around.kind.as_try() {
                Some(Some(number)) => {
                    parts.has_except(number);
                    within(Kind::Except, Place::Except(number))
                }
                Some(None) | None => shown(Kind::Except, false),
            }
        } else if tag.is("choose") {
            let branches = match around.emits {
                true => Branches::Open,
                false => Branches::Settled,
            };
            shown(Kind::Choose(branches), false)
        } else if tag.is("when") {
            let is_asked = match around.kind.as_choice() {
                Some(branches) => branches == Branches::Open,
                None => around.emits,
            };
            let test = tag.attribute("test").unwrap_or_default();
            let holds = is_asked && expression::holds(&test, client);
            self.scopes.take(holds);
            shown(Kind::When, holds)
        } else if tag.is("otherwise") {
            let is_left = around.kind.as_choice() == Some(Branches::Open);
            self.scopes.take(is_left);
            shown(Kind::Otherwise, is_left)
        } else {
            return None;
        })
    }
}

fn include(tag: Tag<'_>, place: Place, parts: &mut Parts, client: &mut Client) {
    let src = addressed(tag, "src", parts, client).unwrap_or(Err(Failure::Address));
    let alt = addressed(tag, "alt", parts, client);
    let is_said = tag.attribute("onerror");
    let instead = match is_said.is_some_and(|word| word.eq_ignore_ascii_case(b"continue")) {
        true => Instead::Nothing,
        false => Instead::Missed,
    };
    parts.include(place, (src, alt), instead);
}

/// The address in an attribute; `None` where there is no such attribute.
fn addressed(tag: Tag<'_>, name: &str, parts: &Parts, client: &mut Client) -> Option<Address> {
    let written = tag.attribute(name)?;
    let base = parts.base.as_ref();
    Some(match variable::in_address(&written, client) {
        None => address(base, &written),
        Some(Ok(expanded)) => address(base, &expanded),
        Some(Err(why)) => Err(why),
    })
}
