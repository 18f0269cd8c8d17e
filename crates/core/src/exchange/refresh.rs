//! What a client is given stale is made fresh: behind its back, by a request of the filter's own, or else by the request of one
//! client, which goes on to the origin while the others are given what is stale (RFC 5861 section 3).
//!
//! A request of the filter's own passes no filter behind this one and no route, so it only takes the place of a client's where the
//! proxy does nothing to requests on their way ([`is_sent_as_it_came`]). It is the client's request, less what is about its own
//! connection, its conditions and the part that it wants, so that it is asked for what stands under the same key: whoever it
//! is, and with the same credentials.

use std::fmt;
use std::rc::Rc;

use super::boarding::Lead;
use super::budget::Hold;
use super::lookup::Looking;
use super::present::present;
use super::response::{Audience, Basis, Forwarding, Known};
use super::serve::Warrant;
use super::validate::Question;
use super::{Answerer, Effect, Exchange, State, Step, Surroundings, gathering};
use crate::config::{CachePolicy, Share};
use crate::entry::{Meta, StoredResponse};
use crate::flight::{Alone, Flight, Joined, Purpose, Wish};
use crate::http::{Headers, Method, RequestHead, is_of_one_request};
use crate::key::{Key, KeyDigest};
use crate::policy::Reason;
use crate::policy::breaker::Advice;
use crate::policy::request::{OnMiss, RequestBody};
use crate::policy::reuse::{Reuse, Stale};
use crate::policy::stale::Terms;
use crate::policy::template::Kind;
use crate::policy::{freshening, invalidation};
use crate::report::Forward;
use crate::time::{Seconds, Timestamp};

/// A request to the origin that no client waits for.
#[derive(Debug)]
pub struct Refresh {
    /// Under which key stands what is made fresh.
    pub key: KeyDigest,
    /// What the origin is asked, pseudo-fields included.
    pub request: Headers,
    /// What takes its response in; the next event is the response.
    pub exchange: Exchange,
}

/// Two are the same where they ask the same.
impl PartialEq for Refresh {
    fn eq(&self, other: &Self) -> bool {
        self.request == other.request
    }
}

impl Eq for Refresh {}

/// Who sends requests of the filter's own.
pub trait Background: fmt::Debug {
    /// Whether one can take the place of the request at hand, for what stands under this key.
    fn readiness(&self, key: &Key) -> Readiness;

    /// The cluster that the request at hand would be sent to.
    fn cluster(&self) -> Option<Vec<u8>>;
}

/// Whether what is stale can be made fresh behind a client's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It cannot, as far as is known, or not now.
    Foreground,
    /// It can.
    Ready,
}

/// Whether the request of the filter's own has none of the client's: it asks for what is there now, whatever the client would take.
fn is_left_out(name: &[u8]) -> bool {
    matches!(name, b"cache-control" | b"pragma") || is_of_one_request(name)
}

/// So many bytes has a head at most that is kept to be compared with what is sent.
const MOST_WATCHED: usize = 8192;

/// The client's request as the filter's own, which asks for all of what stands there.
fn own_request(request: &RequestHead) -> Headers {
    let asked = request.headers();
    let mut own = Headers::from_iter([(":method", "GET")]);
    for (name, value) in asked.iter() {
        if name != b":method" && !is_left_out(name) {
            own.push(name, value);
        }
    }
    own
}

/// What the proxy writes by itself into the requests that it sends: for traces, and about itself.
const OF_THE_PROXY: [&str; 6] = [
    "b3",
    "grpc-trace-bin",
    "sw8",
    "traceparent",
    "tracestate",
    "x-request-id",
];
const OF_THE_PROXY_FROM: [&str; 4] = ["x-b3-", "x-datadog-", "x-envoy-", "x-ot-"];

/// Whether a request has been sent as it came: to the same place, with the same fields. What Larder itself does to it does not
/// count, nor what any proxy writes about itself.
pub fn is_sent_as_it_came(came: &Headers, sent: &Headers) -> bool {
    let counts = |name: &[u8]| {
        let is = |other: &&str| other.as_bytes() == name;
        let is_after = |start: &&str| name.starts_with(start.as_bytes());
        let mut others = freshening::CONDITIONS.iter().chain(&OF_THE_PROXY);
        !(others.any(is) || OF_THE_PROXY_FROM.iter().any(is_after))
    };
    let counted = |(name, _): &(&[u8], &[u8])| counts(name);
    came.iter().filter(counted).eq(sent.iter().filter(counted))
}

