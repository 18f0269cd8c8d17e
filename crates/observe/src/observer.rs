//! A worker's observations under one configuration.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use larder_core::config::{Config, PolicyId};
use larder_core::entry::{Lifetime, TagNames};
use larder_core::exchange::{Sight, Sighting, Ticket, Witness};
use larder_core::http::{Headers, Method, RequestHead, Target, list};
use larder_core::policy::Reason;
use larder_core::report::Forward;
use larder_core::time::Timestamp;

use crate::distinct::Distinct;
use crate::hash;
use crate::resources::{Compared, Resources};
use crate::seen::{NameKind, Seen};
use crate::table::Table;
use crate::template::Shapes;

/// After so long half of what was seen is forgotten.
const FADES_AFTER: u64 = 30 * 60;

/// Of a longer body so many bytes at each end tell it from others.
const READ: usize = 16 << 10;

/// In a ticket: the response was fetched since the stored one was invalidated.
const KILLED: u64 = 1;

/// What one worker has seen under one configuration.
pub struct Observer {
    configuration: u64,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    shapes: Shapes,
    table: Table,
    resources: Resources,
    tags: Distinct,
    /// Seconds since 1970.
    faded: u64,
}

impl Observer {
    /// Nothing yet.
    pub fn of(config: &Config) -> Rc<Self> {
        let mut facts = Vec::new();
        for (id, name) in config.labels() {
            facts.extend_from_slice(name.as_bytes());
            facts.push(0);
            let policy = config.policy(id).map_or(0, |policy| policy.hash.0);
            facts.extend_from_slice(&policy.to_le_bytes());
        }
        Rc::new(Self {
            configuration: hash(&facts),
            state: RefCell::default(),
        })
    }

    /// Tells configurations apart whose rules are others.
    pub fn configuration(&self) -> u64 {
        self.configuration
    }

    /// What was seen, and the tags of what was stored.
    pub fn seen(&self) -> (Vec<Seen>, Distinct) {
        match self.state.try_borrow() {
            Ok(state) => (state.table.iter().cloned().collect(), state.tags),
            Err(_) => Default::default(),
        }
    }
}

impl Witness for Observer {
    fn see(&self, sighting: &Sighting<'_>, now: Timestamp) -> Option<Ticket> {
        let is_question = matches!(sighting.head.method(), Method::Get | Method::Head);
        if !is_question || !is_worth_it(&sighting.sight) {
            return None;
        }
        let mut state = self.state.try_borrow_mut().ok()?;
        state.see(sighting, now.as_secs())
    }

    fn read(&self, ticket: Ticket, body: &[u8], now: Timestamp) {
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return;
        };
        let ends = [
            body.get(..READ),
            body.get(body.len().saturating_sub(READ)..),
        ];
        let content = match ends {
            [Some(front), Some(back)] => hash(front) ^ hash(back).rotate_left(1),
            [..] => hash(body),
        };
        let content = content.wrapping_add(body.len() as u64);
        state.compare(ticket, content, now.as_secs());
    }
}

/// Whether it says something about the resource: what the proxy answered, or was too busy for, does not. What would have been
/// a hit but for a rule's `shadow` is a hit.
fn is_worth_it(sight: &Sight<'_>) -> bool {
    match sight {
        Sight::Confirmed(Forward::Shadow, _)
        | Sight::NotStored {
            forward: Forward::Shadow,
            ..
        }
        | Sight::Stored {
            forward: Forward::Shadow,
            ..
        } => false,
        Sight::Confirmed(..) | Sight::Stored { .. } => true,
        Sight::Bypassed(why) | Sight::NotStored { why, .. } => !matches!(
            why,
            Reason::Busy | Reason::Internal | Reason::LocalReply | Reason::Range | Reason::Upgrade
        ),
    }
}

impl State {
    fn see(&mut self, sighting: &Sighting<'_>, now: u64) -> Option<Ticket> {
        self.fade(now);
        let target = Target::parse(sighting.head.target()).ok()?;
        let template = self.shapes.template(target.path())?;
        let resource = resource(sighting.head);
        let (hash, seen) = self.table.sight(template, sighting.rule)?;
        seen.keys.add(resource);
        count_parameters(seen, &target);
        match &sighting.sight {
            Sight::Bypassed(why) => {
                seen.note(*why, 1);
                None
            }
            Sight::Confirmed(forward, lifetime) => {
                seen.confirmed = seen.confirmed.saturating_add(1);
                count_forward(seen, *forward);
                take_lifetime(seen, *lifetime);
                let ticket = ticket(resource, hash, *forward);
                let compared = self.resources.confirm(resource, now);
                self.note(ticket, compared);
                None
            }
            Sight::NotStored {
                forward,
                response,
                status,
                why,
            } => {
                // An error is none that anybody would want to have cached.
                let why = if *status < 400 { *why } else { Reason::Status };
                seen.note(why, 1);
                count_forward(seen, *forward);
                count_varying(seen, sighting.head, response);
                let ticket = ticket(resource, hash, *forward);
                self.compare_validator(ticket, response, now);
                None
            }
            Sight::Stored {
                forward,
                lifetime,
                response,
                tags,
            } => {
                seen.stored = seen.stored.saturating_add(1);
                count_forward(seen, *forward);
                take_lifetime(seen, *lifetime);
                count_varying(seen, sighting.head, response);
                self.count_tags(*tags);
                let ticket = ticket(resource, hash, *forward);
                let is_told = self.compare_validator(ticket, response, now);
                is_told.is_none().then_some(ticket)
            }
        }
    }

