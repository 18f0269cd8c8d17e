//! Responses on their way back through an exchange: the origin's, and our own.

use larder_core::exchange::{
    Answer, Arriving, Event, Exchange, HeadSize, Page, Reply, ResponseBody, Template, Verdict,
};
use larder_core::http::Headers;
use larder_core::tier::Lookup;

use super::Stage;
use super::message::{Details, End, Response, Seen};

impl Stage {
    /// The response on its way through the exchange; the client sees all of it, whatever becomes of the copy.
    pub fn respond(&mut self, exchange: &mut Exchange, response: Response) -> Seen {
        match self.head(exchange, &response) {
            Ok(sent) => self.rest(exchange, response, sent),
            Err(seen) => seen,
        }
    }

    /// The response's head on its way through the exchange, as the client gets it; or what the client gets in its place.
    pub fn head(&mut self, exchange: &mut Exchange, response: &Response) -> Result<Headers, Seen> {
        let mut headers = Headers::from_iter([(":status", response.status.to_string())]);
        for (name, value) in response.fields.iter().chain(&self.route) {
            add(&mut headers, name.as_bytes(), value.as_bytes());
        }
        let follows = if response.chunks.concat().is_empty() {
            ResponseBody::None
        } else {
            ResponseBody::Follows
        };
        let mut sent = headers.clone();
        if exchange.wants_response() {
            let arriving = Arriving {
                headers,
                body: follows,
                attributes: &Details(response.details),
            };
            let step = exchange.on(Event::Response(arriving), self.now);
            self.carry_out(step.effects, &mut sent);
            let (found, mut verdict) = match step.verdict {
                Verdict::Lookup(key) => {
                    let found = self.tier.lookup(&*self.kv, &key, self.now);
                    (Some(found), Verdict::Continue)
                }
                verdict @ (Verdict::Compose(_)
                | Verdict::Continue
                | Verdict::Hold
                | Verdict::Inspect
                | Verdict::Manage(_)
                | Verdict::Consult(_)
                | Verdict::Park(_)
                | Verdict::Reply(_)) => (None, verdict),
            };
            if let Some(found) = &found {
                let answer = match found {
                    Lookup::Found(found) => Answer::Found(found.payload()),
                    Lookup::Absent(_) => Answer::Absent,
                };
                let step = exchange.on(Event::Answer(answer), self.now);
                self.carry_out(step.effects, &mut sent);
                verdict = step.verdict;
            }
            if let Verdict::Compose(template) = verdict {
                let page = self.page_of(*template);
                let step = exchange.on(Event::Composed(Box::new(page)), self.now);
                self.carry_out(step.effects, &mut sent);
                verdict = step.verdict;
            }
            if let Verdict::Reply(reply) = verdict {
                // It passes no filter again, and what follows of the origin's response goes nowhere.
                let head = self.prepared(&reply);
                return Err(Seen::of(reply.status, head, reply.body.to_vec()));
            }
        }
        Ok(sent)
    }

    /// A page of a template: `+` stands for a fragment of it.
    pub fn page_of(&self, template: Template<'_>) -> Page {
        let mut headers = template.headers;
        headers.remove("etag");
        let body = [&template.body, &b"+"[..]].concat();
        headers.push("etag", format!("\"{}\"", String::from_utf8_lossy(&body)));
        Page {
            delivery: template.delivery,
            request: template.request,
            status: template.status,
            headers,
            body,
            missing: self.missing.clone(),
        }
    }

    /// The response's body, behind the head that was `sent` to the client.
    pub fn rest(&mut self, exchange: &mut Exchange, response: Response, mut sent: Headers) -> Seen {
        for chunk in response.chunks.iter().filter(|chunk| !chunk.is_empty()) {
            exchange.passed(chunk.len());
            let step = exchange.on(Event::Chunk(chunk), self.now);
            self.carry_out(step.effects, &mut sent);
        }
        let last = if response.end == End::Complete {
            Event::ResponseEnded
        } else {
            Event::Aborted
        };
        let step = exchange.on(last, self.now);
        self.carry_out(step.effects, &mut sent);
        let status = std::str::from_utf8(sent.only(":status").unwrap()).unwrap();
        Seen::of(status.parse().unwrap(), sent, response.chunks.concat())
    }

    /// Our own reply on its way back through the exchange.
    pub(super) fn returned(&mut self, exchange: &mut Exchange, reply: Reply<'_>) -> Seen {
        let mut head = self.prepared(&reply);
        assert!(exchange.expects_own_reply() && !exchange.wants_response());
        let size = HeadSize {
            lines: head.len(),
            bytes: head
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum(),
        };
        let mut step = exchange.on(Event::Returned(size), self.now);
        if let Verdict::Inspect = step.verdict {
            self.carry_out(step.effects, &mut head);
            step = exchange.on(Event::ReturnedHead(head.clone()), self.now);
        }
        self.carry_out(step.effects, &mut head);
        Seen::of(reply.status, head, reply.body.to_vec())
    }

    /// What Envoy makes of a reply before it shows it to the filters.
    fn prepared(&self, reply: &Reply<'_>) -> Headers {
        let mut head = Headers::from_iter([(":status", reply.status.to_string())]);
        for (name, value) in &self.route {
            add(&mut head, name.as_bytes(), value.as_bytes());
        }
        for (name, value) in Headers::from_pairs(reply.pairs.to_vec()).unwrap().iter() {
            add(&mut head, name, value);
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
}

/// Adds a line; of some fields Envoy keeps one line only, and joins.
pub(super) fn add(head: &mut Headers, name: &[u8], value: &[u8]) {
    const JOINED: [&str; 5] = ["cache-control", "content-type", "date", "etag", "expires"];
    let text = std::str::from_utf8(name).unwrap();
    match head.first(text) {
        Some(first) if JOINED.contains(&text) => {
            let joined = [first, b",", value].concat();
            head.remove(text);
            head.push(name, joined);
        }
        Some(_) | None => head.push(name, value),
    }
}