/// Who makes fresh what this request is given stale.
enum Task {
    /// Somebody else, or nobody for now.
    Others,
    /// Nobody: what came last was no longer for others, so what is stored is not what the origin would say. Each asks for itself.
    Outside(Flight),
    /// This request, which may lead those that come meanwhile.
    Own(Option<Flight>),
}

impl Looking {
    /// The request is given what is stale while that is made fresh, or makes it fresh itself.
    pub(super) fn meanwhile<'a>(
        mut self,
        around: &Surroundings,
        (stored, headers): (StoredResponse<'a>, Headers),
        policy: &CachePolicy,
        (mut stale, reuse): (Stale, Reuse),
        now: Timestamp,
    ) -> (State, Step<'a>) {
        let can_ask = matches!(reuse, Reuse::Validate(_));
        let readiness = self.readiness(around);
        let task = match readiness == Readiness::Ready || self.can_fill(can_ask) {
            true => self.task(around, now),
            false => Task::Others,
        };
        let task = match task {
            // Who takes the lead tries for all, or nobody does.
            Task::Own(_) if around.advice(now) == Advice::Spare => {
                stale.why = Reason::BreakerOpen;
                Task::Others
            }
            task @ (Task::Others | Task::Outside(_) | Task::Own(_)) => task,
        };
        let flight = match (task, readiness) {
            (Task::Outside(flight), _) => {
                self.turn.lead = Lead::Outside(flight);
                return self.refresh_itself(around, (stored, headers), (policy, reuse), now);
            }
            (Task::Own(flight), Readiness::Foreground) => {
                self.turn.lead = flight.map_or(Lead::Alone, Lead::Taken);
                return self.refresh_itself(around, (stored, headers), (policy, reuse), now);
            }
            (Task::Own(flight), Readiness::Ready) => Some(flight),
            (Task::Others, _) => None,
        };
        let question = flight.is_some().then(|| headers.clone());
        let warrant = Warrant::Stale(stale.overdue, stale.why);
        let asked = (&self.subject, policy);
        let (mut answered, work) =
            match present(&stored, (headers, stale.age, warrant), asked, around) {
                Ok(presented) => presented,
                Err(unfit) => return self.unfit(around, unfit, now),
            };
        answered.effects.extend(self.effect_of(work, around));
        let source = self.source(&stored.meta);
        if let (Some(flight), Some(headers)) = (flight, question) {
            let question = can_ask.then_some((stored, headers));
            let refresh = self.refresh(around, question, (policy, reuse), flight, now);
            let refresh = refresh.map(|refresh| Effect::Refresh(Box::new(refresh)));
            answered.effects.extend(refresh);
        }
        answered.reply(source)
    }

    /// What is fresh, and for so long, is made fresh behind the client's back in the last part of its time.
    #[inline(never)]
    pub(super) fn ahead(
        self,
        around: &Surroundings,
        stored: StoredResponse<'_>,
        (policy, ttl_left): (&CachePolicy, Seconds),
        now: Timestamp,
    ) -> Option<Effect> {
        let time = stored.meta.lifetime.seconds;
        let time = time.saturating_sub(stored.meta.initial_age);
        let last = policy.sparing.refresh_ahead.of(time.get() as usize);
        if ttl_left.get() as usize > last || self.readiness(around) == Readiness::Foreground {
            return None;
        }
        let Task::Own(flight) = self.task(around, now) else {
            return None;
        };
        if around.advice(now) == Advice::Spare {
            return None;
        }
        let reuse = Reuse::refused(&stored.meta, Reason::Expired);
        let question = match reuse {
            Reuse::Validate(_) => Some((stored, Headers::copy_of_pairs(stored.pairs).ok()?)),
            Reuse::Fresh { .. }
            | Reuse::Stale(_)
            | Reuse::StaleMeanwhile { .. }
            | Reuse::Unusable(_) => None,
        };
        let refresh = self.refresh(around, question, (policy, reuse), flight, now)?;
        Some(Effect::Refresh(Box::new(refresh)))
    }

    /// Whether it may ask in the foreground, and the response would be stored in the place of what is there.
    fn can_fill(&self, can_ask: bool) -> bool {
        let headers = self.subject.head.headers();
        let mut conditions = freshening::CONDITIONS.iter();
        let is_open = !conditions.any(|name| headers.contains(name));
        if self.lookup.on_miss == OnMiss::GatewayTimeout || headers.contains("range") {
            return false;
        }
        match self.subject.head.method() {
            Method::Get | Method::Query => can_ask || is_open,
            Method::Post => is_open,
            Method::Delete
            | Method::Head
            | Method::Options
            | Method::Other
            | Method::Patch
            | Method::Put => false,
        }
    }

