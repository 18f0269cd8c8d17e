//! Crowds in any order of asking, answering, failing, leaving, writing and waiting: everybody is answered once and in time, with
//! what is its own, no older than the last write that was acknowledged before it asked.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use larder_core::epoch::{Mode, Scope};
use larder_core::fleet::{Consulted, Contact, Invitation};
use larder_core::http::Headers;
use larder_core::time::Timestamp;
use proptest::prelude::*;

use crate::crowd::{Crowd, Id, Queues};
use crate::fleet::{Port, Saying};
use crate::stage::{Request, Response, Seen, reply, request};

const SETTINGS: &str = r#"{"no_vary_search":true}"#;
/// The same, and what is stale may be used.
const SPARING: &str = r#"{"no_vary_search":true,
    "stale_while_revalidate_seconds":20,"stale_if_error_seconds":100}"#;
const WORKERS: u8 = 3;
/// Twice the time that one waits, and a tick.
const LONGEST: u64 = 11;

#[derive(Clone, Copy, Debug)]
struct Asking {
    path: &'static str,
    language: &'static str,
    user: Option<&'static str>,
    manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Conditional,
    Head,
    Part,
    Plain,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    BreaksOff,
    /// As it is to be.
    Good,
    /// Nobody else's.
    Private,
    /// The proxy says that there is no origin.
    Unreachable,
    /// One that fails.
    Failure,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Answer(usize, Answer),
    Ask(Asking),
    /// The fleet is heard of, or not.
    Contact(Contact),
    /// There is room for what the fleet has, or none.
    Fill(bool),
    /// The fleet takes questions, or none.
    Invite(Invitation),
    Head(usize, Answer),
    Leave(usize),
    Lose(Queues),
    Purge(&'static str, Mode),
    Rest(usize),
    /// It says this to one of those that have asked it, or what it has.
    Tell(usize, Option<Consulted>),
    /// So many workers ask it next and have to wait for what it says.
    Think(usize),
    Wait(u64),
    Write(&'static str),
}

/// A client, and what it may be given.
struct Client {
    asking: Asking,
    /// The least version.
    least: usize,
    since: Timestamp,
}

struct World {
    crowd: Crowd,
    /// What each worker knows of the fleet.
    ports: Vec<Rc<Port>>,
    clients: Vec<Client>,
    versions: HashMap<&'static str, usize>,
    /// What the origin read when a request came to it.
    read: HashMap<Id, usize>,
    gone: HashSet<Id>,
}

fn name(path: &str) -> &str {
    path.split_once('?').map_or(path, |(name, _)| name)
}

impl World {
    fn new(settings: &str) -> Self {
        let mut crowd = Crowd::new(settings, WORKERS);
        Self {
            ports: crowd.join(&Rc::default()),
            crowd,
            clients: Vec::new(),
            versions: HashMap::new(),
            read: HashMap::new(),
            gone: HashSet::new(),
        }
    }

    fn version(&self, path: &str) -> usize {
        self.versions.get(name(path)).copied().unwrap_or_default()
    }

    /// The origin reads what it will say when it is asked, however late that comes.
    fn read(&mut self) {
        for id in self.crowd.at_origin() {
            let version = self.version(self.clients[id].asking.path);
            self.read.entry(id).or_insert(version);
        }
    }

    fn ask(&mut self, asking: Asking) {
        let mut ask: Request = match asking.manner {
            Manner::Head => request("HEAD", asking.path),
            Manner::Conditional | Manner::Part | Manner::Plain => request("GET", asking.path),
        };
        ask = ask.with("accept-language", asking.language);
        if let Some(user) = asking.user {
            ask = ask.with("authorization", user);
        }
        let version = self.version(asking.path);
        ask = match asking.manner {
            Manner::Conditional => ask.with("if-none-match", &tag(asking, version)),
            Manner::Part => ask.with("range", "bytes=0-1"),
            Manner::Head | Manner::Plain => ask,
        };
        self.clients.push(Client {
            asking,
            least: version,
            since: self.crowd.now(),
        });
        self.crowd.ask(&ask);
    }

    fn response(&self, id: Id, answer: Answer) -> Response {
        let asking = self.clients[id].asking;
        let version = self.read[&id];
        let asked: &Headers = self.crowd.asked(id);
        let whose = match (asking.user, answer) {
            (Some(_), _) | (None, Answer::Private) => format!(" for {id}"),
            (None, Answer::BreaksOff | Answer::Failure | Answer::Good | Answer::Unreachable) => {
                String::new()
            }
        };
        let body = body(asking, version) + &whose;
        let mut good = reply("").with("etag", &tag(asking, version));
        good = good
            .with("vary", "accept-language")
            .with("xkey", name(asking.path));
        if asking.path.contains('?') {
            good = good.with("no-vary-search", "params=(\"utm\")");
        }
        good = match answer {
            Answer::Private => good.with("cache-control", "private"),
            Answer::BreaksOff | Answer::Failure | Answer::Good | Answer::Unreachable => {
                good.with("cache-control", "max-age=20")
            }
        };
        let is_told = asked.only("if-none-match") == Some(tag(asking, version).as_bytes());
        match answer {
            Answer::Failure => return reply("failed").status(503),
            Answer::Unreachable => return reply("failed").status(503).by_the_proxy(),
            Answer::BreaksOff => return good.in_chunks(&[start(&body)]).breaking_off(),
            // To a user the representation is told by its name alone.
            Answer::Good | Answer::Private if is_told => return good.status(304),
            Answer::Good | Answer::Private => {}
        }
        let length = body.len();
        match asking.manner {
            Manner::Head => good.with("content-length", &length.to_string()),
            Manner::Part => {
                let range = format!("bytes 0-1/{length}");
                let part = good.status(206).with("content-range", &range);
                part.in_chunks(&[start(&body)])
            }
            Manner::Conditional | Manner::Plain => good.in_chunks(&[&body]),
        }
    }

    fn act(&mut self, act: Act) {
        let pick = |all: Vec<Id>, which: usize| all.get(which % all.len().max(1)).copied();
        match act {
            Act::Ask(asking) => self.ask(asking),
            Act::Answer(which, answer) => {
                if let Some(id) = pick(self.crowd.at_origin(), which) {
                    let response = self.response(id, answer);
                    self.crowd.answer(id, response);
                }
            }
            Act::Head(which, answer) => {
                if let Some(id) = pick(self.crowd.at_origin(), which) {
                    let response = self.response(id, answer);
                    self.crowd.head(id, response);
                }
            }
            Act::Rest(which) => {
                if let Some(id) = pick(self.crowd.reading(), which) {
                    self.crowd.rest(id);
                }
            }
            Act::Leave(which) => {
                let mut all = self.crowd.at_origin();
                all.extend(self.crowd.reading());
                all.extend(self.crowd.waiting());
                all.extend(self.crowd.consulting());
                if let Some(id) = pick(all, which) {
                    self.gone.insert(id);
                    self.crowd.leave(id);
                }
            }
            Act::Lose(queues) => self.crowd.queues = queues,
            Act::Contact(contact) => {
                let ports = self.ports.iter();
                ports.for_each(|port| port.contact.set(contact));
            }
            Act::Fill(room) => {
                let ports = self.ports.iter();
                ports.for_each(|port| port.has_room.set(room));
            }
            Act::Invite(invitation) => {
                let ports = self.ports.iter();
                ports.for_each(|port| port.invitation.set(invitation));
            }
            Act::Think(workers) => {
                let ports = self.ports.iter().take(workers);
                ports.for_each(|port| port.says(&[Saying::Later]));
            }
            Act::Tell(which, said) => {
                if let Some(id) = pick(self.crowd.consulting(), which) {
                    self.crowd.told(id, said);
                }
            }
            Act::Purge(path, mode) => {
                self.crowd.invalidate(&[Scope::Tag(path.as_bytes())], mode);
            }
            Act::Wait(seconds) => {
                if seconds > 0 {
                    self.give_up();
                }
                (0..seconds).for_each(|_| self.crowd.wait(1));
            }
            Act::Write(path) => {
                *self.versions.entry(path).or_default() += 1;
                self.crowd
                    .invalidate(&[Scope::Tag(path.as_bytes())], Mode::Invalid);
            }
        }
        self.read();
    }

    /// What the fleet says would be too late.
    fn give_up(&mut self) {
        while let Some(id) = self.crowd.consulting().first() {
            self.crowd.told(*id, Some(Consulted::Silent));
            self.read();
        }
    }

    /// Nobody waits for longer than it may.
    fn is_in_time(&self) -> bool {
        let waiting = self.crowd.waiting().into_iter();
        let longest = |id: Id| self.crowd.now().since(self.clients[id].since).get();
        waiting
            .map(longest)
            .all(|seconds| u64::from(seconds) < LONGEST)
    }

    /// Everybody who is left gets an answer.
    fn finish(&mut self) {
        for _ in 0..1000 {
            let (at_origin, reading) = (self.crowd.at_origin(), self.crowd.reading());
            if let Some(id) = at_origin.first() {
                let response = self.response(*id, Answer::Good);
                self.crowd.answer(*id, response);
            } else if let Some(id) = reading.first() {
                self.crowd.rest(*id);
            } else if !self.crowd.consulting().is_empty() {
                self.give_up();
            } else if !self.crowd.waiting().is_empty() {
                self.crowd.wait(1);
            } else {
                return;
            }
            self.read();
        }
        panic!("somebody is never answered");
    }

    fn check(&self, id: Id) -> Result<(), TestCaseError> {
        let Client { asking, least, .. } = self.clients[id];
        let Some(seen) = self.crowd.got(id) else {
            prop_assert!(self.gone.contains(&id), "{id} got nothing");
            return Ok(());
        };
        let is_its_own = |seen: &Seen, version| {
            let body = body(asking, version);
            let own = format!("{body} for {id}");
            match seen.status {
                304 => seen.field("etag") == tag(asking, version),
                206 => seen.text() == start(&body),
                _ if asking.manner == Manner::Head => seen.field("etag") == tag(asking, version),
                _ => seen.text() == body || seen.text() == own,
            }
        };
        let broke_off = seen.text() == start(&body(asking, least));
        let versions = least..=self.version(asking.path);
        let is_good = seen.status == 503
            || broke_off
            || versions
                .into_iter()
                .any(|version| is_its_own(seen, version));
        prop_assert!(is_good, "{id} {asking:?} since {least}: {seen:?}");
        Ok(())
    }
}

fn body(asking: Asking, version: usize) -> String {
    format!("{} {} {version}", name(asking.path), asking.language)
}

/// What comes of it where not all does.
fn start(body: &str) -> &str {
    body.get(..2).unwrap()
}

fn tag(asking: Asking, version: usize) -> String {
    format!("\"{}.{}.{version}\"", name(asking.path), asking.language)
}

fn asking(manner: impl Strategy<Value = Manner>) -> impl Strategy<Value = Asking> {
    let path = proptest::sample::select(vec!["/a", "/b", "/n?utm=1", "/n?utm=2"]);
    let language = proptest::sample::select(vec!["en", "fr"]);
    let user = prop_oneof![5 => Just(None), 1 => Just(Some("ann")), 1 => Just(Some("bob"))];
    let asking = (path, language, user, manner);
    asking.prop_map(|(path, language, user, manner)| Asking {
        path,
        language,
        user,
        manner,
    })
}

fn act() -> impl Strategy<Value = Act> {
    let manner = prop_oneof![
        6 => Just(Manner::Plain), 2 => Just(Manner::Conditional),
        1 => Just(Manner::Head), 1 => Just(Manner::Part),
    ];
    let answer = || {
        prop_oneof![
            6 => Just(Answer::Good), 1 => Just(Answer::Private), 1 => Just(Answer::Failure),
            1 => Just(Answer::Unreachable), 1 => Just(Answer::BreaksOff),
        ]
    };
    let path = || proptest::sample::select(vec!["/a", "/b", "/n"]);
    let mode = proptest::sample::select(vec![Mode::Hard, Mode::Invalid, Mode::Soft]);
    let consulted = prop_oneof![
        4 => Just(None),
        2 => Just(Some(Consulted::Absent)),
        1 => Just(Some(Consulted::Found)),
        2 => Just(Some(Consulted::Held)),
        1 => Just(Some(Consulted::Silent)),
    ];
    let contact = prop_oneof![Just(Contact::Kept), Just(Contact::Lost)];
    let invitation = prop_oneof![3 => Just(Invitation::Open), 1 => Just(Invitation::Shut)];
    let queues = proptest::sample::select(vec![Queues::Lost, Queues::Sound]);
    prop_oneof![
        12 => asking(manner).prop_map(Act::Ask),
        4 => (any::<usize>(), answer()).prop_map(|(which, answer)| Act::Answer(which, answer)),
        2 => (any::<usize>(), answer()).prop_map(|(which, answer)| Act::Head(which, answer)),
        2 => any::<usize>().prop_map(Act::Rest),
        1 => any::<usize>().prop_map(Act::Leave),
        1 => queues.prop_map(Act::Lose),
        1 => contact.prop_map(Act::Contact),
        1 => any::<bool>().prop_map(Act::Fill),
        1 => invitation.prop_map(Act::Invite),
        2 => (0..4_usize).prop_map(Act::Think),
        3 => (any::<usize>(), consulted).prop_map(|(which, said)| Act::Tell(which, said)),
        1 => (path(), mode).prop_map(|(path, mode)| Act::Purge(path, mode)),
        2 => (0..7_u64).prop_map(Act::Wait),
        1 => path().prop_map(Act::Write),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn everybody_is_answered_once_in_time_and_with_its_own(
        acts in proptest::collection::vec(act(), 1..80),
        settings in proptest::sample::select(vec![SETTINGS, SPARING]),
    ) {
        let mut world = World::new(settings);
        for act in acts {
            world.act(act);
            prop_assert!(world.is_in_time(), "after {act:?}");
        }
        world.finish();
        for id in 0..world.clients.len() {
            world.check(id)?;
        }
        world.crowd.assert_idle();
    }

    /// Where nothing goes wrong and nothing changes, the origin is asked once for each representation.
    #[test]
    fn the_origin_is_asked_for_each_representation_once(
        all in proptest::collection::vec(asking(Just(Manner::Plain)), 1..60),
        answers in proptest::collection::vec((0..60_usize, any::<usize>()), 0..20),
        thinks in proptest::collection::vec(0..4_usize, 0..20),
    ) {
        let mut world = World::new(SETTINGS);
        let mut asked = HashSet::new();
        for (number, asking) in all.into_iter().enumerate() {
            // What the query means is learned on the way, so that one representation may be asked for under two keys.
            let path = if asking.path == "/a" { "/a" } else { "/b" };
            let asking = Asking { path, user: None, ..asking };
            asked.insert((asking.path, asking.language));
            world.act(Act::Think(thinks.get(number).copied().unwrap_or_default()));
            world.act(Act::Ask(asking));
            world.act(Act::Tell(number, None));
            for (_, which) in answers.iter().filter(|(when, _)| *when == number) {
                world.act(Act::Answer(*which, Answer::Good));
            }
        }
        world.finish();
        prop_assert_eq!(world.crowd.origin_requests(), asked.len());
        for id in 0..world.clients.len() {
            world.check(id)?;
        }
    }
}
