//! A stored response that is no longer fresh, while the origin is asked about it.
//!
//! The stored bytes wait in the worker, because what the tiers hold may be gone when the origin answers, and a 304
//! without a body to go with it would leave the client with nothing. They count against the worker's budget; where
//! there is no room for them, the request is forwarded without the question.

use std::borrow::Cow;
use std::rc::Rc;

use super::budget::Hold;
use super::event::ResponseBody;
use super::form::{Held, Unfit};
use super::incomplete::Waiting;
use super::response::Forwarding;
use super::serve::{self, Answered, Found, Warrant};
use super::store::Draft;
use super::{Effect, Reply, Sight, State, Step, Surroundings, Verdict, compose, echo, landing};
use crate::config::CachePolicy;
use crate::entry::{Meta, StoredResponse, TagList};
use crate::http::{ContentRange, Headers, RequestHead, ResponseHead};
use crate::key::Attributes;
use crate::policy::Reason;
use crate::policy::freshening;
use crate::policy::freshness::{self, Times};
use crate::policy::incomplete::Worth;
use crate::policy::storable;
use crate::report::{Counter, Storing};
use crate::time::{Seconds, Timestamp};

/// A 304, which was asked for.
pub(super) struct Confirmation {
    pub(super) head: ResponseHead,
    pub(super) body: ResponseBody,
    pub(super) maker: Maker,
}

/// Who made a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    /// The proxy: another filter, a cache perhaps.
    Proxy,
    /// The proxy, which could not ask the origin, or has waited in vain for its answer.
    Router,
    /// The proxy does not say.
    Unknown,
    /// The origin.
    Upstream,
}

/// Who made the response: the origin, or the proxy (a timeout, a rate limit, another filter's reply).
///
/// `response.code_details` is `via_upstream` if and only if it did (envoy `source/common/router/router.cc`).
pub(super) fn maker(attributes: &dyn Attributes) -> Maker {
    match attributes.attribute(&["response", "code_details"]) {
        Ok(Some(details)) if details == b"via_upstream" => Maker::Upstream,
        Ok(Some(details)) if is_about_origin(&details) => Maker::Router,
        Ok(Some(_)) => Maker::Proxy,
        Ok(None) | Err(_) => Maker::Unknown,
    }
}

/// Whether these details are those with which the proxy's router says that nothing came from the origin: no connection, a reset
/// or a time-out before its head, nobody to ask or more asked than may be (envoy `envoy/stream_info/stream_info.h`,
/// `ResponseCodeDetailValues`; some are followed by more, such as `{connection_failure}`).
fn is_about_origin(details: &[u8]) -> bool {
    const REST: [&[u8]; 6] = [
        b"cluster_not_found",
        b"drop_overload",
        b"maintenance_mode",
        b"no_healthy_upstream",
        b"response_timeout",
        b"stream_idle_timeout",
    ];
    details.starts_with(b"upstream_") || REST.contains(&details)
}

/// What the origin is asked about.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Held,
    pub(super) tags: TagList,
    meta: Meta,
    hold: Hold,
}

impl Question {
    /// Keeps a stored response for as long as the answer to this request takes.
    pub(super) fn about(
        stored: StoredResponse<'_>,
        headers: Headers,
        asker: (&RequestHead, &CachePolicy),
        around: &Surroundings,
    ) -> Result<Self, Unfit> {
        let cap = around.config.limits.max_object_bytes;
        let length = stored.coding.length(stored.body.len()).min(cap);
        let bytes = stored.body.len().max(length);
        let tags = stored.tags.as_bytes().len();
        let beside = headers.size().saturating_add(tags);
        let hold = Hold::of(&around.budget, bytes.saturating_add(beside));
        let mut hold = hold.map_err(|_| Unfit::NoMemory)?;
        let body = Held::of((&stored, &headers), asker, cap)?;
        let held = hold.grow_to(body.size().saturating_add(beside));
        held.map_err(|_| Unfit::NoMemory)?;
        Ok(Self {
            status: stored.status,
            headers,
            body,
            tags: stored.tags.to_list().ok_or(Unfit::NoMemory)?,
            meta: stored.meta,
            hold,
        })
    }

    /// The stored response as what a 206 may be a part of: it is answered to the question where the validator was ignored.
    pub(super) fn into_waiting(self) -> Option<Waiting> {
        let body = self.body.into_plain().filter(|_| self.status == 200)?;
        Some(Waiting {
            headers: self.headers,
            range: ContentRange::whole(body.len())?,
            body,
            tags: self.tags,
            worth: Worth::Stale,
            hold: self.hold,
        })
    }

