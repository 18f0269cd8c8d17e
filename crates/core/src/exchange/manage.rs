//! A call of the management API on its way in.
//!
//! ```text
//! Idle ── Request ──┬─ no call ─▶ (as any other request)
//!                   ├─ refused ─▶ Managed, with a reply
//!                   ├─ a body belongs to it ─▶ Managing ── RequestBody ─▶ Managed, with the call
//!                   └─ complete ─▶ Managed, with the call
//! ```
//!
//! No call goes on to the origin, whatever is wrong with it: not even where something fails that lets every other request
//! go on. What is a call, and what comes of it, others know: [`Reception`] is the port.

use std::fmt;

use super::budget::Hold;
use super::event::Unheld;
use super::{Effect, Reply, State, Step, Surroundings, Verdict};
use crate::http::RequestHead;
use crate::key::Attributes;
use crate::policy::request::RequestBody;
use crate::policy::storable::announced_length;
use crate::report::Counter;
use crate::time::Timestamp;

/// Who receives the calls of the management API.
pub trait Reception: fmt::Debug {
    /// Takes in a request's head; `None` for a request that is no call.
    fn receive(
        &self,
        head: &RequestHead,
        attributes: &dyn Attributes,
        now: Timestamp,
    ) -> Option<Received>;

    /// What is said to a caller whose call cannot be taken in.
    fn refuse(&self, why: Refused) -> Said;
}

/// What becomes of a call whose head is here.
#[derive(Debug)]
pub enum Received {
    /// It is answered.
    Answered(Said),
    /// It has all that it needs.
    Complete,
    /// It needs its body, of so many bytes at most.
    NeedsBody(usize),
}

/// What is said to a caller at the door.
#[derive(Debug)]
pub struct Said {
    /// What goes out.
    pub reply: Reply<'static>,
    /// What it counts as.
    pub counter: Counter,
}

/// Why a call cannot be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no room for it now.
    Busy,
    /// Its body is longer than so many bytes.
    TooLarge(usize),
}

/// A call that is complete.
#[derive(Debug)]
pub struct Call {
    /// The request's head.
    pub head: RequestHead,
    /// The request's body; empty where none is needed.
    pub content: Vec<u8>,
}

/// A call that waits for its body.
#[derive(Debug)]
pub(super) struct Managing {
    head: RequestHead,
    /// How long the body may be.
    most: usize,
    /// For the head and the body.
    _hold: Hold,
}

/// Takes a request in if it is a call, or gives it back.
pub(super) fn begin<'a>(
    around: &Surroundings,
    head: RequestHead,
    body: RequestBody,
    attributes: &dyn Attributes,
    now: Timestamp,
) -> Result<(State, Step<'a>), RequestHead> {
    let Some(reception) = &around.reception else {
        return Err(head);
    };
    match reception.receive(&head, attributes, now) {
        None => Err(head),
        Some(received) => Ok(take(around, &**reception, head, (received, body))),
    }
}

/// Far from what every request passes.
#[cold]
#[inline(never)]
fn take<'a>(
    around: &Surroundings,
    reception: &dyn Reception,
    head: RequestHead,
    (received, body): (Received, RequestBody),
) -> (State, Step<'a>) {
    let most = match (received, body) {
        (Received::Answered(said), _) => return answered(said),
        (Received::Complete, _) | (Received::NeedsBody(_), RequestBody::None) => {
            let content = Vec::new();
            return complete(Call { head, content });
        }
        (Received::NeedsBody(most), RequestBody::Follows) => most,
    };
    let announced = announced_length(head.headers());
    let announced = announced.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|announced| announced > most) {
        return answered(reception.refuse(Refused::TooLarge(most)));
    }
    let bytes = announced
        .unwrap_or(most)
        .saturating_add(head.headers().size());
    match Hold::of(&around.budget, bytes) {
        Err(_) => answered(reception.refuse(Refused::Busy)),
        Ok(hold) => {
            let managing = Managing {
                head,
                most,
                _hold: hold,
            };
            (State::Managing(Box::new(managing)), Step::hold())
        }
    }
}

impl Managing {
    /// How long the body may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// The body is here, or more of it than may be.
    pub(super) fn complete<'a>(self, around: &Surroundings, content: &[u8]) -> (State, Step<'a>) {
        match &around.reception {
            Some(reception) if content.len() > self.most => {
                answered(reception.refuse(Refused::TooLarge(self.most)))
            }
            Some(_) | None => complete(Call {
                head: self.head,
                content: content.to_vec(),
            }),
        }
    }
}

/// The call does not wait for its body.
pub(super) fn let_go<'a>(around: &Surroundings, why: Unheld) -> (State, Step<'a>) {
    match (why, &around.reception) {
        (Unheld::Full, Some(reception)) => answered(reception.refuse(Refused::Busy)),
        // It has been answered already: from outside of its stream, which had nothing to do any more.
        (Unheld::Overdue, _) | (Unheld::Full, None) => (State::Managed, Step::pass()),
    }
}

fn complete<'a>(call: Call) -> (State, Step<'a>) {
    let step = Step {
        verdict: Verdict::Manage(Box::new(call)),
        effects: Vec::new(),
    };
    (State::Managed, step)
}

fn answered<'a>(said: Said) -> (State, Step<'a>) {
    let step = Step {
        verdict: Verdict::Reply(said.reply),
        effects: vec![Effect::Count(said.counter)],
    };
    (State::Managed, step)
}