    fn readiness(&self, around: &Surroundings) -> Readiness {
        let is_plain = self.subject.body == RequestBody::None
            && matches!(self.subject.head.method(), Method::Get | Method::Head);
        match around.background.get() {
            Some(background) if is_plain && !self.is_told_apart(around) => {
                background.readiness(&self.last)
            }
            Some(_) | None => Readiness::Foreground,
        }
    }

    /// Whether a field that the filter's own request leaves out tells its response from others.
    fn is_told_apart(&self, around: &Surroundings) -> bool {
        let policy = around.config.policy(self.subject.policy);
        let by_rule = policy.into_iter().flat_map(CachePolicy::key_fields);
        let mut names = self.varying().iter().map(String::as_str).chain(by_rule);
        let headers = self.subject.head.headers();
        names.any(|name| is_left_out(name.as_bytes()) && headers.contains(name))
    }

    fn task(&self, around: &Surroundings, now: Timestamp) -> Task {
        let Some(flights) = around.flights.get() else {
            return Task::Own(None);
        };
        let stamps =
            || invalidation::stamps_of_request(&self.subject.head, &self.primary).collect();
        let key = self.rendezvous(around);
        let wish = Wish {
            key: &key,
            purpose: Purpose::Refresh,
            epoch: self.subject.epoch,
            stamps: &stamps,
        };
        match flights.join(&wish, now) {
            Joined::Alone(Alone::Unshared) => {
                Task::Outside(Flight::outside(Rc::clone(flights), key.digest()))
            }
            // Nobody can say whether somebody does.
            Joined::Alone(Alone::Unavailable | Alone::Unled) => Task::Own(None),
            Joined::Behind | Joined::Resting => Task::Others,
            Joined::Lead(token) => Task::Own(Some(Flight::new(Rc::clone(flights), token))),
        }
    }

    /// It goes on to the origin, with the question whether what is stored is still good if there is something to ask with.
    fn refresh_itself<'a>(
        self,
        around: &Surroundings,
        (stored, headers): (StoredResponse<'a>, Headers),
        (policy, reuse): (&CachePolicy, Reuse),
        now: Timestamp,
    ) -> (State, Step<'a>) {
        match reuse {
            Reuse::Validate(_) => self.ask(around, forward(reuse), stored, (headers, policy), now),
            Reuse::Fresh { .. }
            | Reuse::Stale(_)
            | Reuse::StaleMeanwhile { .. }
            | Reuse::Unusable(_) => self.forward(around, forward(reuse), now),
        }
    }

