//! A stored part of a response: what it answers, and how it grows (RFC 9111 sections 3.3 and 3.4).
//!
//! "A cache MUST NOT use an incomplete response to answer requests unless the response has been made complete, or the
//! request is partial and specifies a range wholly within the incomplete response." (section 3.3) So a part answers
//! requests for what lies within it, as a 206. To everything else, HEAD and conditional requests for the whole among
//! them, it is no answer, not even a 304 or a 416: the request goes to the origin as it came.
//!
//! Meanwhile the part waits in the worker, like a response that the origin is asked about, and against the same budget.
//! When the answer is a part of the same representation that touches it, the two are stored as one; when that is all of
//! the representation, as an ordinary 200. The client gets what the origin sent and never waits for any of this.
//!
//! A part is not made complete on our own account: the client would have to get a head of ours in front of the origin's
//! body, and what is missing is asked for sooner or later by whoever needs it.

use std::rc::Rc;

use super::boarding::Words;
use super::budget::{CaptureBudget, Hold};
use super::capture::{Capture, CompleteBody};
use super::lookup::Looking;
use super::response::{Basis, Forwarding};
use super::serve::{self, Found, Warrant};
use super::store::{Capturing, Draft};
use super::{Candidate, State, Step, Surroundings, partial, union};
use crate::config::{CachePolicy, Switch};
use crate::entry::{StoredPart, TagList, TagNames, Validation};
use crate::epoch::Currency;
use crate::http::{ContentRange, Headers, Method, ResponseHead, Span};
use crate::policy::incomplete::{self, Completeness, Keeping, Part, Stored, Worth};
use crate::policy::range::Validators;
use crate::policy::reuse::{self, Reuse, Stale};
use crate::policy::stale::Terms;
use crate::policy::{Reason, storable, store_if};
use crate::report::Forward;
use crate::time::Timestamp;

/// A stored part, while the origin is asked for another.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) headers: Headers,
    pub(super) range: ContentRange,
    pub(super) body: Vec<u8>,
    pub(super) tags: TagList,
    pub(super) worth: Worth,
    pub(super) hold: Hold,
}

/// What a body in capture is of the representation.
#[derive(Debug)]
pub(super) enum Extent {
    /// A part.
    Part(Box<Growth>),
    /// All of it.
    Whole,
}

/// A part in capture, and what it belongs to.
#[derive(Debug)]
pub(super) enum Growth {
    /// It is stored alone.
    Alone(ContentRange),
    /// It makes the waiting part larger.
    Joining {
        range: ContentRange,
        union: ContentRange,
        stored: Vec<u8>,
        span: Span,
        _hold: Hold,
    },
}

impl Looking {
    /// Takes in that a part is stored.
    pub(super) fn judge_part<'a>(
        self,
        around: &Surroundings,
        stored: StoredPart<'a>,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let Some(policy) = around.config.policy(self.subject.policy) else {
            return self.miss(around, now);
        };
        let response = stored.response;
        let headers = match Headers::from_pairs(response.pairs.to_vec()) {
            Ok(headers) if serve::is_sendable(&headers) => headers,
            Ok(_) | Err(_) => return self.corrupt(around, now),
        };
        let head = &self.subject.head;
        let judged = around.judge(self.stamped(&response), &response.meta, now);
        let currency = judged.currency;
        let facts = (&response.meta, currency);
        let terms = Terms::of(policy, 206);
        let reuse = judged.named(reuse::judge(facts, terms, self.lookup.demands, now));
        let (age, warrant, forward, worth) = match reuse {
            Reuse::Fresh { age, ttl_left } => (
                age,
                self.turn.warrant(ttl_left),
                Forward::Partial,
                Worth::Fresh,
            ),
            Reuse::Stale(Stale { age, overdue, why }) => (
                age,
                Warrant::Stale(overdue, why),
                Forward::Stale(match currency {
                    Currency::Softened { .. } => Reason::SoftPurged,
                    Currency::Current | Currency::Gone | Currency::Invalidated => Reason::Expired,
                }),
                Worth::Stale,
            ),
            // What grows by being asked for is not made fresh by itself.
            Reuse::StaleMeanwhile {
                obstacle: reason, ..
            }
            | Reuse::Unusable(reason)
            | Reuse::Validate(reason) => {
                let forward = Forward::because(reason);
                return if matches!(reason, Reason::Expired | Reason::SoftPurged) {
                    self.wait(around, forward, stored, (headers, Worth::Stale), now)
                } else if reason == Reason::RequestDirective {
                    self.wait(around, forward, stored, (headers, Worth::Fresh), now)
                } else {
                    self.forward(around, forward, now) // as if it were not there
                };
            }
        };
        let Some((spans, metadata)) = incomplete::coverage(head, &headers, stored.range) else {
            return self.wait(around, forward, stored, (headers, worth), now);
        };
        if policy.shadow == Switch::On {
            return self.uncompared(around);
        }
        let found = Found {
            status: response.status,
            headers: serve::promise(headers, &response.meta, policy, around),
            body: response.body.into(),
            validators: Validators::All,
            age,
            warrant,
        };
        let answered = serve::answer_with(found, &self.subject, around, |found| {
            partial::content(found, stored.range, &spans, metadata)
        });
        answered.reply(self.source(&response.meta))
    }

    /// Forwards the request as it came, and keeps the part for what may come.
    fn wait<'a>(
        mut self,
        around: &Surroundings,
        forward: Forward,
        stored: StoredPart<'_>,
        (headers, worth): (Headers, Worth),
        now: Timestamp,
    ) -> (State, Step<'a>) {
        if let Some(parking) = self.board(around, (forward, Words::Own), now) {
            return self.parked(parking);
        }
        let head = &self.subject.head;
        let may_grow = head.method() == Method::Get && head.headers().contains("range");
        let waiting = may_grow.then(|| Waiting::of(stored, headers, worth, &around.budget));
        let basis = match waiting {
            Some(Ok(waiting)) => Basis::Part(waiting),
            Some(Err(_)) | None => Basis::Nothing,
        };
        self.depart(around, forward, basis, now)
    }
}

