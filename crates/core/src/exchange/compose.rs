//! Pages, which are made of templates and fragments outside of the core, and are never stored.
//!
//! What a client asks for may be a template, in the cache or on its way from the origin. The outside is told so, asks for the
//! fragments by exchanges of their own, and comes back with the page. What the client asked of a response (a condition, a
//! part) it asks of the page: the template is always taken whole.
//!
//! ```text
//! a template is here   ── Compose ─▶ the page is made ── Composed ─▶ Reply, or 304
//! a template comes ─┬─ held ── Gather ─▶ the page is made ── Composed ─▶ Reply, or 304
//!                   └─ sent ── Gather ─▶ the page takes the place of the body
//! ```

use std::borrow::Cow;
use std::rc::Rc;

use super::echo::{Given, Sent, Source};
use super::request::Subject;
use super::serve::{self, Answered, Content};
use super::step::Body;
use super::{Effect, Reply, State, Step, Surroundings, Verdict};
use crate::config::Heads;
use crate::fleet::TOKEN;
use crate::http::{Headers, RequestHead};
use crate::policy::Reason;
use crate::policy::freshening::CONDITIONS;
use crate::policy::template::{Kind, Language, SURROGATE_CONTROL};
use crate::policy::validation::{Condition, Preconditions, not_modified_fields};
use crate::report::{Counter, ServedFrom};

/// A template, of which a page is to be made.
#[derive(Debug, PartialEq, Eq)]
pub struct Template<'a> {
    /// Its status.
    pub status: u16,
    /// Its fields, as a client would get them.
    pub headers: Headers,
    /// Its body; empty where that comes.
    pub body: Body<'a>,
    /// In what it says where fragments go.
    pub language: Language,
    /// The client's request, pseudo-fields included.
    pub request: Rc<Headers>,
    /// What is given back with the page.
    pub delivery: Delivery,
}

/// How a page is answered with.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    served: ServedFrom,
    way: Way,
    details: &'static str,
}

/// Two are the same where they lead the same way.
impl PartialEq for Delivery {
    fn eq(&self, other: &Self) -> bool {
        self.heads() == other.heads()
    }
}

impl Eq for Delivery {}

/// How a page gets to its client.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// In place of the template's head and body, past all response filters.
    Direct,
    /// As an answer to the request, which passes the response filters.
    Request(Source),
    /// In place of the template's body, whose head is gone.
    Behind,
}

impl Delivery {
    /// That of a template that comes from the origin, whose head leaves then.
    pub(super) fn of_origin(heads: Heads) -> Self {
        Self {
            served: ServedFrom::Origin,
            way: match heads {
                Heads::Held => Way::Direct,
                Heads::Sent => Way::Behind,
            },
            details: "larder_page",
        }
    }

    /// Whether the template's head waits for the page.
    pub fn heads(self) -> Heads {
        match self.way {
            Way::Direct | Way::Request(_) => Heads::Held,
            Way::Behind => Heads::Sent,
        }
    }

    /// The same, where the template's head does not wait any more.
    #[must_use]
    pub fn without_head(self) -> Self {
        Self {
            way: Way::Behind,
            ..self
        }
    }
}

/// A page that is made.
#[derive(Debug)]
pub struct Page {
    /// The template's.
    pub delivery: Delivery,
    /// The client's request.
    pub request: Rc<Headers>,
    /// The status.
    pub status: u16,
    /// Fields that are true of the page.
    pub headers: Headers,
    /// Its body; none is needed where the head is sent.
    pub body: Vec<u8>,
    /// Why fragments are missing whose template did not say what stands in their place.
    pub missing: Vec<Reason>,
}

/// What is known of an answer that is a template.
#[derive(Debug)]
pub(super) struct Asked {
    language: Language,
    request: Rc<Headers>,
    served: ServedFrom,
}

/// What an answer to this request with this head is, if it is a template.
pub(super) fn asked(
    language: Option<Language>,
    request: &Headers,
    served: ServedFrom,
) -> Option<Box<Asked>> {
    let language = language?;
    Some(Box::new(Asked {
        language,
        request: Rc::new(request.clone()),
        served,
    }))
}

/// Whether a response is a template.
pub(super) fn language(
    around: &Surroundings,
    subject: &Subject,
    (status, headers): (u16, &Headers),
) -> Option<Language> {
    let policy = around.config.policy(subject.policy)?;
    Kind::of(policy.templates, status, headers).language()
}

impl Asked {
    /// In what it says where fragments go.
    pub(super) fn language(&self) -> Language {
        self.language
    }

    fn compose<'a>(self, content: Content<'a>, way: Way) -> Verdict<'a> {
        Verdict::Compose(Box::new(Template {
            status: content.status,
            headers: content.headers,
            body: content.body.into(),
            language: self.language,
            request: self.request,
            delivery: Delivery {
                served: self.served,
                way,
                details: content.details,
            },
        }))
    }
}

/// Has a page made of this answer, which is a template.
#[cold]
pub(super) fn begin<'a>(
    asked: Asked,
    (content, effects): (Content<'a>, Vec<Effect>),
    source: Source,
) -> (State, Step<'a>) {
    let verdict = asked.compose(content, Way::Request(source));
    (State::done(), Step { verdict, effects })
}

