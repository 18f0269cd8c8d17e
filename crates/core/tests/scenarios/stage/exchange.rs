//! Requests on their way through an exchange.

use larder_core::exchange::{Answer, Event, Exchange, Refresh, Step, Verdict};
use larder_core::http::Headers;
use larder_core::tier::{AbsentReason, Lookup};

use super::Stage;
use super::message::{Request, Response, Seen};

impl Stage {
    /// One whole exchange; the origin answers with `response` if it is asked.
    pub fn exchange(&mut self, request: Request, response: Response) -> Seen {
        let mut exchange = self.new_exchange();
        match self.ask(&mut exchange, &request) {
            Some(seen) => seen,
            None => self.respond(&mut exchange, response),
        }
    }

    /// An exchange as far as the origin, which must be asked; [`Stage::finish`] gives its answer.
    pub fn begin(&mut self, request: Request) -> Exchange {
        let mut exchange = self.new_exchange();
        assert_eq!(self.ask(&mut exchange, &request), None);
        exchange
    }

    /// The rest of an exchange.
    pub fn finish(&mut self, mut exchange: Exchange, response: Response) -> Seen {
        self.respond(&mut exchange, response)
    }

    /// The request on its way through the exchange: what answers it there, or [`Stage::asked`] goes to the origin.
    pub fn ask(&mut self, exchange: &mut Exchange, request: &Request) -> Option<Seen> {
        let mut sent = Headers::from_iter(request.fields.clone());
        let mut seen = self.drive(exchange, request.event(&sent), &mut sent);
        if exchange.held_request().is_some() {
            self.most_held = self.most_held.max(self.budget.held());
            let body = request.body.as_deref().unwrap_or_default();
            seen = self.drive(exchange, Event::RequestBody(body), &mut sent);
        }
        if seen.is_none() && self.parked.is_none() && self.consulting.is_none() {
            self.origin_requests += 1;
            self.asked = sent;
        }
        seen
    }

    /// The origin answers the oldest request of the filter's own, whose head this was.
    pub fn refresh(&mut self, response: Response) -> Headers {
        let Refresh {
            request,
            mut exchange,
            ..
        } = self.refreshes.pop_front().unwrap();
        self.respond(&mut exchange, response);
        request
    }

    /// The request's head alone; whether it is held for its body.
    pub fn begin_to_ask(&mut self, exchange: &mut Exchange, request: &Request) -> bool {
        let mut sent = Headers::from_iter(request.fields.clone());
        let seen = self.drive(exchange, request.event(&sent), &mut sent);
        seen.is_none() && exchange.held_request().is_some()
    }

    /// Steps until the exchange is answered or goes to the origin.
    pub fn drive(
        &mut self,
        exchange: &mut Exchange,
        event: Event<'_>,
        request: &mut Headers,
    ) -> Option<Seen> {
        let step = exchange.on(event, self.now);
        self.settle(exchange, step, request)
    }

    fn settle(
        &mut self,
        exchange: &mut Exchange,
        step: Step<'_>,
        request: &mut Headers,
    ) -> Option<Seen> {
        self.carry_out(step.effects, request);
        match step.verdict {
            Verdict::Continue | Verdict::Hold | Verdict::Inspect => None,
            Verdict::Compose(template) => {
                let page = self.page_of(*template);
                self.drive(exchange, Event::Composed(Box::new(page)), request)
            }
            Verdict::Manage(_) => panic!("nobody receives calls here"),
            Verdict::Consult(asked) => match self.consult(asked) {
                Ok(said) => self.drive(exchange, Event::Consulted(said), request),
                Err(asked) => {
                    self.consulting = Some(asked);
                    None
                }
            },
            Verdict::Park(parking) => {
                assert!(self.flights.is_some(), "nobody waits here");
                self.parked = Some(parking);
                None
            }
            Verdict::Lookup(key)
                if self
                    .lent
                    .as_ref()
                    .is_some_and(|(lent, _)| *lent == key.digest()) =>
            {
                let (_, payload) = self.lent.take().unwrap();
                let step = exchange.on(Event::Answer(Answer::Found(&payload)), self.now);
                self.settle(exchange, step, request)
            }
            Verdict::Lookup(key) => match self.tier.lookup(&*self.kv, &key, self.now) {
                Lookup::Found(found) => {
                    let step = exchange.on(Event::Answer(Answer::Found(found.payload())), self.now);
                    self.settle(exchange, step, request)
                }
                Lookup::Absent(AbsentReason::Expired) => {
                    self.drive(exchange, Event::Answer(Answer::Expired), request)
                }
                Lookup::Absent(_) => self.drive(exchange, Event::Answer(Answer::Absent), request),
            },
            Verdict::Reply(reply) => Some(self.returned(exchange, reply)),
        }
    }
}