impl Waiting {
    fn of(
        stored: StoredPart<'_>,
        headers: Headers,
        worth: Worth,
        budget: &Rc<CaptureBudget>,
    ) -> Result<Self, Reason> {
        let bytes = stored.response.body;
        let tags = stored.response.tags;
        let beside = headers.size().saturating_add(tags.as_bytes().len());
        let hold = Hold::of(budget, bytes.len().saturating_add(beside))?;
        let mut body = Vec::new();
        body.try_reserve_exact(bytes.len())
            .map_err(|_| Reason::Busy)?;
        body.extend_from_slice(bytes);
        Ok(Self {
            headers,
            range: stored.range,
            body,
            tags: tags.to_list().ok_or(Reason::Busy)?,
            worth,
            hold,
        })
    }
}

/// Begins the copy of a 206.
pub(super) fn begin(
    forwarding: &Forwarding,
    around: &Surroundings,
    basis: Basis,
    response: &ResponseHead,
    now: Timestamp,
) -> Result<Capturing, Reason> {
    let config = &around.config;
    let policy = config.policy(forwarding.subject.policy);
    let policy = policy.ok_or(Reason::Internal)?;
    let part = incomplete::part(&forwarding.subject.head, response)?;
    let waiting = match basis {
        Basis::Asked(question) => question.into_waiting(),
        Basis::Compared(_) | Basis::Nothing => None,
        Basis::Part(waiting) => Some(waiting),
        // What is whole and fresh is worth more than a part.
        Basis::Whole => return Err(Reason::PartialContent),
    };
    // "A client that has received multiple partial responses to GET requests on a target resource MAY combine those
    // responses" RFC 9110 section 15.3.7.3: by No-Vary-Search something else than this URL may have been found.
    let is_of_this_url = forwarding.known.key == forwarding.subject.key;
    let waiting = waiting.filter(|_| is_of_this_url);
    let stored = waiting.as_ref().map(|waiting| Stored {
        headers: &waiting.headers,
        range: waiting.range,
        worth: waiting.worth,
    });
    let limit = config.limits.max_object_bytes;
    let keeping = incomplete::judge(&part, stored, limit)?;
    let (draft, growth) = match (keeping, waiting) {
        (Keeping::Part, _) | (Keeping::PartUpdating | Keeping::Union(_), None) => {
            alone(forwarding, around, &part, now)?
        }
        (Keeping::PartUpdating | Keeping::Union(_), Some(waiting)) => {
            beside(forwarding, around, &part, (keeping, waiting, policy), now)?
        }
    };
    let extent = match growth {
        Growth::Alone(range) if range.is_whole() => Extent::Whole,
        Growth::Alone(_) | Growth::Joining { .. } => Extent::Part(Box::new(growth)),
    };
    check_use(&extent, &draft, policy)?;
    let promised = u64::try_from(part.range.span().len()).unwrap_or(u64::MAX);
    Ok(Capturing {
        policy: forwarding.subject.policy,
        _hold: Hold::of(&around.budget, draft.size())?,
        capture: Capture::begin(&around.budget, Some(promised), limit)?,
        draft,
        extent,
        ticket: None,
        flight: None,
    })
}

