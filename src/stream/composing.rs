//! A stream whose client gets a page.
//!
//! Where everything is in the cache, the page is made within the callback. Else the stream is paused: its request, or its response's
//! head, or, where that has left, its response's body. The body of a template is taken out of the proxy's buffer as it comes, so
//! that the proxy's limit of a buffer does not bound it; what bounds a page that takes its place is that limit, whose default
//! is [`MOST_BEHIND`]: beyond it, the proxy resets the stream while it takes the page.

use std::rc::Rc;

use larder_compose::{Failure, Number, Page};
use larder_core::config::Heads;
use larder_core::exchange::{self, Delivery, Event, Exchange, Template};
use larder_core::http::Headers;
use larder_core::policy::Reason;
use larder_core::report::Counter;
use larder_core::time::Timestamp;

use super::{Action, Part, Stream};
use crate::compose::{Fetched, Road, spoken};
use crate::exports;
use crate::host::{self, HeaderMap, HostError};
use crate::refresh;

/// So many bytes has a page at most whose head has left: as much as the proxy buffers where nobody says otherwise
/// (`per_connection_buffer_limit_bytes`).
const MOST_BEHIND: usize = 1 << 20;

/// So long may it take until something comes behind a head that is held; then that is held no longer.
const PATIENCE: u64 = 5_000_000_000;

/// A page in the making.
pub(super) struct Making {
    page: Page,
    delivery: Delivery,
    request: Rc<Headers>,
    phase: Phase,
    road: Option<Road>,
}

/// What waits for it.
enum Phase {
    /// The response's body, which comes: so many bytes of it so far.
    Gathering(usize),
    /// The response, all of which has come.
    Gathered,
    /// The request, or the response's head.
    Held,
}

fn millis_later(now: Timestamp, millis: u32) -> Timestamp {
    let nanos = u64::from(millis).saturating_mul(1_000_000);
    Timestamp::from_nanos(now.as_nanos().saturating_add(nanos))
}

fn reason(failure: Failure) -> Reason {
    match failure {
        Failure::Address => Reason::FragmentAddress,
        Failure::Bound => Reason::FragmentBound,
        Failure::Overdue => Reason::FragmentOverdue,
        Failure::Status => Reason::FragmentStatus,
        Failure::Unreachable => Reason::FragmentUnreachable,
        Failure::Unreadable => Reason::FragmentUnreadable,
    }
}

impl Stream {
    /// What is here is a template.
    #[inline(never)]
    pub(super) fn compose(
        &mut self,
        template: Template<'_>,
        now: Timestamp,
    ) -> Result<Action, HostError> {
        let bounds = self.exchange.surroundings().config().composition;
        if template.body.len() > bounds.max_bytes {
            self.worker.count(Counter::TemplateRaw(Reason::TooLarge));
            let page = exchange::Page {
                delivery: template.delivery,
                request: template.request,
                status: template.status,
                headers: template.headers,
                body: template.body.to_vec(),
                missing: Vec::new(),
            };
            let step = self.exchange.on(Event::Composed(Box::new(page)), now);
            return self.obey(step, now);
        }
        let request = template.request;
        let head = (template.status, template.headers);
        let language = spoken(template.language);
        let mut page = Page::new(head, language, Rc::clone(&request), bounds);
        page.push(&template.body);
        page.end();
        let (delivery, phase, road) = (template.delivery, Phase::Held, None);
        let mut making = Box::new(Making {
            page,
            delivery,
            request,
            phase,
            road,
        });
        self.ask_for_fragments(&mut making, now);
        if making.page.is_complete() {
            return self.finish(making, now);
        }
        self.worker
            .composing
            .wait(self.id, millis_later(now, bounds.timeout_ms));
        self.live.hurry();
        self.making = Some(making);
        Ok(Action::Pause)
    }

    /// What comes is a template.
    #[inline(never)]
    pub(super) fn gather(&mut self, template: Template<'static>, now: Timestamp) {
        let mut bounds = self.exchange.surroundings().config().composition;
        if template.delivery.heads() == Heads::Sent {
            bounds.max_bytes = bounds.max_bytes.min(MOST_BEHIND);
        } else {
            let until = now.as_nanos().saturating_add(PATIENCE);
            self.worker
                .composing
                .wait(self.id, Timestamp::from_nanos(until));
            self.live.hurry();
        }
        let request = template.request;
        let head = (template.status, template.headers);
        let language = spoken(template.language);
        self.making = Some(Box::new(Making {
            page: Page::new(head, language, Rc::clone(&request), bounds),
            delivery: template.delivery,
            request,
            phase: Phase::Gathering(0),
            road: None,
        }));
    }