    /// What has to change in the request's head to ask; the client's own conditions wait until the answer is known.
    pub(super) fn edits(&self, request: &Headers) -> Vec<Effect> {
        let ours: Vec<_> = freshening::conditions(&self.headers).collect();
        let theirs = freshening::CONDITIONS
            .into_iter()
            .filter(|name| request.contains(name) && !ours.iter().any(|(our, _)| our == name));
        let mut edits: Vec<Effect> = theirs.map(Effect::RemoveRequestHeader).collect();
        let set =
            |(name, value): (&'static str, &[u8])| Effect::SetRequestHeader(name, value.to_vec());
        edits.extend(ours.into_iter().map(set));
        edits
    }

    /// The origin says that it is still good: the client gets it, and it is stored anew with what the 304 says.
    ///
    /// A 304 that names another representation updates nothing. The client is answered all the same: it is what was
    /// asked about, and this exchange has nothing else to give. So it is with a 304 that another filter made; the client
    /// has not asked for one, and cannot be given it.
    pub(super) fn confirmed<'a>(
        mut self,
        forwarding: &mut Forwarding,
        around: &Surroundings,
        update: Confirmation,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let Some(policy) = around.config.policy(forwarding.subject.policy) else {
            return (State::done(), Step::pass());
        };
        let Confirmation {
            head: update,
            body,
            maker,
        } = update;
        let mut head = ResponseHead {
            status: self.status,
            headers: self.headers,
        };
        // "When a stored response is used to satisfy a request without validation, a cache MUST generate an Age header field
        // [...] with a value equal to the stored response's current_age" RFC 9111 section 4.
        let unconfirmed = freshness::current_age(&self.meta, now);
        let (age, draft) = match maker {
            Maker::Proxy | Maker::Router | Maker::Unknown => (unconfirmed, Err(Reason::LocalReply)),
            Maker::Upstream if !freshening::is_about(&head.headers, &update.headers) => {
                (unconfirmed, Err(Reason::OtherValidator))
            }
            Maker::Upstream => {
                let sight = Sight::Confirmed(forwarding.forward, self.meta.lifetime);
                forwarding.show(around, sight, now);
                head.headers =
                    freshening::freshen(head.headers, &update.headers, policy.set_cookie, now);
                redraft(forwarding, around, (&head, &self.tags), &update, now)
            }
        };
        let stored = draft.and_then(|draft| {
            let headers = draft.headers.clone();
            self.body.follow(draft.status, &headers)?;
            head.headers = serve::promise(headers, &draft.meta, policy, around);
            let landing = landing::of_stored(
                (draft.status, forwarding.subject.policy),
                &draft.meta,
                around,
                now,
            );
            let watch = forwarding.watch(around, (draft.status, &draft.meta, &draft.headers));
            Ok((draft.with_held(&self.body)?, landing, watch))
        });
        let (storing, mut effects, landing) = match stored {
            Ok((stored, landing, watch)) => {
                let mut stored: Vec<_> = stored.into_iter().map(Effect::Store).collect();
                stored.extend(watch);
                (Storing::Captured, stored, landing)
            }
            Err(reason) => {
                let not_stored = vec![Effect::Count(Counter::NotStored(reason))];
                let rule = forwarding.subject.policy;
                let landing = landing::of_skipped((head.status, reason), rule, around, now);
                (Storing::Skipped(reason), not_stored, landing)
            }
        };
        effects.extend(forwarding.land(landing, now));
        let validators = self.body.validators(policy);
        let (headers, content) = self.body.into_form((head.status, head.headers), policy);
        let found = Found {
            status: head.status,
            headers,
            body: Cow::Owned(content),
            validators,
            age,
            warrant: Warrant::Confirmed(forwarding.forward, storing),
        };
        let mut answered = serve::answer(found, &forwarding.subject, around);
        answered.effects.extend(effects);
        (State::done(), replace(&update.headers, body, answered))
    }
}

/// The age of a stored response with this head, which a 304 has freshened, and what is stored of it now.
fn redraft(
    forwarding: &Forwarding,
    around: &Surroundings,
    (freshened, tags): (&ResponseHead, &TagList),
    update: &ResponseHead,
    now: Timestamp,
) -> (Seconds, Result<Draft, Reason>) {
    let subject = &forwarding.subject;
    // Its age is the 304's, which is not kept among the fields.
    let mut judged = freshened.clone();
    if let Some(age) = update.headers.first("age") {
        judged.headers.push("age", age);
    }
    let times = Times {
        request: subject.started,
        response: now,
    };
    // What the 304 adds is this client's, unless it says itself that others may have it.
    let policy = around.config.policy(subject.policy).ok_or(Reason::Internal);
    let shared = policy.and_then(|policy| storable::judge_sharing(subject.facts, update, policy));
    let draft = shared.and_then(|()| forwarding.draft(around, (&judged, tags.as_names()), now));
    (freshness::initial_age(&judged.headers, times), draft)
}

/// Gives the client this answer in place of the 304, or of another response.
///
/// One without a body is made of such a response itself if that has none either, which then passes the proxy's other filters like any response. To one
/// with a body there is no such way, since a response that has ended cannot be given a body: the proxy sends it past all
/// response filters, ours too, so what it does to the head is not undone (see [`super::echo`]).
pub(super) fn replace<'a>(
    update: &Headers,
    body: ResponseBody,
    answered: Answered<'a>,
) -> Step<'a> {
    let mut answered = answered;
    if let Some(asked) = answered.template.take() {
        return compose::begin_in_place(*asked, answered);
    }
    let Answered {
        mut content,
        mut effects,
        ..
    } = answered;
    match body {
        ResponseBody::None if content.body.is_empty() => {
            effects.extend(echo::turn_into(update, content.status, &content.headers));
            return Step::continue_with(effects);
        }
        ResponseBody::Follows | ResponseBody::None => {}
    }
    if !content.body.is_empty() && !content.headers.contains("content-type") {
        // Else the proxy would call it `text/plain`. An empty one is no media type, which recipients take for none.
        content.headers.push("content-type", "");
    }
    let reply = Reply {
        status: content.status,
        pairs: Rc::new(content.headers.to_pairs()),
        body: content.body.into(),
        details: content.details,
    };
    Step {
        verdict: Verdict::Reply(reply),
        effects,
    }
}
