//! The origin of a test: told what to answer, asked what it saw.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Handler, Received, Reply, Server};

/// A scripted origin on a port of its own.
///
/// A path without a play is answered 404. Every response carries `x-origin-stamp`, a number that
/// no other response of this origin has: two answers with one stamp came from one fetch.
#[derive(Debug)]
pub struct Origin {
    server: Server,
    book: Arc<Book>,
}

#[derive(Default)]
struct Book {
    plays: Mutex<HashMap<String, Arc<dyn Handler>>>,
    log: Mutex<Vec<Received>>,
    hands: Mutex<HashMap<String, Hand>>,
    stamp: AtomicU64,
}

/// The requests for one path that are being answered.
#[derive(Clone, Copy, Debug, Default)]
struct Hand {
    now: usize,
    most: usize,
}

/// A request that is being answered.
#[derive(Debug)]
struct InHand {
    book: Arc<Book>,
    path: String,
}

impl Origin {
    /// Starts with no plays.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> io::Result<Self> {
        let book = Arc::new(Book::default());
        let handler = Arc::clone(&book);
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let reply = move |request: &Received| handler.reply(request);
        let server = Server::start(listen, reply).await?;
        Ok(Self { server, book })
    }

    /// See [`Server::go_down`].
    ///
    /// # Errors
    /// Likewise.
    pub async fn go_down(&self) -> io::Result<()> {
        self.server.go_down().await
    }

    /// See [`Server::come_back`].
    ///
    /// # Errors
    /// Likewise.
    pub fn come_back(&self) -> io::Result<()> {
        self.server.come_back()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// From now on `path` is answered by `reply`. A path is compared without its query; one that
    /// ends in `*` stands for every path that begins so and has no play of its own.
    pub fn on(&self, path: &str, reply: Reply) {
        self.on_call(path, move |_| reply.clone());
    }

    /// From now on `path` is answered by what `play` makes of the request.
    pub fn on_call(&self, path: &str, play: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        lock(&self.book.plays).insert(path.to_owned(), Arc::new(play));
    }

    /// Everything received so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.book.log).clone()
    }

    /// How many requests for `path` (without query) have arrived.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        let log = lock(&self.book.log);
        log.iter().filter(|seen| seen.path_only() == path).count()
    }

    /// How many requests for `path` (without query) have arrived and are not answered in full.
    #[must_use]
    pub fn in_hand(&self, path: &str) -> usize {
        self.book.hand(path).now
    }

    /// How many those were at most.
    #[must_use]
    pub fn most_in_hand(&self, path: &str) -> usize {
        self.book.hand(path).most
    }

    /// How many requests have arrived at all.
    #[must_use]
    pub fn total(&self) -> usize {
        lock(&self.book.log).len()
    }
}

impl Book {
    fn play(&self, path: &str) -> Option<Arc<dyn Handler>> {
        let plays = lock(&self.plays);
        let by_prefix = || {
            let prefix = |play: &&String| {
                play.strip_suffix('*')
                    .is_some_and(|prefix| path.starts_with(prefix))
            };
            let longest = plays.keys().filter(prefix).max_by_key(|play| play.len());
            longest.and_then(|play| plays.get(play))
        };
        plays.get(path).or_else(by_prefix).cloned()
    }
}

impl Book {
    fn reply(self: &Arc<Self>, request: &Received) -> Reply {
        let in_hand = InHand::take(self, request.path_only());
        lock(&self.log).push(request.clone());
        let stamp = self.stamp.fetch_add(1, Ordering::Relaxed);
        let play = self.play(request.path_only());
        let reply = play.map_or_else(
            || Reply::new(404, "no such play"),
            |play| play.reply(request),
        );
        reply
            .header("x-origin-stamp", stamp.to_string())
            .watched_by(Arc::new(in_hand))
    }

    fn hand(&self, path: &str) -> Hand {
        lock(&self.hands).get(path).copied().unwrap_or_default()
    }
}

impl InHand {
    fn take(book: &Arc<Book>, path: &str) -> Self {
        let mut hands = lock(&book.hands);
        let hand = hands.entry(path.to_owned()).or_default();
        hand.now += 1;
        hand.most = hand.most.max(hand.now);
        Self {
            book: Arc::clone(book),
            path: path.to_owned(),
        }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if let Some(hand) = lock(&self.book.hands).get_mut(&self.path) {
            hand.now = hand.now.saturating_sub(1);
        }
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book").finish_non_exhaustive()
    }
}

/// A panic of one play must not hide what the others saw.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
