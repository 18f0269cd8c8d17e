//! What is stored, one by one.
//!
//! Shared memory has no index, so a list is a walk over all sets, a bounded part of it for each call; where it goes on is the
//! cursor. Entries that have been invalidated are not shown, although they may still stand there.

use larder_core::config::{Action, Unmatched};
use larder_core::entry::{Coding, Payload, StoredResponse};
use larder_core::epoch::{Coverage, Currency, Invalidation, Mode, Stamped, Whereabouts};
use larder_core::exchange::Call;
use larder_core::http::Headers;
use larder_core::policy::Reason;
use larder_core::policy::freshness::current_age;
use larder_core::report::InvalidationKind;
use larder_core::tier::{Scanned, Stored};
use larder_core::time::Timestamp;

use crate::answer::Desk;
use crate::fleet::Named;
use crate::json::{Json, quoted};
use crate::outcome::Outcome;
use crate::play::{Look, Play};
use crate::route::{Key, Parameters};

/// One call looks at so many sets, and at so many bytes.
const MOST_SETS: u32 = 4096;
const MOST_BYTES: u64 = 32 << 20;

const DEFAULT_LIMIT: usize = 100;
const MOST_LIMIT: usize = 1000;

/// Fields of a call that are fields of the response which it brings. The rest is about the call, and nobody else's business.
const OF_THE_RESPONSE: [&str; 20] = [
    "cache-control",
    "cache-groups",
    "cache-tag",
    "cdn-cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-location",
    "content-type",
    "edge-cache-tag",
    "etag",
    "expires",
    "last-modified",
    "link",
    "surrogate-control",
    "surrogate-key",
    "vary",
    "x-cache-tags",
    "x-magento-tags",
    "xkey",
];

/// What stands in front of the names of other fields of the response.
const OTHERS: &[u8] = b"larder-set-";

/// Which keys are looked for.
enum Wanted<'a> {
    /// Those that begin with this.
    Prefix(&'a str),
    /// One of these.
    Names(&'a [Vec<u8>]),
}

/// What a walk has found.
struct Walk {
    entries: Vec<String>,
    next: Option<u32>,
}

impl Wanted<'_> {
    fn takes(&self, key: &larder_core::key::Key) -> bool {
        let name = key.name();
        match self {
            Self::Prefix(prefix) if prefix.starts_with('/') => name
                .from_path()
                .is_some_and(|path| path.starts_with(prefix)),
            Self::Prefix(prefix) => name.as_str().starts_with(prefix),
            Self::Names(names) => names.iter().any(|wanted| match wanted.first() {
                Some(b'/') => name
                    .from_path()
                    .is_some_and(|path| path.as_bytes() == wanted),
                Some(_) | None => name.as_str().as_bytes() == wanted,
            }),
        }
    }
}

/// `GET entries`.
pub(crate) fn list(parameters: &Parameters, desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let number = |name: &str, default: usize| match parameters.get(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| [name, ": must be a number"].concat()),
    };
    let limit = number("limit", DEFAULT_LIMIT);
    let cursor = number("cursor", 0);
    let (limit, cursor) = match (limit, cursor) {
        (Ok(limit), Ok(cursor)) => (limit, u32::try_from(cursor).unwrap_or(u32::MAX)),
        (Err(problem), _) | (_, Err(problem)) => return Outcome::bad_request(&problem),
    };
    if !(1..=MOST_LIMIT).contains(&limit) {
        return Outcome::bad_request("limit: must be from 1 to 1000");
    }
    let prefix = parameters.get("prefix").unwrap_or_default();
    let walk = walk(&Wanted::Prefix(&prefix), (cursor, limit), desk, now);
    Outcome::ok(shown(walk))
}

/// `GET entries/{key}`.
pub(crate) fn show(key: &Key, call: &Call, desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let names = key.readings();
    let cursor = call.head.headers().first("larder-cursor");
    let cursor = cursor.map(|text| std::str::from_utf8(text).ok()?.parse::<u32>().ok());
    let Some(cursor) = cursor.unwrap_or(Some(0)) else {
        return Outcome::bad_request("larder-cursor: must be a number");
    };
    let mut walk = walk(&Wanted::Names(&names), (cursor, MOST_LIMIT), desk, now);
    if let (true, Some(_), 0) = (walk.entries.is_empty(), walk.next, cursor) {
        walk.entries = directly(key, call, desk, now);
    }
    match (walk.entries.as_slice(), walk.next) {
        ([], None) => Outcome::absent("nothing is stored under this key"),
        _ => Outcome::ok(shown(walk)),
    }
}