    /// The origin's word for the content, where it has one.
    fn compare_validator(&mut self, ticket: Ticket, response: &Headers, now: u64) -> Option<()> {
        let validator = response.first("etag")?;
        self.compare(ticket, hash(validator), now);
        Some(())
    }

    fn compare(&mut self, ticket: Ticket, content: u64, now: u64) {
        let Ticket([resource, place]) = ticket;
        if let Some(seen) = self.table.get(place) {
            seen.contents.add(content);
        }
        // The lowest bit of the resource is the ticket's own.
        let compared = self.resources.compare(resource & !KILLED, content, now);
        self.note(ticket, compared);
    }

    fn note(&mut self, Ticket([resource, place]): Ticket, compared: Compared) {
        let Some(seen) = self.table.get(place) else {
            return;
        };
        let was_killed = resource & KILLED == KILLED;
        match (compared, was_killed) {
            (Compared::Unknown, _) => {}
            (Compared::Alike(_), true) => {
                seen.killed_alike = seen.killed_alike.saturating_add(1);
            }
            (Compared::Changed(_), true) => {}
            (Compared::Alike(seconds), false) => watch(seen, seconds, 0),
            (Compared::Changed(seconds), false) => watch(seen, seconds, 1),
        }
    }

    fn count_tags(&mut self, tags: TagNames<'_>) {
        tags.names().for_each(|tag| self.tags.add(hash(tag)));
    }

    fn fade(&mut self, now: u64) {
        if now.abs_diff(self.faded) < FADES_AFTER {
            return;
        }
        if self.faded > 0 {
            self.table.fade();
        }
        self.faded = now;
    }
}

fn watch(seen: &mut Seen, seconds: u64, changes: u32) {
    seen.pairs = seen.pairs.saturating_add(1);
    seen.changes = seen.changes.saturating_add(changes);
    seen.watched_seconds = seen.watched_seconds.saturating_add(seconds);
}

/// A URL; without the bit that a ticket needs.
fn resource(head: &RequestHead) -> u64 {
    (hash(head.authority()).rotate_left(9) ^ hash(head.target())) & !KILLED
}

fn ticket(resource: u64, place: u64, forward: Forward) -> Ticket {
    match forward {
        Forward::Stale(Reason::Invalidated | Reason::SoftPurged) => {
            Ticket([resource | KILLED, place])
        }
        Forward::Partial
        | Forward::Request
        | Forward::Shadow
        | Forward::Stale(_)
        | Forward::UriMiss
        | Forward::VaryMiss => Ticket([resource, place]),
    }
}

fn count_forward(seen: &mut Seen, forward: Forward) {
    match forward {
        Forward::Stale(Reason::Invalidated | Reason::SoftPurged) => {
            seen.killed = seen.killed.saturating_add(1);
        }
        Forward::Stale(Reason::Expired) => seen.expired = seen.expired.saturating_add(1),
        Forward::Partial
        | Forward::Request
        | Forward::Shadow
        | Forward::Stale(_)
        | Forward::UriMiss
        | Forward::VaryMiss => {}
    }
}

fn take_lifetime(seen: &mut Seen, lifetime: Lifetime) {
    (seen.lifetime_seconds, seen.source) = (lifetime.seconds.get(), lifetime.source);
}

/// The parameters of the query, by name.
fn count_parameters(seen: &mut Seen, target: &Target) {
    for parameter in target.query().unwrap_or_default().split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !name.is_empty()
            && name.bytes().all(is_plain)
            && let Some(values) = seen.name(NameKind::Parameter, name)
        {
            values.add(hash(value.as_bytes()));
        }
    }
}

/// The fields that the response varies on, by name.
fn count_varying(seen: &mut Seen, head: &RequestHead, response: &Headers) {
    for member in list::elements(response.all("vary")) {
        let Ok(name) = std::str::from_utf8(member.bytes()) else {
            continue;
        };
        let name = name.to_ascii_lowercase();
        // What these are compared by is their meaning.
        if matches!(name.as_str(), "*" | "accept-encoding") {
            continue;
        }
        let value = head.headers().first(&name).unwrap_or_default();
        if let Some(values) = seen.name(NameKind::Vary, &name) {
            values.add(hash(value));
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Observer")
    }
}

/// The rule of this place, where it is one of the configuration's.
pub(crate) fn rule(config: &Config, place: u16) -> Option<(PolicyId, &str)> {
    config.labels().nth(place.into())
}
