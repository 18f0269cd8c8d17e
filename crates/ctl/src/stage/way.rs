//! A request on its way through the exchange, and its response on the way back.

use std::rc::Rc;

use larder_core::entry::Payload;
use larder_core::exchange::{
    Answer, Arrival, Arriving, Candidate, Effect, Event, Exchange, HeadSize, Page, Refresh, Reply,
    ResponseBody, Step, Template, Verdict,
};
use larder_core::http::Headers;
use larder_core::key::Key;
use larder_core::policy::request::RequestBody;
use larder_core::tier::{AbsentReason, Candidate as Entry, Lookup, Stored as Outcome};

use super::Stage;
use super::origin::{Ending, Origin, Response};
use super::port::Details;
use super::seen::{Seen, Stored};

/// What the proxy says of what the origin has made.
const UPSTREAM: Details = Details("via_upstream");
const NO_UPSTREAM: Details = Details("upstream_reset_before_response_started");

impl Stage {
    /// A whole exchange, and what it leaves to do behind the client's back.
    pub(crate) fn request(
        &mut self,
        head: &Headers,
        body: Option<&[u8]>,
        origin: &mut Origin,
    ) -> Seen {
        let mut exchange = Exchange::new(Rc::clone(&self.around));
        let mut seen = Seen::default();
        let mut sent = head.clone();
        let arrival = Event::Request(Arrival {
            headers: head.clone(),
            body: match body {
                None => RequestBody::None,
                Some(_) => RequestBody::Follows,
            },
            attributes: &UPSTREAM,
        });
        let mut is_answered = self.drive(&mut exchange, arrival, &mut sent, &mut seen);
        if exchange.held_request().is_some() {
            let body = Event::RequestBody(body.unwrap_or_default());
            is_answered = self.drive(&mut exchange, body, &mut sent, &mut seen);
        }
        if !is_answered {
            let response = origin.answer(&sent);
            self.respond(&mut exchange, bodiless(response, head), &mut seen);
        }
        if head.only(":method") == Some(b"HEAD") {
            seen.body.clear();
        }
        self.refresh(origin, &mut seen);
        seen
    }

    /// Requests of the filter's own are answered; nobody sees the answers.
    fn refresh(&mut self, origin: &mut Origin, seen: &mut Seen) {
        while let Some(Refresh {
            request,
            mut exchange,
            ..
        }) = self.refreshes.pop_front()
        {
            let response = origin.answer(&request);
            let mut behind = Seen::default();
            self.respond(&mut exchange, bodiless(response, &request), &mut behind);
            seen.stored.append(&mut behind.stored);
        }
    }

    /// Steps until the request is answered here, or goes to the origin.
    fn drive(
        &mut self,
        exchange: &mut Exchange,
        event: Event<'_>,
        sent: &mut Headers,
        seen: &mut Seen,
    ) -> bool {
        let step = exchange.on(event, self.now);
        self.settle(exchange, step, sent, seen)
    }

    fn settle(
        &mut self,
        exchange: &mut Exchange,
        Step { verdict, effects }: Step<'_>,
        sent: &mut Headers,
        seen: &mut Seen,
    ) -> bool {
        self.carry_out(effects, sent, seen);
        match verdict {
            // There is no fleet, no other request and nobody who receives calls.
            Verdict::Consult(_) | Verdict::Park(_) | Verdict::Manage(_) => false,
            Verdict::Continue | Verdict::Hold | Verdict::Inspect => false,
            Verdict::Compose(template) => {
                let made = Event::Composed(Box::new(unmade(*template)));
                self.drive(exchange, made, sent, seen)
            }
            Verdict::Lookup(key) => {
                let found = self.look_up(&key, seen);
                let answer = match &found {
                    Lookup::Found(found) => Answer::Found(found.payload()),
                    Lookup::Absent(AbsentReason::Expired) => Answer::Expired,
                    Lookup::Absent(_) => Answer::Absent,
                };
                let step = exchange.on(Event::Answer(answer), self.now);
                self.settle(exchange, step, sent, seen)
            }
            Verdict::Reply(reply) => {
                self.returned(exchange, &reply, seen);
                true
            }
        }
    }

