//! An exchange with nobody: the decisions are those of a real one, because the code is.
//!
//! The tiers are asked as always, but nothing of what the exchange wants done is done: who plays sees it, and may do it.
//! Nothing is counted, kept in a worker's own memory or sent on.

use std::rc::Rc;

use larder_core::exchange::{
    Answer, Arrival, Arriving, Candidate, Effect, Event, Exchange, Reply, ResponseBody, Step,
    Verdict,
};
use larder_core::http::Headers;
use larder_core::key::{Attributes, Key, Unreadable};
use larder_core::policy::Reason;
use larder_core::policy::request::RequestBody;
use larder_core::policy::template::Language;
use larder_core::report::Counter;
use larder_core::tier::{AbsentReason, Found, Lookup};
use larder_core::time::Timestamp;

use crate::answer::Desk;

/// An exchange with nobody.
pub(crate) struct Play {
    exchange: Exchange,
    now: Timestamp,
    /// What it wanted done.
    pub(crate) effects: Vec<Effect>,
    /// What it asked the tiers for, and what they had.
    pub(crate) lookups: Vec<(Rc<Key>, Result<Found, AbsentReason>)>,
    /// What it answered with.
    pub(crate) reply: Option<(u16, Headers)>,
    /// In what that is written, where it is a template.
    template: Option<Language>,
}

/// Whether what is stored counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It does not.
    Away,
    /// It does.
    IntoTheTiers,
}

fn look_up(desk: &Desk<'_>, key: &Key, now: Timestamp) -> Result<Found, AbsentReason> {
    let Ok(mut tier) = desk.tier.try_borrow_mut() else {
        return Err(AbsentReason::Failed); // no borrow outlives a call
    };
    match tier.lookup(desk.kv, key, now) {
        Lookup::Found(found) => Ok(found),
        Lookup::Absent(reason) => Err(reason),
    }
}

/// What the proxy would know besides: that the origin made the response.
struct FromTheOrigin;

impl Attributes for FromTheOrigin {
    fn attribute(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        let is_source = path == ["response", "code_details"];
        Ok(is_source.then(|| b"via_upstream".to_vec()))
    }
}

impl Play {
    /// The request of this head, which comes now.
    pub(crate) fn ask(desk: &Desk<'_>, headers: Headers, look: Look, now: Timestamp) -> Self {
        let mut play = Self {
            exchange: Exchange::new(desk.around.apart()),
            now,
            effects: Vec::new(),
            lookups: Vec::new(),
            reply: None,
            template: None,
        };
        let arrival = Arrival {
            headers,
            body: RequestBody::None,
            attributes: &FromTheOrigin,
        };
        let mut asked = play.take(Event::Request(arrival));
        while let Some(key) = asked {
            let found = match look {
                Look::Away => Err(AbsentReason::NoEntry),
                Look::IntoTheTiers => look_up(desk, &key, now),
            };
            let answer = match &found {
                Ok(found) => Answer::Found(found.payload()),
                Err(AbsentReason::Expired) => Answer::Expired,
                Err(_) => Answer::Absent,
            };
            asked = play.take(Event::Answer(answer));
            play.lookups.push((key, found));
        }
        play
    }

    /// The origin answers with this.
    pub(crate) fn respond(&mut self, headers: Headers, body: &[u8]) {
        let arriving = Arriving {
            headers,
            body: match body {
                [] => ResponseBody::None,
                _ => ResponseBody::Follows,
            },
            attributes: &FromTheOrigin,
        };
        self.take(Event::Response(arriving));
        if !body.is_empty() {
            self.take(Event::Chunk(body));
        }
        self.take(Event::ResponseEnded);
    }

    /// The entries that it wanted stored.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &Candidate> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Store(candidate) => Some(candidate),
            Effect::AddHeader(..)
            | Effect::Compress(_)
            | Effect::Count(_)
            | Effect::Gather(_)
            | Effect::Invalidate(_)
            | Effect::Land(..)
            | Effect::Measure(..)
            | Effect::Refresh(_)
            | Effect::Watch(_)
            | Effect::RemoveHeader(_)
            | Effect::RemoveRequestHeader(_)
            | Effect::SetField(_)
            | Effect::SetHeader(..)
            | Effect::SetRequestHeader(..) => None,
        })
    }

    /// Why it was not looked up, or not stored.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.effects.iter().find_map(|effect| {
            if let Effect::Count(Counter::Bypassed(reason) | Counter::NotStored(reason)) = effect {
                return Some(*reason);
            }
            None
        })
    }

    /// In what the answer is written, where a page is made of it.
    pub(crate) fn template(&self) -> Option<&'static str> {
        Some(match self.template? {
            Language::Esi => "esi",
            Language::Json => "json",
        })
    }

    fn take(&mut self, event: Event<'_>) -> Option<Rc<Key>> {
        let Step { verdict, effects } = self.exchange.on(event, self.now);
        self.template = effects.iter().find_map(gathered).or(self.template);
        self.effects.extend(effects);
        match verdict {
            Verdict::Lookup(key) => Some(key),
            Verdict::Reply(Reply { status, pairs, .. }) => {
                let head = Headers::copy_of_pairs(&pairs).unwrap_or_default();
                self.reply = Some((status, head));
                None
            }
            // The template stands for its page.
            Verdict::Compose(template) => {
                self.template = Some(template.language);
                self.reply = Some((template.status, template.headers));
                None
            }
            Verdict::Consult(_)
            | Verdict::Continue
            | Verdict::Hold
            | Verdict::Inspect
            | Verdict::Manage(_)
            | Verdict::Park(_) => None,
        }
    }
}

fn gathered(effect: &Effect) -> Option<Language> {
    match effect {
        Effect::Gather(template) => Some(template.language),
        Effect::AddHeader(..)
        | Effect::Compress(_)
        | Effect::Count(_)
        | Effect::Invalidate(_)
        | Effect::Land(..)
        | Effect::Measure(..)
        | Effect::Refresh(_)
        | Effect::RemoveHeader(_)
        | Effect::RemoveRequestHeader(_)
        | Effect::SetField(_)
        | Effect::SetHeader(..)
        | Effect::SetRequestHeader(..)
        | Effect::Store(_)
        | Effect::Watch(_) => None,
    }
}
