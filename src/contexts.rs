//! The contexts of one VM, by the numbers that the host gives them: plugin configurations, and the streams under them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::host;
use crate::root::Root;
use crate::stream::Stream;
use crate::worker::Worker;

/// So many streams go on in one callback, since the host nests theirs in it (proxy-wasm-cpp-host
/// `include/proxy-wasm/wasm.h`, `doAfterVmCallActions`).
const MOST_AT_ONCE: usize = 16;

/// The contexts of one VM.
#[derive(Default)]
pub(crate) struct Contexts {
    roots: Numbered<Root>,
    streams: Numbered<Stream>,
}

/// By numbers that the host counts up, so nobody can choose them to collide.
type Numbered<T> = HashMap<u32, T, BuildHasherDefault<Spread>>;

/// Spreads consecutive numbers.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// Whether a configuration holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Configured {
    No,
    Yes,
}

impl From<Configured> for u32 {
    fn from(configured: Configured) -> Self {
        match configured {
            Configured::No => 0,
            Configured::Yes => 1,
        }
    }
}

impl Contexts {
    /// A root context, whose parent is 0, or a stream under its root. Under a root without a configuration streams pass.
    pub(crate) fn create(&mut self, id: u32, parent: u32) {
        if parent == 0 {
            self.roots.entry(id).or_default();
            return;
        }
        let stream = self.roots.get(&parent).and_then(|root| root.stream(id));
        if let Some(stream) = stream
            && self.streams.try_reserve(1).is_ok()
        {
            self.streams.insert(id, stream);
        }
    }

    /// Its configuration, so many bytes of it, comes to hold for a root.
    pub(crate) fn configure(&mut self, root: u32, bytes: usize) -> Configured {
        self.roots.entry(root).or_default().configure(bytes)
    }

    /// The stream of this number.
    pub(crate) fn stream(&mut self, id: u32) -> Option<&mut Stream> {
        self.streams.get_mut(&id)
    }

    /// The root's timer.
    pub(crate) fn tick(&mut self, root: u32) {
        if let Some(root) = self.roots.get_mut(&root) {
            root.tick();
        }
        self.wake();
    }

    /// This worker is told something.
    pub(crate) fn queue_ready(&mut self) {
        if let Some(worker) = Worker::here() {
            worker.flights.listen();
        }
        self.wake();
    }

    /// Some of those go on that have waited for others. Last in a callback, because of what [`crate::host::speak_for`] does to the
    /// calls behind it.
    fn wake(&mut self) {
        let Some(worker) = Worker::here() else {
            return;
        };
        let mut room = MOST_AT_ONCE;
        for (stream, relief) in worker.fleet.ready(room) {
            room = room.saturating_sub(1);
            match self.streams.get_mut(&stream) {
                Some(stream) => stream.on_relieved(relief),
                None => worker.composing.relieved(&worker, stream, relief),
            }
        }
        if room < MOST_AT_ONCE {
            return match worker.composing.is_any_found() {
                true => worker.flights.call_back(),
                false => worker.flights.go_on_soon(),
            };
        }
        for (stream, why) in worker.flights.ready() {
            match self.streams.get_mut(&stream) {
                Some(stream) => stream.on_woken(why),
                None => worker.composing.woken(&worker, stream, why),
            }
        }
        self.go_on_composing(&worker);
    }

    /// Pages go on for which something has come, or which have been waited for long enough. As many as may be at once; what is
    /// left has this worker called back.
    fn go_on_composing(&mut self, worker: &Worker) {
        let composing = &worker.composing;
        if composing.is_idle() && !composing.is_any_found() {
            return;
        }
        let mut room = MOST_AT_ONCE;
        while room > 0
            && let Some(found) = composing.next_found()
        {
            room = room.saturating_sub(1);
            if let Some(stream) = self.streams.get_mut(&found.stream) {
                stream.on_fragment(found.number, found.outcome);
            }
        }
        let Ok(now) = host::now() else {
            return;
        };
        while room > 0
            && let Some(stream) = composing.next_overdue(now)
        {
            room = room.saturating_sub(1);
            if let Some(stream) = self.streams.get_mut(&stream) {
                stream.on_page_overdue();
            }
        }
        if room == 0 {
            worker.flights.call_back();
        }
    }

    /// A call that a root has made is answered.
    pub(crate) fn answered(&mut self, root: u32, token: u32, size: (usize, usize)) {
        if let Some(root) = self.roots.get(&root) {
            root.answered(token, size);
        }
        self.wake();
    }

    /// A stream is logged.
    pub(crate) fn log(&mut self, id: u32) {
        if let Some(stream) = self.streams.get(&id) {
            stream.log();
        }
    }

    /// A context is over, and what it held is free.
    pub(crate) fn delete(&mut self, id: u32) {
        if let Some(stream) = self.streams.remove(&id) {
            stream.end();
        } else if let Some(root) = self.roots.remove(&id) {
            root.end();
            if self.roots.is_empty() {
                Worker::farewell();
            }
        }
    }
}
