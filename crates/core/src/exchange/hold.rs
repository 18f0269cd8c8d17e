//! A request that is held until its body is here, because the body is part of the key.
//!
//! Only a body whose length is announced is waited for, and only one that is short. The proxy keeps the bytes meanwhile,
//! and answers 413 as soon as what it keeps for a filter that stops bodies is more than its own limit; what more comes
//! while the filter lets go counts too, and may be as long as that limit. So with an unannounced length nothing that has
//! once been held could be let go safely.

use super::budget::Hold;
use super::event::Unheld;
use super::lookup::Looking;
use super::refusal::bypass;
use super::request::Subject;
use super::{State, Step, Surroundings};
use crate::config::RequestContent;
use crate::http::{Method, RequestHead};
use crate::policy::Reason;
use crate::policy::request::RequestBody;
use crate::policy::storable::announced_length;
use crate::time::Timestamp;

/// No longer body is waited for: Envoy recommends 32 KiB as `per_connection_buffer_limit_bytes` at the edge (its default
/// is 1 MiB), and answers 413 above that.
const LONGEST: usize = 32 << 10;

/// The request waits for its body.
#[derive(Debug)]
pub(super) struct Holding {
    looking: Looking,
    /// How long the body is.
    announced: usize,
    /// For the head, the body and the key.
    _hold: Hold,
}

/// Looks the request up, or waits for the content that it asks by.
pub(super) fn begin<'a>(
    around: &Surroundings,
    looking: Looking,
    body: RequestBody,
) -> (State, Step<'a>) {
    let policy = around.config.policy(looking.subject.policy);
    let content = policy.map_or(RequestContent::Bypass, |policy| policy.key.content);
    let rule = looking.subject.policy;
    let by_content = match (content, body, looking.subject.head.method()) {
        (RequestContent::Bypass, _, _) => return looking.ask_tiers(around),
        (RequestContent::Key, RequestBody::Follows, _) => Holding::begin(around, looking),
        (RequestContent::Key, RequestBody::None, Method::Post | Method::Query) => {
            return asked_by(around, looking, &[]);
        }
        (
            RequestContent::Key,
            RequestBody::None,
            Method::Delete
            | Method::Get
            | Method::Head
            | Method::Options
            | Method::Other
            | Method::Patch
            | Method::Put,
        ) => return looking.ask_tiers(around),
    };
    match by_content {
        Ok(holding) => (State::Holding(Box::new(holding)), Step::hold()),
        Err((reason, head)) => bypass(around, (rule, head), reason),
    }
}

/// Looks the request up by its content.
fn asked_by<'a>(around: &Surroundings, mut looking: Looking, content: &[u8]) -> (State, Step<'a>) {
    let subject = &looking.subject;
    let most = around.config.limits.max_key_bytes;
    match subject.key.with_content(&subject.head, content, most) {
        Ok(key) => {
            looking.rename(key);
            looking.ask_tiers(around)
        }
        Err(_) => {
            let of = (subject.policy, looking.subject.head);
            bypass(around, of, Reason::KeyInvalid)
        }
    }
}

impl Holding {
    fn begin(around: &Surroundings, looking: Looking) -> Result<Self, (Reason, RequestHead)> {
        match Self::measure(around, &looking.subject) {
            Ok((announced, hold)) => Ok(Self {
                looking,
                announced,
                _hold: hold,
            }),
            Err(reason) => Err((reason, looking.subject.head)),
        }
    }

    /// How long the body is, and the room for it.
    fn measure(around: &Surroundings, subject: &Subject) -> Result<(usize, Hold), Reason> {
        let announced = announced_length(subject.head.headers()).ok_or(Reason::RequestBody)?;
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let most = around.config.limits.max_key_bytes;
        let empty = subject.key.with_content(&subject.head, &[], most);
        let empty = empty.map_err(|_| Reason::KeyInvalid)?.canonical().len();
        if announced > most.saturating_sub(empty) {
            return Err(Reason::KeyInvalid);
        }
        if announced > LONGEST {
            return Err(Reason::RequestBody);
        }
        let hold = Hold::of(&around.budget, subject.size().saturating_add(announced))?;
        Ok((announced, hold))
    }

    /// How long the body is.
    pub(super) fn announced(&self) -> usize {
        self.announced
    }

    /// The request goes on although its body is not here.
    pub(super) fn let_go<'a>(self, around: &Surroundings, why: Unheld) -> (State, Step<'a>) {
        let reason = match why {
            Unheld::Full => Reason::Busy,
            Unheld::Overdue => Reason::NoBody,
        };
        let subject = self.looking.subject;
        bypass(around, (subject.policy, subject.head), reason)
    }

    /// It is here. Only now can the request be sent to the origin, so this is when it is made, as far as ages go.
    pub(super) fn complete<'a>(
        self,
        around: &Surroundings,
        content: &[u8],
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let Self {
            mut looking,
            announced,
            ..
        } = self;
        if content.len() != announced {
            let of = (looking.subject.policy, looking.subject.head);
            return bypass(around, of, Reason::RequestBody);
        }
        looking.subject.started = now;
        looking.subject.epoch = around.epochs.now();
        asked_by(around, looking, content)
    }
}
