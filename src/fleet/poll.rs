//! One worker of a process follows the fleet's log, for all of them.
//!
//! It asks what is behind what has been applied, and is answered when there is something, or after a while; then it asks again at
//! once. Which worker that is stands in the journal, and is another one when it is not heard of. What comes is applied in the
//! order of this process, and only then does the journal say so.

use std::rc::Rc;

use larder_core::config::Admin;
use larder_core::fleet::{Contact, Cursor};
use larder_core::report::{FleetOp, FleetResult};
use larder_core::tier::NotApplied;
use larder_core::time::Timestamp;
use larder_core::wire::{Answer, Label, Record};

use super::transport::{Letter, Said, Trouble};
use super::{Errand, Liaison, later, milliseconds_between};
use crate::host::{self, LogLevel};
use crate::worker::{Worker, random};

/// The service answers after so many seconds at the latest; after a third of what may go unheard, if that is less.
const LONGEST_WAIT: u32 = 20;
/// The answer may be so many milliseconds longer on its way.
const SLACK: u32 = 5000;
/// After a failure the next try comes after so many milliseconds, and each time twice as many, ...
const SHORTEST_REST: u32 = 100;
/// ... up to so many.
const LONGEST_REST: u32 = 2000;
/// Without a wait, the next comes after so many.
const PAUSE: u32 = 300;
/// The longest answer that is read, in bytes.
const MOST_BYTES: usize = larder_core::wire::MAX_BYTES;

/// How this worker follows the log.
#[derive(Default)]
pub(super) struct Polling {
    /// When the next question may go out.
    due: Option<Timestamp>,
    rest: u32,
    state: Known,
}

/// What was asked.
#[derive(Clone, Copy)]
pub(super) struct Question {
    at: Timestamp,
    after: Option<Cursor>,
}

/// What the log of the proxy says last about the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Known {
    #[default]
    Nothing,
    Well,
    Ill(Trouble),
}

impl Liaison {
    /// Asks, if it is this worker's turn and nothing is under way; on a tick, and after an answer.
    pub(super) fn follow(&self, worker: &Rc<Worker>, now: Timestamp) {
        let Some(admin) = self.admin().filter(|admin| admin.secret.is_some()) else {
            return;
        };
        let Ok(mut polling) = self.polling.try_borrow_mut() else {
            return;
        };
        let is_due = polling
            .due
            .is_none_or(|due| due <= now || later(now, LONGEST_REST) < due);
        if !self.is_my_turn(now) || !is_due || self.is_following() {
            return;
        }
        polling.due = Some(later(now, PAUSE)); // should it not go out
        drop(polling);
        self.ask(worker, &admin, now);
    }

    /// Whether the next question is to go out soon.
    pub(super) fn is_behind(&self, now: Timestamp) -> bool {
        let is_asked = self.admin().is_some_and(|admin| admin.secret.is_some());
        let is_late = self.is_mine() && !self.is_following();
        is_asked && (is_late || self.contact(now) == Contact::Lost)
    }

    fn is_following(&self) -> bool {
        let Ok(calls) = self.calls.try_borrow() else {
            return true;
        };
        calls
            .iter()
            .any(|call| matches!(call.errand, Errand::Poll(_)))
    }

    fn ask(&self, worker: &Rc<Worker>, admin: &Admin, now: Timestamp) {
        let wait = wait_of(admin);
        let mut path = String::from("/v1/invalidations?");
        let after = self.cursor();
        if let Some(cursor) = after {
            path.push_str("after=");
            path.push_str(&cursor.to_string());
            path.push('&');
        }
        path.push_str("wait_seconds=");
        path.push_str(&wait.to_string());
        if let Some(instance) = self.instance() {
            path.push_str("&instance=");
            path.push_str(&instance.to_string());
        }
        path.push_str("&config=");
        path.push_str(&self.config_version().to_string());
        let letter = Letter {
            method: "GET",
            path: &path,
            patience: wait.saturating_mul(1000).saturating_add(SLACK),
            ..Letter::default()
        };
        let question = Question { at: now, after };
        if self
            .send(admin, &letter, Errand::Poll(question), now)
            .is_none()
        {
            self.polled(worker, question, Err(Trouble::Silence), now);
        }
    }