    /// The request of the filter's own that makes it fresh; `None` where there is no room for it.
    #[inline(never)]
    fn refresh(
        self,
        around: &Surroundings,
        question: Option<(StoredResponse<'_>, Headers)>,
        (policy, reuse): (&CachePolicy, Reuse),
        flight: Option<Flight>,
        now: Timestamp,
    ) -> Option<Refresh> {
        let mut request = own_request(&self.subject.head);
        gathering::edit(policy, &mut request);
        let mut subject = self.subject;
        subject.head = RequestHead::parse(request.clone()).ok()?;
        subject.facts = subject.facts.as_get();
        subject.started = now;
        let basis = match question {
            None => Basis::Nothing,
            Some((stored, headers)) => {
                let asker = (&subject.head, policy);
                let question = Question::about(stored, headers, asker, around).ok()?;
                for (name, value) in freshening::conditions(&question.headers) {
                    request.push(name, value);
                }
                Basis::Asked(question)
            }
        };
        let forwarding = Forwarding {
            _hold: Hold::of(&around.budget, subject.size()).ok()?,
            known: Known {
                key: self.primary,
                variants: self.place.into_variants(),
            },
            forward: forward(reuse),
            trail: self.trail,
            spare: None,
            cluster: around.cluster(),
            audience: Audience::Nobody,
            subject,
            basis,
            flight,
        };
        let exchange = Exchange {
            surroundings: Rc::clone(around.behind()),
            state: State::Forwarding(Box::new(forwarding)),
            answerer: Answerer::Ourselves,
            token: None,
        };
        Some(Refresh {
            key: self.last.digest(),
            request,
            exchange,
        })
    }
}

/// Why the origin is asked.
fn forward(reuse: Reuse) -> Forward {
    match reuse {
        Reuse::Unusable(reason) | Reuse::Validate(reason) => Forward::because(reason),
        Reuse::Fresh { .. } | Reuse::Stale(_) | Reuse::StaleMeanwhile { .. } => Forward::Request,
    }
}

impl Forwarding {
    /// What is stored may be made fresh some day, so it matters whether the proxy sends requests as they come. The head is kept until
    /// the client has read its response, which it may take its time for; a large one is not.
    pub(super) fn watch(
        &self,
        around: &Surroundings,
        (status, meta, headers): (u16, &Meta, &Headers),
    ) -> Option<Effect> {
        around.background.get()?;
        let policy = around.config.policy(self.subject.policy)?;
        let window = Terms::of(policy, status).while_revalidate(&meta.staleness);
        let head = self.subject.head.headers();
        let is_wanted = window > Seconds::ZERO
            || policy.sparing.refresh_ahead != Share::NONE
            || Kind::of(policy.templates, status, headers) != Kind::Plain;
        let is_of_use = is_wanted && head.size() <= MOST_WATCHED;
        is_of_use.then(|| {
            let mut head = head.clone();
            gathering::edit(policy, &mut head);
            Effect::Watch(head)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAME: [(&str, &str); 6] = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "example.com"),
        (":path", "/a?b"),
        ("accept", "*/*"),
        ("cookie", "a=1"),
    ];

    fn with(more: &[(&str, &str)]) -> Headers {
        CAME.into_iter().chain(more.iter().copied()).collect()
    }

    #[test]
    fn a_request_of_our_own_is_the_clients_less_its_own_affairs() {
        let asked = with(&[
            ("authorization", "Bearer me"),
            ("authorization", "Bearer myself"),
            ("x-user", "1"),
            ("connection", "close, x-user"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("range", "bytes=0-1"),
            ("if-range", "\"1\""),
            ("if-none-match", "\"1\""),
            ("if-match", "\"1\""),
            ("if-modified-since", "then"),
            ("if-unmodified-since", "then"),
            ("cache-control", "no-cache"),
            ("pragma", "no-cache"),
            ("content-length", "0"),
            ("expect", "100-continue"),
            ("x-envoy-retry-on", "5xx"),
        ]);
        let asked = RequestHead::parse(asked).unwrap();
        // By whatever `connection` names: its user is still its user.
        let expected = with(&[
            ("authorization", "Bearer me"),
            ("authorization", "Bearer myself"),
            ("x-user", "1"),
        ]);
        assert_eq!(own_request(&asked), expected);
    }

    #[test]
    fn a_head_is_made_fresh_by_a_get() {
        let mut asked = with(&[]);
        asked.remove(":method");
        asked.push(":method", "HEAD");
        let own = own_request(&RequestHead::parse(asked).unwrap());
        assert_eq!(own.only(":method"), Some(&b"GET"[..]));
    }

    #[test]
    fn what_the_proxy_does_to_requests_shows() {
        let came = with(&[("if-none-match", "\"1\"")]);
        type Fields<'a> = &'a [(&'a str, &'a str)];
        #[rustfmt::skip]
        let rows: [(&str, Fields<'_>, bool); 7] = [
            ("as it came", &[("if-none-match", "\"1\"")], true),
            ("with our question", &[("if-none-match", "\"2\""), ("if-modified-since", "then")], true),
            ("without the client's", &[], true),
            ("with what every proxy writes", &[("x-envoy-expected-rq-timeout-ms", "15000"), ("traceparent", "00-1-2-3"), ("x-b3-traceid", "1")], true),
            ("with another field", &[("x-tenant", "1")], false),
            ("with another line", &[("cookie", "b=2")], false),
            ("with a key of the route's", &[("authorization", "Bearer it")], false),
        ];
        for (name, more, expected) in rows {
            assert_eq!(is_sent_as_it_came(&came, &with(more)), expected, "{name}");
        }
        for (name, value) in [
            (":path", "/other"),
            (":authority", "internal"),
            (":method", "HEAD"),
            (":scheme", "https"),
            ("accept", "text/html"),
        ] {
            let mut sent = with(&[]);
            sent.remove(name);
            assert!(!is_sent_as_it_came(&came, &sent), "without {name}");
            sent.push(name, value);
            assert!(!is_sent_as_it_came(&came, &sent), "{name}: {value}");
        }
    }
}
