//! Templates on their way from the origin: how they are asked for, and what becomes of their heads.

use std::rc::Rc;

use super::compose::{Delivery, Template};
use super::event::ResponseBody;
use super::step::Body;
use super::{Effect, Field, Passage, Surroundings};
use crate::config::{CachePolicy, Esi, Heads, Switch};
use crate::http::{Headers, ResponseDirectives, remove_tags};
use crate::policy::Reason;
use crate::policy::freshening::CONDITIONS;
use crate::policy::template::{self, ABOUT_THE_TEMPLATE, Kind, Language, SURROGATE_CONTROL};
use crate::report::{Counter, Line};
use crate::transform::forbids_transforming;

/// What a request is forwarded without and with, where a template may come in answer: one that is whole, and not coded, from an
/// origin that knows that it may send one.
pub(super) fn edits(policy: &CachePolicy, request: &Headers) -> Vec<Effect> {
    let mut edits = Vec::new();
    if template::is_announced(policy.templates) {
        let gone = NOT_OF_A_TEMPLATE.into_iter();
        let gone = gone.filter(|name| request.contains(name));
        edits.extend(gone.map(Effect::RemoveRequestHeader));
        if policy.templates.esi == Esi::Always {
            let capability = CAPABILITY.as_bytes().to_vec();
            edits.push(Effect::SetRequestHeader(SURROGATE_CAPABILITY, capability));
        }
    }
    edits
}

/// The same, of a request that changes nothing: its conditions are about the page.
pub(super) fn edits_of_reader(policy: &CachePolicy, request: &Headers) -> Vec<Effect> {
    let mut edits = edits(policy, request);
    if !edits.is_empty() {
        let theirs = CONDITIONS.into_iter();
        let theirs = theirs.filter(|name| request.contains(name));
        edits.extend(theirs.map(Effect::RemoveRequestHeader));
    }
    edits
}

const NOT_OF_A_TEMPLATE: [&str; 3] = ["accept-encoding", "if-range", "range"];
const SURROGATE_CAPABILITY: &str = "surrogate-capability";
const CAPABILITY: &str = "larder=\"ESI/1.0\"";

/// The same, of a request of the filter's own.
pub(super) fn edit(policy: &CachePolicy, request: &mut Headers) {
    if template::is_announced(policy.templates) {
        for name in NOT_OF_A_TEMPLATE {
            request.remove(name);
        }
        if policy.templates.esi == Esi::Always {
            request.remove(SURROGATE_CAPABILITY);
            request.push(SURROGATE_CAPABILITY, CAPABILITY);
        }
    }
}

/// A response's status and head, what comes behind that, and the Cache-Control that is added to it.
pub(super) type Arrived<'a> = ((u16, &'a Headers), ResponseBody, Option<&'a str>);

/// For which request, and under which policy, a response has come.
pub(super) type Asker<'a> = (&'a CachePolicy, &'a Headers);

/// What is done to the head of the origin's response, and that its body is to be gathered, where it is a template. `heads` is
/// when that head may leave, `said` what its client is told of the cache.
pub(super) fn of_arrived(
    around: &Surroundings,
    (asker, heads): (Asker<'_>, Heads),
    ((status, sent), body, promise): Arrived<'_>,
    said: Passage,
) -> Vec<Effect> {
    let (policy, request) = asker;
    if policy.shadow == Switch::On {
        return Vec::new();
    }
    let language = match Kind::of(policy.templates, status, sent) {
        Kind::Plain => return Vec::new(),
        Kind::Coded => {
            return vec![Effect::Count(Counter::TemplateRaw(Reason::TemplateCoded))];
        }
        Kind::Template(language) => language,
    };
    gather(
        around,
        (request, heads, language),
        ((status, sent), body, promise),
        said,
    )
}

#[cold]
#[inline(never)]
fn gather(
    around: &Surroundings,
    (request, heads, language): (&Headers, Heads, Language),
    ((status, sent), body, promise): Arrived<'_>,
    said: Passage,
) -> Vec<Effect> {
    let mut effects = Vec::new();
    let is_gathered = body == ResponseBody::Follows;
    if heads == Heads::Sent || !is_gathered {
        effects.extend(head_of_sent(sent, promise));
    }
    if is_gathered {
        let mut headers = sent.clone();
        headers.retain(|name, _| !is_of_the_connection(name));
        if let Some(promise) = promise {
            headers.push("cache-control", promise);
        }
        let added = around.config.headers;
        if let Passage::Annotated(said) = said {
            said.make_way(added, &mut headers);
            if added.expose_tags == Switch::Off {
                remove_tags(&mut headers);
            }
            for line in said.lines(added) {
                let (Line::Alone(name, value) | Line::Behind(name, value)) = line;
                headers.push(name, value);
            }
        }
        effects.push(Effect::Gather(Box::new(Template {
            status,
            headers,
            body: Body::Borrowed(&[]),
            language,
            request: Rc::new(request.clone()),
            delivery: Delivery::of_origin(heads),
        })));
    }
    effects
}

/// What is done to a template's head that leaves before its page is made.
pub fn head_of_sent(sent: &Headers, promise: Option<&str>) -> Vec<Effect> {
    let gone = ABOUT_THE_TEMPLATE
        .iter()
        .chain(["expires", SURROGATE_CONTROL].iter());
    let gone = gone.filter(|name| sent.contains(name));
    let mut effects: Vec<_> = gone.map(|name| Effect::RemoveHeader(name)).collect();
    let targeted = sent.iter().filter(|(name, _)| template::is_targeted(name));
    effects.extend(targeted.map(|(name, _)| {
        Effect::SetField(Field {
            name: name.to_vec(),
            lines: Vec::new(),
        })
    }));
    let control = control_of_sent(sent, promise);
    effects.push(Effect::SetHeader("cache-control", control));
    effects
}

/// What a head says that leaves before its page is made: nobody but this client may have the page, and what the template forbids
/// is forbidden.
fn control_of_sent(sent: &Headers, promise: Option<&str>) -> String {
    let no_store = promise.is_none() && ResponseDirectives::from_cache_control(sent).no_store;
    let mut control = match no_store {
        true => "no-store".to_owned(),
        false => "private, no-cache".to_owned(),
    };
    if forbids_transforming(sent) {
        control.push_str(", no-transform");
    }
    control
}

/// Of what the proxy writes itself into each response, or what is about one connection.
fn is_of_the_connection(name: &[u8]) -> bool {
    const NAMES: [&str; 8] = [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
    ];
    name.starts_with(b":")
        || name.starts_with(b"x-envoy-")
        || NAMES.iter().any(|other| name == other.as_bytes())
}