    fn look_up(&self, key: &Key, seen: &mut Seen) -> Lookup {
        seen.keys.push(key.name().as_str().to_owned());
        self.tier.borrow_mut().lookup(&*self.kv, key, self.now)
    }

    /// The origin's response on its way to the client, or what the client gets in its place.
    fn respond(&mut self, exchange: &mut Exchange, response: Response, seen: &mut Seen) {
        let mut head = Headers::from_iter([(":status", response.status.to_string())]);
        for (name, value) in &response.headers {
            head.push(name.to_ascii_lowercase(), value);
        }
        let mut sent = head.clone();
        if exchange.wants_response() {
            let attributes = match response.ending {
                Ending::Complete | Ending::BreaksOff => &UPSTREAM,
                Ending::Unreachable => &NO_UPSTREAM,
            };
            let body = match response.body.is_empty() {
                true => ResponseBody::None,
                false => ResponseBody::Follows,
            };
            let arriving = Event::Response(Arriving {
                headers: head,
                body,
                attributes,
            });
            if self.replaced(exchange, arriving, &mut sent, seen) {
                return; // what follows of the origin's response goes nowhere
            }
        }
        self.body(exchange, &response, &mut sent, seen);
        seen.take(response.status, sent, response.body);
    }

    /// Whether something else is answered with.
    fn replaced(
        &mut self,
        exchange: &mut Exchange,
        arriving: Event<'_>,
        sent: &mut Headers,
        seen: &mut Seen,
    ) -> bool {
        let mut step = exchange.on(arriving, self.now);
        let found;
        if let Verdict::Lookup(key) = &step.verdict {
            let effects = std::mem::take(&mut step.effects);
            self.carry_out(effects, sent, seen);
            found = self.tier.borrow_mut().lookup(&*self.kv, key, self.now);
            let answer = match &found {
                Lookup::Found(found) => Answer::Found(found.payload()),
                Lookup::Absent(_) => Answer::Absent,
            };
            step = exchange.on(Event::Answer(answer), self.now);
        }
        self.carry_out(step.effects, sent, seen);
        let mut verdict = step.verdict;
        if let Verdict::Compose(template) = verdict {
            let step = exchange.on(Event::Composed(Box::new(unmade(*template))), self.now);
            self.carry_out(step.effects, sent, seen);
            verdict = step.verdict;
        }
        let Verdict::Reply(reply) = verdict else {
            return false;
        };
        seen.take(reply.status, prepared(&reply), reply.body.to_vec());
        true
    }

    fn body(
        &mut self,
        exchange: &mut Exchange,
        response: &Response,
        sent: &mut Headers,
        seen: &mut Seen,
    ) {
        if !response.body.is_empty() {
            exchange.passed(response.body.len());
            let step = exchange.on(Event::Chunk(&response.body), self.now);
            self.carry_out(step.effects, sent, seen);
        }
        let end = match response.ending {
            Ending::Complete | Ending::Unreachable => Event::ResponseEnded,
            Ending::BreaksOff => Event::Aborted,
        };
        let step = exchange.on(end, self.now);
        self.carry_out(step.effects, sent, seen);
    }

    /// Our own reply passes the filter once more.
    fn returned(&mut self, exchange: &mut Exchange, reply: &Reply<'_>, seen: &mut Seen) {
        let mut head = prepared(reply);
        let bytes = head
            .iter()
            .map(|(name, value)| name.len().saturating_add(value.len()));
        let size = HeadSize {
            lines: head.len(),
            bytes: bytes.fold(0, usize::saturating_add),
        };
        let mut step = exchange.on(Event::Returned(size), self.now);
        if let Verdict::Inspect = step.verdict {
            self.carry_out(step.effects, &mut head, seen);
            step = exchange.on(Event::ReturnedHead(head.clone()), self.now);
        }
        self.carry_out(step.effects, &mut head, seen);
        seen.take(reply.status, head, reply.body.to_vec());
    }