    /// Whether the response's head waits for the page.
    pub(super) fn holds_head(&self) -> bool {
        self.making.as_ref().is_some_and(|making| {
            matches!(making.phase, Phase::Gathering(_)) && making.delivery.heads() == Heads::Held
        })
    }

    /// Whether a page is made.
    pub(super) fn is_composing(&self) -> bool {
        self.making.is_some()
    }

    /// Whether a page is made of what is here already. What makes one of what comes may still be asked for.
    pub(super) fn holds_request(&self) -> bool {
        self.making
            .as_ref()
            .is_some_and(|making| matches!(making.phase, Phase::Held))
    }

    /// Somebody else has answered, or nobody wants the page any more.
    pub(super) fn compose_no_more(&mut self) {
        if self.making.take().is_some() {
            self.worker.composing.leave(&self.worker, self.id);
        }
    }

    /// So many bytes of a template's body are here, or of a body that a page takes the place of.
    #[inline(never)]
    pub(super) fn template_body(&mut self, size: usize, part: Part) -> Result<Action, HostError> {
        let Some(mut making) = self.making.take() else {
            return Ok(Action::Continue);
        };
        let now = host::now()?;
        let chunk = match size {
            0 => Vec::new(),
            size => host::response_chunk(size)?,
        };
        host::set_response_body(size, &[])?;
        let Phase::Gathering(length) = &mut making.phase else {
            self.making = Some(making);
            return Ok(Action::Pause); // what it would have been
        };
        if *length == 0 {
            self.worker.composing.leave(&self.worker, self.id); // it is let come
        }
        if let Some(wanted) = self.exchange.wanted_body()
            && size > 0
        {
            let wanted = chunk.get(..wanted).unwrap_or(&chunk);
            let step = self.exchange.on(Event::Chunk(wanted), now);
            self.carry_out_all(step.effects, now);
        }
        let bounds = self.exchange.surroundings().config().composition;
        *length = length.saturating_add(chunk.len());
        if *length > bounds.max_bytes {
            let mut raw = making.page.into_template();
            raw.extend_from_slice(&chunk);
            return self.let_pass(&raw, part, now);
        }
        making.page.push(&chunk);
        if part == Part::Another {
            self.ask_for_fragments(&mut making, now);
            self.making = Some(making);
            return Ok(Action::Pause);
        }
        self.template_ended(making, now)
    }

    fn template_ended(
        &mut self,
        mut making: Box<Making>,
        now: Timestamp,
    ) -> Result<Action, HostError> {
        making.phase = Phase::Gathered;
        making.page.end();
        if self.exchange.wanted_body().is_some() {
            self.ended(now)?;
        }
        self.ask_for_fragments(&mut making, now);
        if making.page.is_complete() {
            return self.finish(making, now);
        }
        let timeout = self.exchange.surroundings().config().composition.timeout_ms;
        self.worker
            .composing
            .wait(self.id, millis_later(now, timeout));
        self.live.hurry();
        self.making = Some(making);
        Ok(Action::Pause)
    }

    /// The template is too large to make a page of: it goes on as it came.
    fn let_pass(&mut self, raw: &[u8], part: Part, now: Timestamp) -> Result<Action, HostError> {
        self.worker.composing.leave(&self.worker, self.id);
        self.worker.count(Counter::TemplateRaw(Reason::TooLarge));
        host::set_response_body(0, raw)?;
        self.exchange.passed(raw.len());
        if part == Part::Last && self.exchange.wanted_body().is_some() {
            self.ended(now)?;
        }
        Ok(Action::Continue)
    }

    /// Nothing comes behind a template's body.
    pub(super) fn template_trailers(&mut self) -> Result<Action, HostError> {
        match self.making.take() {
            Some(making) if matches!(making.phase, Phase::Gathering(_)) => {
                let now = host::now()?;
                self.template_ended(making, now)
            }
            making => {
                self.making = making;
                Ok(Action::Pause)
            }
        }
    }