/// The part is stored by itself.
fn alone(
    forwarding: &Forwarding,
    around: &Surroundings,
    part: &Part,
    now: Timestamp,
) -> Result<(Draft, Growth), Reason> {
    let draft = forwarding.draft(around, (&part.head, TagNames::default()), now)?;
    Ok((draft, Growth::Alone(part.range)))
}

/// The part is stored with what was known of its representation, and with its bytes where it touches them.
fn beside(
    forwarding: &Forwarding,
    around: &Surroundings,
    part: &Part,
    (keeping, waiting, policy): (Keeping, Waiting, &CachePolicy),
    now: Timestamp,
) -> Result<(Draft, Growth), Reason> {
    let Waiting {
        headers,
        range: stored_range,
        body: stored,
        tags,
        mut hold,
        ..
    } = waiting;
    storable::judge_sharing(forwarding.subject.facts, &part.head, policy)?;
    let mut head = ResponseHead {
        status: 200,
        headers: incomplete::updated(headers, &part.head, policy.set_cookie, now),
    };
    // Its age is the part's, which is not kept among the fields.
    if let Some(age) = part.head.headers.first("age") {
        head.headers.push("age", age);
    }
    let draft = forwarding.draft(around, (&head, tags.as_names()), now)?;
    if !draft.place.is_among(&forwarding.known) {
        // It now varies on something else, so it is another place that is written; what waits stays where it is.
        return match part.metadata {
            Completeness::Complete => alone(forwarding, around, part, now),
            Completeness::Lacking => Err(Reason::PartialContent),
        };
    }
    let Keeping::Union(union) = keeping else {
        return Ok((draft, Growth::Alone(part.range)));
    };
    hold.grow_to(hold.bytes().saturating_add(union.span().len()))?;
    let growth = Growth::Joining {
        range: part.range,
        union,
        stored,
        span: stored_range.span(),
        _hold: hold,
    };
    Ok((draft, growth))
}

/// Refuses what a part cannot be judged by or is of no use for.
fn check_use(extent: &Extent, draft: &Draft, policy: &CachePolicy) -> Result<(), Reason> {
    let result = match extent {
        Extent::Whole => return Ok(()),
        Extent::Part(growth) => growth.result(),
    };
    if result.is_whole() {
        return Ok(());
    }
    check_part(draft, policy)
}

fn check_part(draft: &Draft, policy: &CachePolicy) -> Result<(), Reason> {
    // Only all of a body can show what the operator asks of it.
    if policy.store_if.json.is_some() {
        return Err(Reason::StoreIf);
    }
    // A part is not asked about, so one that must be would never be used.
    match draft.meta.validation {
        Validation::Always => Err(Reason::NoCache),
        Validation::Never | Validation::WhenStale => Ok(()),
    }
}

impl Growth {
    /// Which part is stored in the end.
    fn result(&self) -> ContentRange {
        match self {
            Self::Alone(range) | Self::Joining { union: range, .. } => *range,
        }
    }

    /// What is to be stored, now that the part is here.
    pub(super) fn into_candidates(
        self,
        draft: Draft,
        policy: &CachePolicy,
        body: CompleteBody,
    ) -> Result<Vec<Candidate>, Reason> {
        match self {
            Self::Alone(range) => store(draft, policy, range, body.as_bytes()),
            // Who says that two bodies are the same byte for byte, and they are not, is wrong about both; the newer one is
            // at least what was sent last.
            Self::Joining {
                range,
                stored,
                span,
                ..
            } if !union::agree((&stored, span), (body.as_bytes(), range.span())) => {
                store(draft, policy, range, body.as_bytes())
            }
            Self::Joining {
                range,
                union,
                stored,
                span,
                ..
            } => {
                let joined = union::join((stored, span), (body.into_bytes(), range.span()))?;
                store(draft, policy, union, &joined)
            }
        }
    }
}

/// "If the union consists of the entire range of the representation, then the client MUST process the combined response as
/// if it were a complete 200 (OK) response" RFC 9110 section 15.3.7.3.
fn store(
    draft: Draft,
    policy: &CachePolicy,
    range: ContentRange,
    body: &[u8],
) -> Result<Vec<Candidate>, Reason> {
    if range.is_whole() {
        store_if::judge_body(&policy.store_if, body)?;
        draft.with_body(body)
    } else {
        check_part(&draft, policy)?;
        draft.with_part(range, body)
    }
}