/// What a plain GET of the key finds, for when the walk is long.
fn directly(key: &Key, call: &Call, desk: &Desk<'_>, now: Timestamp) -> Vec<String> {
    let Some(request) = request_of(key, call) else {
        return Vec::new();
    };
    let play = Play::ask(desk, request, Look::IntoTheTiers, now);
    let found = play.lookups.iter().filter_map(|(key, found)| {
        let found = found.as_ref().ok()?;
        let response = Payload::outline(found.payload())?;
        let scanned = Scanned {
            key,
            payload: found.payload(),
            started: found.started,
            expires: found.expires,
            charged: u32::try_from(found.payload().len()).unwrap_or(u32::MAX),
        };
        Some(entry(&scanned, &response, desk, now))
    });
    found.collect()
}

fn shown(walk: Walk) -> Json {
    let json = Json::object().list("entries", walk.entries);
    match walk.next {
        Some(next) => json.text("cursor", &next.to_string()),
        None => json.raw("cursor", "null"),
    }
}

fn walk(wanted: &Wanted<'_>, (from, limit): (u32, usize), desk: &Desk<'_>, now: Timestamp) -> Walk {
    let mut entries = Vec::new();
    let (Ok(mut tier), Ok(mut epochs)) = (desk.tier.try_borrow_mut(), desk.epochs.try_borrow_mut())
    else {
        return Walk {
            entries,
            next: None,
        }; // no borrow outlives a call
    };
    epochs.now(desk.kv, desk.hint);
    let (mut set, mut bytes) = (from, 0_u64);
    let end = from.saturating_add(MOST_SETS);
    loop {
        let sets = tier.geometry().map(|geometry| geometry.sets());
        if sets.is_some_and(|sets| set >= sets) {
            return Walk {
                entries,
                next: None,
            };
        }
        let is_over = entries.len() >= limit || bytes >= MOST_BYTES || set >= end;
        if is_over {
            return Walk {
                entries,
                next: Some(set),
            };
        }
        let scanned = tier.scan(desk.kv, set, now, &mut |scanned: Scanned<'_>| {
            bytes = bytes.saturating_add(scanned.charged.into());
            let Some(response) = Payload::outline(scanned.payload) else {
                return;
            };
            let stored = Stamped {
                epoch: response.meta.epoch,
                stamps: response.stamps,
                key: scanned.key,
                whereabouts: Whereabouts::Shared,
            };
            if wanted.takes(scanned.key) && epochs.judge(desk.kv, stored) != Currency::Gone {
                entries.push(entry(&scanned, &response, desk, now));
            }
        });
        if scanned.is_err() {
            return Walk {
                entries,
                next: None,
            };
        }
        set = set.saturating_add(1);
    }
}

/// One entry, as the lists show it.
fn entry(
    scanned: &Scanned<'_>,
    response: &StoredResponse<'_>,
    desk: &Desk<'_>,
    now: Timestamp,
) -> String {
    let meta = &response.meta;
    let age = current_age(meta, now);
    let ttl = meta.lifetime.seconds.saturating_sub(age);
    let coding = match response.coding {
        Coding::AsReceived | Coding::Compressible => "as-received",
        Coding::Gzip { .. } => "gzip",
    };
    let apart = scanned.key.distinctions();
    let identity = scanned.key.identity().unwrap_or_default();
    let is_somebodys = |tag: &[u8]| {
        let mut parts = tag.windows(identity.len().max(1));
        !identity.is_empty() && parts.any(|part| part.eq_ignore_ascii_case(identity))
    };
    let shown = |tag: &[u8]| match is_somebodys(tag) {
        true => quoted("*"),
        false => quoted(&String::from_utf8_lossy(tag)),
    };
    let tags = response.tags.names().map(shown);
    let json = Json::object()
        .text("key", scanned.key.name().as_str())
        .text("scheme", scanned.key.scheme())
        .number("status", response.status.into())
        .number(
            "body_bytes",
            response.coding.length(response.body.len()) as u64,
        )
        .number("stored_bytes", scanned.charged.into())
        .number("age_seconds", age.get().into())
        .number("ttl_seconds", ttl.get().into())
        .text("coding", coding)
        .list("tags", tags)
        .list("told_apart_by", apart.iter().map(|kind| quoted(kind)));
    match rule(desk, meta.rule) {
        Some(name) => json.text("rule", name),
        None => json.raw("rule", "null"),
    }
    .end()
}