    /// The service has answered, or has not.
    #[cold]
    #[inline(never)]
    pub(super) fn polled(
        &self,
        worker: &Rc<Worker>,
        asked: Question,
        answer: Result<Said, Trouble>,
        now: Timestamp,
    ) {
        let read = answer.and_then(|said| match said.status {
            200 => {
                let body = said.body(MOST_BYTES).ok_or(Trouble::Stranger)?;
                Answer::read(&body).map_err(|_| Trouble::Stranger)
            }
            _ => Err(Trouble::Stranger),
        });
        let applied = read.map(|answer| {
            let waited = answer.waited_ms.min(milliseconds_between(asked.at, now));
            let vouched = later(asked.at, u32::try_from(waited).unwrap_or(u32::MAX));
            let applied = self.apply(worker, (asked.after, &answer), vouched, now);
            self.forget_users(worker, &answer.records);
            (applied, answer.config.map(|config| (config, answer.reset)))
        });
        let result = match &applied {
            Ok((Ok(_) | Err(NotApplied::Moved), _)) => FleetResult::Ok,
            Ok((Err(NotApplied::Failed | NotApplied::Unfit), _)) => FleetResult::Error,
            Err(trouble) => trouble.result(),
        };
        worker.count_fleet(FleetOp::Poll, result);
        self.show_state(applied.as_ref().err().copied());
        // Where another worker was faster, what it has done counts.
        let is_well = match &applied {
            Ok((Ok(_) | Err(NotApplied::Moved), _)) => true,
            Ok((Err(NotApplied::Failed | NotApplied::Unfit), _)) | Err(_) => false,
        };
        if let Ok((Ok(_), config)) = applied {
            if let Some((config, is_reset)) = config {
                self.take_config(worker, (&config, is_reset), now);
            }
            if asked.after.is_none() {
                self.warm_up(now);
            }
        }
        if let Ok(mut polling) = self.polling.try_borrow_mut() {
            let has_wait = self.admin().is_some_and(|admin| wait_of(&admin) > 0);
            polling.rest = match is_well {
                true => 0,
                false => polling
                    .rest
                    .saturating_mul(2)
                    .clamp(SHORTEST_REST, LONGEST_REST),
            };
            // A configuration that is refused as older comes back at once.
            let is_at_once = milliseconds_between(asked.at, now) < u64::from(SHORTEST_REST);
            let is_stuck = is_at_once && self.cursor() == asked.after;
            let pause = match (is_well, has_wait && !is_stuck) {
                (true, true) => 0,
                (true, false) => PAUSE,
                // So that a fleet does not come back all at once.
                (false, _) => jittered(polling.rest),
            };
            polling.due = Some(later(now, pause));
        }
        if is_well {
            self.follow(worker, now);
        }
    }

    /// Somebody waits to hear that nothing of a user is left anywhere.
    fn forget_users(&self, worker: &Worker, records: &[Record]) {
        let own = self.instance();
        let is_user = |label: &Label| (label.kind(), label.value()) == ("tag", "user:*");
        for record in records {
            if Some(record.of.0) != own && record.label.as_ref().is_some_and(is_user) {
                worker.sweep_soon(&record.invalidation.coverage);
            }
        }
    }

    /// The root that a question went out from may be gone: it is asked anew.
    pub(crate) fn doubt(&self) {
        if let Ok(mut calls) = self.calls.try_borrow_mut() {
            calls.retain(|call| !matches!(call.errand, Errand::Poll(_)));
        }
    }

    /// Says in the proxy's log when something has become otherwise, and what to do about it.
    fn show_state(&self, trouble: Option<Trouble>) {
        let state = trouble.map_or(Known::Well, Known::Ill);
        let Ok(mut polling) = self.polling.try_borrow_mut() else {
            return;
        };
        let before = std::mem::replace(&mut polling.state, state);
        drop(polling);
        let is_same = match (before, state) {
            (
                Known::Ill(Trouble::Late | Trouble::Silence),
                Known::Ill(Trouble::Late | Trouble::Silence),
            ) => true,
            (before, state) => before == state,
        };
        if is_same {
            return;
        }
        let (level, text) = match state {
            Known::Nothing => return,
            Known::Well => (LogLevel::Info, "larder: the fleet's service answers"),
            Known::Ill(Trouble::Late | Trouble::Silence) => (
                LogLevel::Warn,
                "larder: the fleet's service, or its store, does not answer: see whether larder-admin runs, reaches its store, and \
                 is what `admin.cluster` leads to. After `max_unsynced_seconds` what is stored is asked about at the origin",
            ),
            Known::Ill(Trouble::Secret) => (
                LogLevel::Error,
                "larder: the fleet's service does not take the secret: what `admin.secret_env` names here has to be its \
                 LARDER_ADMIN_SECRET",
            ),
            Known::Ill(Trouble::Wire) => (
                LogLevel::Error,
                "larder: the fleet's service speaks another version of the protocol: bring this module and larder-admin to versions \
                 that go together",
            ),
            Known::Ill(Trouble::Stranger) => (
                LogLevel::Error,
                "larder: what answers in the place of the fleet's service makes no sense: see whether `admin.cluster` leads to \
                 larder-admin",
            ),
        };
        host::log(level, text);
    }
}

/// For how many seconds the service may keep a question.
fn wait_of(admin: &Admin) -> u32 {
    (admin.max_unsynced.get() / 3).min(LONGEST_WAIT)
}

/// Up to half of it less.
fn jittered(rest: u32) -> u32 {
    let part = (random() as u32).checked_rem(rest / 2);
    rest.saturating_sub(part.unwrap_or_default())
}