    fn ask_for_fragments(&mut self, making: &mut Making, now: Timestamp) {
        let mut moment = None;
        while let Some(wanted) = making.page.next_wanted() {
            // All that is looked up in one callback is looked up at one moment.
            let hint = *moment.get_or_insert_with(|| self.worker.glance());
            self.worker.hold_glance(hint);
            let around = self.exchange.surroundings();
            let road = making
                .road
                .get_or_insert_with(|| refresh::road(around.config()))
                .clone();
            let exchange = Exchange::new(Rc::clone(around));
            let fragment = (wanted.request, exchange, road);
            let of = (self.id, wanted.number);
            let found = self.worker.composing.begin(&self.worker, of, fragment, now);
            match found {
                Some(found) => tell(&mut making.page, wanted.number, found),
                None => self.live.hurry(),
            }
        }
        self.worker.forget_glance();
    }

    fn finish(&mut self, making: Box<Making>, now: Timestamp) -> Result<Action, HostError> {
        self.worker.composing.leave(&self.worker, self.id);
        let Making {
            page,
            delivery,
            request,
            ..
        } = *making;
        let mut made = page.finish();
        let behind = match delivery.heads() {
            Heads::Held => None,
            Heads::Sent => Some(std::mem::take(&mut made.body)),
        };
        let page = exchange::Page {
            delivery,
            request,
            status: made.status,
            headers: made.headers,
            body: made.body,
            missing: made.missing.into_iter().map(reason).collect(),
        };
        let step = self.exchange.on(Event::Composed(Box::new(page)), now);
        let action = self.obey(step, now)?;
        if let Some(body) = behind {
            host::set_response_body(usize::MAX, &body)?;
            self.exchange.passed(body.len());
        }
        Ok(action)
    }

    /// A fragment has come, in a callback that is not this stream's.
    pub(crate) fn on_fragment(&mut self, number: Number, found: Result<Fetched, Failure>) {
        self.go_on_composing(|stream, making, now| {
            tell(&mut making.page, number, found);
            stream.ask_for_fragments(making, now);
            match making.phase {
                Phase::Gathered | Phase::Held => making.page.is_complete(),
                Phase::Gathering(_) => false,
            }
        });
    }

    /// It has waited for as long as it may, in a callback that is not this stream's.
    pub(crate) fn on_page_overdue(&mut self) {
        if self.holds_head() {
            self.let_head_go();
            return;
        }
        self.go_on_composing(|_, _, _| true);
    }

    /// Nothing has come behind a head that waits: the origin takes its time, or the listener lets no body come before the head has
    /// left. The page comes behind it.
    fn let_head_go(&mut self) {
        if let Some(making) = &mut self.making {
            making.delivery = making.delivery.without_head(); // whatever else fails, it is gone
        }
        if host::speak_for(self.id).is_ok()
            && let Ok(now) = host::now()
            && let Ok(head) = self.headers(HeaderMap::Response)
        {
            self.carry_out_all(exchange::head_of_sent(&head, None), now);
        }
        self.worker.tolerate(host::resume_response(self.id));
    }

    fn go_on_composing(&mut self, go_on: impl FnOnce(&mut Self, &mut Making, Timestamp) -> bool) {
        let Some(mut making) = self.making.take() else {
            return;
        };
        // A stream that the host does not know any more needs no page.
        let Ok(now) = host::speak_for(self.id).and_then(|()| host::now()) else {
            return;
        };
        self.began = now; // an answer from the cache is as old as this
        self.worker.forget_glance();
        if !go_on(self, &mut making, now) {
            self.making = Some(making);
            return;
        }
        let is_response = matches!(making.phase, Phase::Gathered);
        let outcome = self.finish(making, now);
        let action = self.survive(outcome);
        // The proxy may have ended the stream while it took the page.
        if action == Action::Continue && !exports::has_ended(self.id) {
            let resumed = match is_response {
                true => host::resume_response(self.id),
                false => host::resume_request(self.id),
            };
            self.worker.tolerate(resumed);
        }
    }
}

fn tell(page: &mut Page, number: Number, found: Result<Fetched, Failure>) {
    match found {
        Ok((part, language)) => page.arrived(number, part, language),
        Err(failure) => page.failed(number, failure),
    }
}
