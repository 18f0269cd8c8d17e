//! What Larder is compared with: the textbook policies, each over one cache of so many entries of equal size.

mod belady;
mod list;
mod lru;
mod s3_fifo;
mod tiny_lfu;

pub(super) use belady::belady;
pub(super) use lru::Lru;
pub(super) use s3_fifo::S3Fifo;
pub(super) use tiny_lfu::TinyLfu;

/// What a cache had to say to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was there.
    Hit,
    /// It had to be fetched.
    Miss,
}

/// A cache that learns each request in turn, and on a miss stores what was fetched if it wants to.
pub(super) trait Cache {
    /// Asks for a key.
    fn ask(&mut self, key: u32) -> Answer;
}

/// How many of the requests were hits.
pub(super) fn hits(cache: &mut dyn Cache, requests: &[u32]) -> usize {
    let answers = requests.iter().map(|&key| cache.ask(key));
    answers.filter(|answer| *answer == Answer::Hit).count()
}