    fn carry_out(&mut self, effects: Vec<Effect>, sent: &mut Headers, seen: &mut Seen) {
        for effect in effects {
            match effect {
                Effect::AddHeader(name, value) => sent.push(name, value),
                Effect::SetHeader(name, value) => {
                    sent.remove(name);
                    sent.push(name, value);
                }
                Effect::SetRequestHeader(name, value) => {
                    sent.remove(name);
                    sent.push(name, value);
                }
                Effect::RemoveHeader(name) => sent.remove(name),
                Effect::RemoveRequestHeader(name) => sent.remove(name),
                Effect::SetField(field) => {
                    if let Ok(name) = std::str::from_utf8(&field.name) {
                        sent.remove(name);
                    }
                    for line in &field.lines {
                        sent.push(&field.name, line);
                    }
                }
                Effect::Invalidate(invalidation) => self.log.apply(&invalidation, self.now),
                Effect::Land(flight, landing) => flight.land(landing),
                Effect::Refresh(refresh) => self.refreshes.push_back(*refresh),
                Effect::Store(candidate) => self.store(&candidate, seen),
                // Work for ticks, for who counts, and for who makes pages.
                Effect::Compress(_)
                | Effect::Count(_)
                | Effect::Gather(_)
                | Effect::Measure(..)
                | Effect::Watch(_) => {}
            }
        }
    }

    fn store(&self, candidate: &Candidate, seen: &mut Seen) {
        let entry = Entry {
            key: &candidate.key,
            started: candidate.started,
            expires: candidate.expires,
            payload: &candidate.payload,
            currency: &|| candidate.judge(&*self.log),
        };
        let mut tier = self.tier.borrow_mut();
        let stored = tier.store(&*self.kv, &self.gauge, entry, self.now);
        if let (Outcome::Published, Some(response)) = (stored, Payload::outline(&candidate.payload))
        {
            let tags = response.tags.names().map(String::from_utf8_lossy);
            seen.stored.push(Stored {
                key: candidate.key.name().as_str().to_owned(),
                tags: tags.map(|tag| tag.into_owned()).collect(),
                lifetime: response.meta.lifetime.seconds.get(),
            });
        }
    }
}

impl Seen {
    fn take(&mut self, status: u16, mut headers: Headers, body: Vec<u8>) {
        headers.retain(|name, _| !name.starts_with(b":"));
        (self.status, self.headers, self.body) = (status, headers, body);
    }
}

/// Fragments are not fetched here: a template stands for its page.
fn unmade(template: Template<'_>) -> Page {
    Page {
        delivery: template.delivery,
        request: template.request,
        status: template.status,
        headers: template.headers,
        body: template.body.to_vec(),
        missing: Vec::new(),
    }
}

/// Some responses have no body, whatever the script says.
fn bodiless(mut response: Response, request: &Headers) -> Response {
    let is_head = request.only(":method") == Some(b"HEAD");
    if is_head || matches!(response.status, 204 | 304) {
        response.body.clear();
    }
    response
}

/// What Envoy makes of a reply before it shows it to the filters.
fn prepared(reply: &Reply<'_>) -> Headers {
    let mut head = Headers::from_iter([(":status", reply.status.to_string())]);
    let fields = Headers::copy_of_pairs(&reply.pairs).unwrap_or_default();
    for (name, value) in fields.iter() {
        head.push(name, value);
    }
    if reply.body.is_empty() {
        head.remove("content-type");
        return head;
    }
    head.push("content-length", reply.body.len().to_string());
    if !head.contains("content-type") {
        head.push("content-type", "text/plain");
    }
    head
}
