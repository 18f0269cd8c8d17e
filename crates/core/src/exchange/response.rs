//! From a response's head to a capture: whether it is stored, and where.

use std::rc::Rc;

use super::budget::Hold;
use super::capture::Capture;
use super::event::{Arriving, ResponseBody};
use super::request::Subject;
use super::store::{Capturing, Placement};
use super::{Effect, Passage, State, Step, Surroundings, annotate};
use crate::config::{Config, Switch};
use crate::entry::{FreshnessSource, VariantMark, Variants};
use crate::http::{Headers, ResponseHead, list};
use crate::key::Attributes;
use crate::policy::Reason;
use crate::policy::freshness::Times;
use crate::policy::storable::{self, Plan, Storability};
use crate::report::{Annotation, Counter, Forward, Storing};
use crate::time::Timestamp;

/// The host drops all fields of a reply that has more than 1,024, without a word (proxy-wasm-cpp-host
/// `src/pairs_util.cc`); an answer from the cache adds a few of its own.
const MAX_FIELDS: usize = 1000;

/// The request is on its way to the origin.
#[derive(Debug)]
pub(super) struct Forwarding {
    pub(super) subject: Subject,
    pub(super) forward: Forward,
    /// The variants the URL was known to have.
    pub(super) known: Variants,
    /// For the request's head, which is kept until the response says what it varies on.
    pub(super) _hold: Hold,
}

impl Forwarding {
    /// Takes in the response's head.
    pub(super) fn responded<'a>(
        self,
        around: &Surroundings,
        arriving: Arriving<'_>,
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let forward = self.forward;
        let body = arriving.body;
        match self.capture(around, arriving, now) {
            Err(reason) => {
                let mut step =
                    annotate(around, Annotation::Miss(forward, Storing::Skipped(reason)));
                step.effects.push(Effect::Count(Counter::NotStored(reason)));
                (State::Passing(Passage::Silent), step)
            }
            Ok((capturing, promise)) => {
                let mut step = annotate(around, Annotation::Miss(forward, Storing::Captured));
                step.effects
                    .extend(promise.map(|value| Effect::AddHeader("cache-control", value)));
                match body {
                    ResponseBody::Follows => (State::Capturing(Box::new(capturing)), step),
                    ResponseBody::None => {
                        let (state, stored) = capturing.finish(around);
                        step.effects.extend(stored.effects);
                        (state, step)
                    }
                }
            }
        }
    }
}

impl Forwarding {
    /// Starts the capture, and says which Cache-Control the client is given if the origin gave none.
    fn capture(
        self,
        around: &Surroundings,
        arriving: Arriving<'_>,
        now: Timestamp,
    ) -> Result<(Capturing, Option<String>), Reason> {
        let response = ResponseHead::parse(arriving.headers).map_err(|_| Reason::Status)?;
        let plan = self.plan(&around.config, &response, now)?;
        if !came_from_upstream(arriving.attributes) {
            return Err(Reason::LocalReply);
        }
        let expires = now.plus(plan.lifetime.seconds.saturating_sub(plan.initial_age));
        let place = self.place(&around.config, &response.headers, expires, now)?;
        let promised = match arriving.body {
            ResponseBody::Follows => content_length(&response.headers),
            ResponseBody::None => Some(0),
        };
        let capture = Capture::begin(
            &around.budget,
            promised,
            around.config.limits.max_object_bytes,
        )?;
        let promise = self.promise(&around.config, &response.headers, &plan);
        let mut headers = plan.headers;
        if let Some(value) = &promise {
            headers.push("cache-control", value);
        }
        let capturing = Capturing {
            policy: self.subject.policy,
            started: self.subject.started,
            status: response.status,
            headers,
            lifetime: plan.lifetime,
            initial_age: plan.initial_age,
            response_time: now,
            expires,
            place,
            capture,
        };
        Ok((capturing, promise))
    }

    fn plan(
        &self,
        config: &Config,
        response: &ResponseHead,
        now: Timestamp,
    ) -> Result<Plan, Reason> {
        let policy = config.policy(self.subject.policy).ok_or(Reason::Internal)?;
        let times = Times {
            request: self.subject.started,
            response: now,
        };
        match storable::judge(self.subject.facts, response, policy, times, &config.limits) {
            Storability::Store(plan) if plan.headers.len() > MAX_FIELDS => Err(Reason::TooLarge),
            Storability::Store(plan) => Ok(plan),
            Storability::Skip(reason) => Err(reason),
        }
    }

    /// Where the response goes: what varies has a place of its own.
    fn place(
        &self,
        config: &Config,
        headers: &Headers,
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<Placement, Reason> {
        let primary = &self.subject.key;
        let names = vary_names(headers)?;
        if names.is_empty() {
            return Ok(Placement::Primary(Rc::clone(primary)));
        }
        let limits = &config.limits;
        let variants = self.known.with_fields(names).ok_or(Reason::VaryLimit)?;
        let key = primary
            .variant(
                variants.fields(),
                self.subject.head.headers(),
                limits.max_key_bytes,
            )
            .map_err(|_| Reason::KeyInvalid)?;
        let mark = VariantMark {
            digest: key.digest().short(),
            expires,
        };
        let variants = variants
            .with_variant(mark, limits.max_variants, now)
            .ok_or(Reason::VaryLimit)?;
        Ok(Placement::Variant {
            primary: Rc::clone(primary),
            variants,
            key: Rc::new(key),
        })
    }

    /// The Cache-Control for a response that is cached by a rule's TTL and carries none.
    fn promise(&self, config: &Config, headers: &Headers, plan: &Plan) -> Option<String> {
        let wanted = config.headers.cache_control == Switch::On
            && plan.lifetime.source == FreshnessSource::Rule
            && !headers.contains("cache-control");
        let has_identity = config
            .policy(self.subject.policy)
            .is_some_and(|policy| policy.identity.is_some());
        let scope = if has_identity { "private" } else { "public" };
        // A rule's lifetime counts from the response's arrival; the client counts from zero as well.
        let ttl = plan.lifetime.seconds.saturating_sub(plan.initial_age);
        wanted.then(|| format!("{scope}, max-age={}", ttl.get()))
    }
}

/// The fields that the response says it varies on; [`Reason::VaryStar`] for a name that no request can have.
fn vary_names(headers: &Headers) -> Result<Vec<&str>, Reason> {
    let names = list::elements(headers.all("vary")).map(|member| str::from_utf8(member.bytes()));
    names
        .collect::<Result<_, _>>()
        .map_err(|_| Reason::VaryStar)
}

/// How many bytes the head promises; the proxy has made sure that it does not promise two things.
fn content_length(headers: &Headers) -> Option<u64> {
    let value = str::from_utf8(headers.only("content-length")?).ok()?;
    value.trim_ascii().parse().ok()
}

/// Whether the origin made the response, and not the proxy (a timeout, a rate limit, another filter's reply).
///
/// `response.code_details` is `via_upstream` if and only if it did (envoy `source/common/router/router.cc`).
fn came_from_upstream(attributes: &dyn Attributes) -> bool {
    attributes
        .attribute(&["response", "code_details"])
        .is_some_and(|details| details == b"via_upstream")
}
