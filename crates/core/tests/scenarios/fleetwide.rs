//! Processes of a fleet that hear of each other now and then: whoever brings a write's token is shown nothing from before it, and
//! whoever brings none nothing that was invalidated anywhere longer ago than the bound.

use std::rc::Rc;

use larder_core::exchange::Exchange;
use larder_core::fleet::{Contact, Invitation, Standing};
use larder_core::http::Headers;
use larder_core::time::Timestamp;
use proptest::prelude::*;

use crate::fleet::{FLEET, Port, Store, member_of};
use crate::stage::{Request, Response, Seen, Stage, get, reply, request};

const PROCESSES: usize = 3;
const PATHS: [&str; 2] = ["/a", "/b"];
/// That of the configuration.
const BOUND: u64 = 10;

#[derive(Clone, Copy, Debug)]
enum Act {
    /// A client reads there; perhaps it brings the token of one of the writes.
    Read(usize, usize, Option<usize>),
    /// The oldest answer of the origin arrives there.
    Answer(usize),
    /// The service is heard of there.
    Hear(usize),
    /// It takes questions about entries, or none.
    Invite(usize, Invitation),
    Wait(u64),
    Write(usize, usize),
}

struct Process {
    stage: Stage,
    port: Rc<Port>,
    /// How much of the log it has followed, and when it was last at its end.
    followed: usize,
    heard: Timestamp,
    pending: Vec<Pending>,
}

/// A read at the origin.
struct Pending {
    exchange: Exchange,
    path: usize,
    least: usize,
    response: Response,
    followed: usize,
}

/// A write that was answered.
struct Written {
    process: usize,
    path: usize,
    /// What it made of the path.
    version: usize,
    at: Timestamp,
    /// Its place in the log.
    place: usize,
}

struct World {
    store: Rc<Store>,
    processes: Vec<Process>,
    versions: [usize; PATHS.len()],
    writes: Vec<Written>,
}

impl World {
    fn new(configuration: &str) -> Self {
        let store = Rc::default();
        let process = |_| {
            let (stage, port) = member_of(&store, configuration);
            Process {
                followed: 0,
                heard: stage.now,
                pending: Vec::new(),
                stage,
                port,
            }
        };
        Self {
            processes: (0..PROCESSES).map(process).collect(),
            versions: [0; PATHS.len()],
            writes: Vec::new(),
            store,
        }
    }

    fn now(&self) -> Timestamp {
        self.processes[0].stage.now
    }

    fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        match act {
            Act::Read(process, path, token) => self.read(process, path, token),
            Act::Answer(process) => self.answer(process),
            Act::Hear(process) => {
                self.hear(process);
                Ok(())
            }
            Act::Invite(process, invitation) => {
                self.processes[process].port.invitation.set(invitation);
                Ok(())
            }
            Act::Wait(seconds) => {
                self.wait(seconds);
                Ok(())
            }
            Act::Write(process, path) => {
                self.write(process, path);
                Ok(())
            }
        }
    }

    fn wait(&mut self, seconds: u64) {
        for one in &mut self.processes {
            one.stage.wait(seconds);
            let silence: u64 = one.stage.now.since(one.heard).get().into();
            if silence > BOUND {
                one.port.contact.set(Contact::Lost);
            }
        }
    }

    fn hear(&mut self, process: usize) {
        let log = self.store.log();
        let one = &mut self.processes[process];
        // What it has invalidated itself, too: that takes away more than it must.
        for invalidation in log.iter().skip(one.followed) {
            one.stage.apply(invalidation);
        }
        (one.followed, one.heard) = (log.len(), one.stage.now);
        one.port.contact.set(Contact::Kept);
    }

    fn write(&mut self, process: usize, path: usize) {
        self.versions[path] += 1;
        let before = self.store.log().len();
        let one = &mut self.processes[process];
        one.stage
            .exchange(request("PUT", PATHS[path]), reply("").status(204));
        let place = self.store.log().len() - 1;
        assert!(place >= before, "a write is told to the others");
        self.writes.push(Written {
            process,
            path,
            version: self.versions[path],
            at: self.now(),
            place,
        });
    }

    /// The least version that a client of this process may be shown, who brings this token.
    fn least(&self, process: usize, path: usize, token: Option<usize>) -> usize {
        let seconds_since = |at| u64::from(self.now().since(at).get());
        let counts = |(number, write): &(usize, &Written)| {
            let is_known = write.process == process || seconds_since(write.at) > BOUND;
            write.path == path && (is_known || token == Some(*number))
        };
        let writes = self.writes.iter().enumerate().filter(counts);
        let versions = writes.map(|(_, write)| write.version);
        versions.max().unwrap_or_default()
    }

    fn read(
        &mut self,
        process: usize,
        path: usize,
        token: Option<usize>,
    ) -> Result<(), TestCaseError> {
        let token = token.filter(|_| !self.writes.is_empty());
        let token = token.map(|token| token % self.writes.len());
        let least = self.least(process, path, token);
        let version = self.versions[path];
        let mut ask: Request = get(PATHS[path]);
        let one = &mut self.processes[process];
        if let Some(number) = token {
            let write = &self.writes[number];
            let is_known = write.process == process || write.place < one.followed;
            let standing = match is_known {
                true => Standing::Applied,
                false => Standing::Behind,
            };
            one.port.stands("token", standing);
            ask = ask.with("larder-token", "token");
        }
        let mut exchange = one.stage.new_exchange();
        one.port.position.set(one.followed);
        if let Some(seen) = one.stage.ask(&mut exchange, &ask) {
            return self.check(path, least, &seen);
        }
        let response = response(path, version, &one.stage.asked);
        one.pending.push(Pending {
            exchange,
            path,
            least,
            response,
            followed: one.followed,
        });
        Ok(())
    }

    fn answer(&mut self, process: usize) -> Result<(), TestCaseError> {
        let one = &mut self.processes[process];
        if one.pending.is_empty() {
            return Ok(());
        }
        let pending = one.pending.remove(0);
        one.port.position.set(pending.followed);
        let seen = one.stage.finish(pending.exchange, pending.response);
        self.check(pending.path, pending.least, &seen)
    }

    fn check(&self, path: usize, least: usize, seen: &Seen) -> Result<(), TestCaseError> {
        let shown = seen.text().split_once(' ').unwrap();
        prop_assert_eq!(shown.0, PATHS[path]);
        let version: usize = shown.1.parse().unwrap();
        prop_assert!(
            version >= least,
            "{} instead of {}: {:?}",
            version,
            least,
            seen
        );
        Ok(())
    }
}

/// The origin's answer.
fn response(path: usize, version: usize, asked: &Headers) -> Response {
    let tag = format!("\"{version}\"");
    let body = format!("{} {version}", PATHS[path]);
    let kept = reply(&body).with("etag", &tag).with(
        "cache-control",
        "max-age=40, stale-while-revalidate=20, stale-if-error=20",
    );
    match asked.only("if-none-match") == Some(tag.as_bytes()) {
        true => kept.status(304).in_chunks(&[]),
        false => kept,
    }
}

fn act() -> impl Strategy<Value = Act> {
    let invitation = prop_oneof![3 => Just(Invitation::Open), 1 => Just(Invitation::Shut)];
    let process = || 0..PROCESSES;
    let path = || 0..PATHS.len();
    let token = prop_oneof![2 => Just(None), 1 => any::<usize>().prop_map(Some)];
    prop_oneof![
        12 => (process(), path(), token).prop_map(|(process, path, token)| Act::Read(process, path, token)),
        10 => process().prop_map(Act::Answer),
        3 => process().prop_map(Act::Hear),
        1 => (process(), invitation).prop_map(|(process, invitation)| Act::Invite(process, invitation)),
        3 => prop_oneof![3 => 1..4_u64, 1 => 4..30_u64].prop_map(Act::Wait),
        3 => (process(), path()).prop_map(|(process, path)| Act::Write(process, path)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nobody_is_shown_what_was_before_his_write_or_beyond_the_bound(
        acts in proptest::collection::vec(act(), 1..120),
    ) {
        let mut world = World::new(FLEET);
        for act in acts {
            world.act(act)?;
        }
        for process in 0..PROCESSES {
            while !world.processes[process].pending.is_empty() {
                world.answer(process)?;
            }
        }
    }
}