/// The same, of an answer that takes the place of another response.
#[cold]
pub(super) fn begin_in_place<'a>(
    asked: Asked,
    Answered {
        content, effects, ..
    }: Answered<'a>,
) -> Step<'a> {
    Step {
        verdict: asked.compose(content, Way::Direct),
        effects,
    }
}

/// Has a page made of an answer that was given before.
#[cold]
pub(super) fn begin_again<'a>(
    (language, request): (Language, &Headers),
    (given, source): (&Given, Source),
    (body, details): (Body<'a>, &'static str),
) -> (State, Step<'a>) {
    let template = Template {
        status: given.status,
        headers: given.headers(),
        body,
        language,
        request: Rc::new(request.clone()),
        delivery: Delivery {
            served: ServedFrom::Hot,
            way: Way::Request(source),
            details,
        },
    };
    let step = Step {
        verdict: Verdict::Compose(Box::new(template)),
        effects: Vec::new(),
    };
    (State::done(), step)
}

/// Fragments, too, are nothing for this client that stood here before its writes.
#[cold]
#[inline(never)]
pub(super) fn say_token(step: &mut Step<'_>, token: &[u8]) {
    let say = |request: &mut Rc<Headers>| {
        let mut said = Headers::clone(request);
        said.push(TOKEN, token);
        *request = Rc::new(said);
    };
    if let Verdict::Compose(template) = &mut step.verdict {
        say(&mut template.request);
    }
    for effect in &mut step.effects {
        if let Effect::Gather(template) = effect {
            say(&mut template.request);
        }
    }
}

/// A page is made.
pub(super) fn made<'a>(
    around: &Surroundings,
    state: State,
    Page {
        delivery,
        request,
        status,
        mut headers,
        body,
        missing,
    }: Page,
) -> (State, Step<'a>) {
    let mut effects = vec![Effect::Count(Counter::PageMade)];
    effects.extend(
        missing
            .iter()
            .map(|why| Effect::Count(Counter::FragmentMissing(*why))),
    );
    if delivery.heads() == Heads::Sent {
        return (state, Step::continue_with(effects));
    }
    headers.remove(SURROGATE_CONTROL);
    if let Some(why) = missing.first() {
        say_what_is_missing(&mut headers, *why);
    }
    let content = conditional(
        around,
        &request,
        Content {
            status,
            headers,
            body: Cow::Owned(body),
            details: delivery.details,
        },
    );
    let Content {
        status,
        mut headers,
        body,
        details,
    } = content;
    let is_head = request.only(":method") == Some(b"HEAD");
    let sent = if is_head { 0 } else { body.len() };
    around.tally.serve(delivery.served, sent);
    match delivery.way {
        Way::Request(source) => {
            let given = Given::new(status, &headers, body.len());
            let reply = Reply {
                status,
                pairs: Rc::clone(&given.pairs),
                body: body.into(),
                details,
            };
            let verdict = Verdict::Reply(reply);
            let state = State::Serving(Box::new(Sent::new(given, source)));
            (state, Step { verdict, effects })
        }
        Way::Direct | Way::Behind => {
            if !body.is_empty() && !headers.contains("content-type") {
                headers.push("content-type", ""); // else the proxy would call it `text/plain`
            }
            let verdict = Verdict::Reply(Reply {
                status,
                pairs: Rc::new(headers.to_pairs()),
                body: body.into(),
                details,
            });
            (State::done(), Step { verdict, effects })
        }
    }
}

/// The page, or 304 where the client has it.
fn conditional<'a>(around: &Surroundings, request: &Headers, page: Content<'a>) -> Content<'a> {
    let is_asked = CONDITIONS.iter().any(|name| request.contains(name));
    let head = is_asked.then(|| RequestHead::parse(request.clone()).ok());
    let asked = head.flatten().as_ref().and_then(Preconditions::of);
    let condition = asked.map(|asked| asked.evaluate(page.status, &page.headers));
    match condition {
        Some(Condition::NotModified) => {
            around.tally.not_modified();
            Content {
                status: 304,
                headers: not_modified_fields(&page.headers),
                body: Cow::Borrowed(&[]),
                details: "larder_not_modified",
            }
        }
        Some(Condition::Full) | None => page,
    }
}

/// A page with a gap is nobody's to keep.
#[cold]
fn say_what_is_missing(headers: &mut Headers, why: Reason) {
    let mut said = Headers::with_room_for(headers);
    let last = headers.all("cache-status").last().map(<[u8]>::to_vec);
    for (name, value) in headers.iter() {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("cache-control") || is("etag") || is("expires") || is("last-modified") {
            continue;
        }
        if is("cache-status") && last.as_deref() == Some(value) {
            said.push(name, [value, b"; detail=", why.code().as_bytes()].concat());
        } else {
            said.push(name, value);
        }
    }
    said.push("cache-control", "no-store");
    *headers = said;
}

/// How many bytes of a reply's body are counted where it is given: those of a template are none that a client gets.
pub(super) fn sent_bytes(asked: Option<&Asked>, request: &RequestHead, body: &[u8]) -> usize {
    match asked {
        Some(_) => 0,
        None => serve::sent_bytes(request, body),
    }
}