/// The name of the rule that something was stored by; `None` where it is no rule of this configuration.
pub(crate) fn rule<'a>(desk: &'a Desk<'_>, hash: larder_core::config::RuleHash) -> Option<&'a str> {
    let config = desk.config();
    let named = config.rules.iter().find(|rule| match &rule.action {
        Action::Cache(policy) => policy.hash == hash,
        Action::Bypass | Action::Invalidate(_) | Action::Refuse => false,
    });
    match (named, &config.unmatched) {
        (Some(rule), _) => Some(&rule.name),
        (None, Unmatched::Rfc9111(policy)) if policy.hash == hash => Some("unmatched"),
        (None, Unmatched::Rfc9111(_) | Unmatched::Bypass) => None,
    }
}

/// `PUT entries/{key}`: the call's body is stored as if the origin had answered with it, with the call's own fields, to a plain
/// GET of that URL. So the rules hold, and what could not be stored is refused.
pub(crate) fn put(key: &Key, call: &Call, desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let Some(request) = request_of(key, call) else {
        return Outcome::bad_request(
            "only `GET:host/path?query`, or a path of the host that was called, can be put",
        );
    };
    // To know the names, and whether it can be stored at all.
    let tried = played(request.clone(), call, desk, (Look::Away, now));
    let mut names: Vec<_> = tried.stores().map(|entry| entry.key.name()).collect();
    names.dedup();
    // Other workers may have an answer in their own memory, and others may stand in front: they are over.
    for name in &names {
        let coverage = Coverage::of_name(name.as_str());
        let mode = Mode::Hard;
        let invalidation = Invalidation { coverage, mode };
        let named = || Named::new(InvalidationKind::Key, name.as_str());
        if desk.invalidate(&invalidation, named).is_err() {
            return Outcome::unnoted();
        }
    }
    let play = match names.is_empty() {
        true => tried,
        // It looks, so that what stood in front of the URL's own place is told that it is superseded.
        false => played(request, call, desk, (Look::IntoTheTiers, now)),
    };
    let mut stored = None;
    for candidate in play.stores() {
        stored = Some((desk.store)(candidate));
    }
    let reason = play.reason().map_or("it is not looked up", Reason::code);
    match stored {
        Some(Stored::Published) => Outcome::ok(
            Json::object()
                .text("status", "stored")
                .list("keys", names.iter().map(|name| quoted(name.as_str()))),
        ),
        Some(Stored::Skipped(why)) => Outcome::unprocessable(why.reason().code()),
        None => Outcome::unprocessable(reason),
    }
}

fn played(request: Headers, call: &Call, desk: &Desk<'_>, (look, now): (Look, Timestamp)) -> Play {
    let mut play = Play::ask(desk, request, look, now);
    let mut response = Headers::from_iter([(":status", "200")]);
    for (name, value) in call.head.headers().iter() {
        let is_known = |known: &&str| name.eq_ignore_ascii_case(known.as_bytes());
        if OF_THE_RESPONSE.iter().any(is_known) {
            response.push(name, value);
        } else if let Some(other) = name.strip_prefix(OTHERS).filter(|other| !other.is_empty()) {
            response.push(other, value);
        }
    }
    play.respond(response, &call.content);
    play
}

/// The head of a plain GET of what a readable key names.
fn request_of(key: &Key, call: &Call) -> Option<Headers> {
    let called = String::from_utf8_lossy(call.head.authority()).into_owned();
    key.readings().iter().rev().find_map(|name| {
        let name = std::str::from_utf8(name).ok()?;
        let (host, target) = match name.strip_prefix("GET:") {
            Some(rest) => rest.split_at_checked(rest.find('/')?)?,
            None if name.starts_with('/') => (called.as_str(), name),
            None => return None,
        };
        let scheme = String::from_utf8_lossy(call.head.scheme()).into_owned();
        Some(Headers::from_iter([
            (":method", "GET"),
            (":scheme", &scheme),
            (":authority", host),
            (":path", target),
        ]))
    })
}
