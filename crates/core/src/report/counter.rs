//! Every number Larder counts, with the name the proxy's statistics show.
//!
//! The host knows no labels, so a label and its value are the last two parts of the name; a `stats_tags` pattern
//! lifts them out. No URL, key or tag is ever part of a name: what a client chooses must not make statistics.

use crate::policy::Reason;

/// One number that only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Answers from the cache whose head was read again, because the proxy had altered it.
    Inspected,
    /// Requests not looked up, by reason.
    Bypassed(Reason),
    /// Stored responses that were compressed.
    Compressed,
    /// Bytes that compression has saved of bodies.
    CompressionSaved,
    /// Stored responses that were not, since it would not save enough.
    CompressionWasted,
    /// Lookups that found bytes which are no entry.
    Corrupt,
    /// Entries removed to make room.
    Evicted,
    /// Requests answered from the cache with what was fresh.
    Hit,
    /// Requests answered from a worker's own memory, which are among the hits.
    HotHit,
    /// Requests looked up and not answered from the cache.
    Missed,
    /// Answers from the cache that were 304.
    NotModified,
    /// Answers from the cache that were unzipped for a client that does not take gzip.
    Unzipped,
    /// Looked-up requests whose response was not stored, by reason.
    NotStored(Reason),
    /// Calls to the host that failed; the request went on without the cache.
    HostFailed,
    /// Writes that made stored responses invalid.
    Invalidated,
    /// Invalidations that the host did not let be noted.
    InvalidationFailed,
    /// Requests answered from the cache after the origin said that the stored response is still good.
    Revalidated,
    /// Requests answered from the cache with what was stale.
    Stale,
    /// Responses stored.
    Stored,
    /// Ticks that could not do their work.
    TickFailed,
}

impl Counter {
    /// Every counter, in the order of [`Counter::index`].
    pub fn all() -> impl Iterator<Item = Counter> {
        let plain = [
            Self::Corrupt,
            Self::Evicted,
            Self::Hit,
            Self::HostFailed,
            Self::Invalidated,
            Self::InvalidationFailed,
            Self::Missed,
            Self::NotModified,
            Self::Revalidated,
            Self::Stale,
            Self::Stored,
            Self::TickFailed,
            Self::Inspected,
            Self::HotHit,
            Self::Compressed,
            Self::CompressionSaved,
            Self::CompressionWasted,
            Self::Unzipped,
        ];
        let bypassed = Reason::ALL.iter().map(|reason| Self::Bypassed(*reason));
        let not_stored = Reason::ALL.iter().map(|reason| Self::NotStored(*reason));
        plain.into_iter().chain(bypassed).chain(not_stored)
    }

    /// Its place in [`Counter::all`].
    pub fn index(self) -> usize {
        const PLAIN: usize = 18;
        let reasons = Reason::ALL.len();
        match self {
            Self::Corrupt => 0,
            Self::Evicted => 1,
            Self::Hit => 2,
            Self::HostFailed => 3,
            Self::Invalidated => 4,
            Self::InvalidationFailed => 5,
            Self::Missed => 6,
            Self::NotModified => 7,
            Self::Revalidated => 8,
            Self::Stale => 9,
            Self::Stored => 10,
            Self::TickFailed => 11,
            Self::Inspected => 12,
            Self::HotHit => 13,
            Self::Compressed => 14,
            Self::CompressionSaved => 15,
            Self::CompressionWasted => 16,
            Self::Unzipped => 17,
            Self::Bypassed(reason) => PLAIN.saturating_add(reason as usize),
            Self::NotStored(reason) => PLAIN
                .saturating_add(reasons)
                .saturating_add(reason as usize),
        }
    }

    /// Its name in the proxy's statistics, below `wasmcustom.`.
    pub fn name(self) -> String {
        match self {
            Self::Inspected => "larder_inspected_replies_total".to_owned(),
            Self::Bypassed(reason) => format!("larder_bypassed_total.reason.{}", reason.code()),
            Self::Compressed => "larder_compressed_total".to_owned(),
            Self::CompressionSaved => "larder_compression_saved_bytes_total".to_owned(),
            Self::CompressionWasted => "larder_compression_wasted_total".to_owned(),
            Self::Corrupt => "larder_corrupt_entries_total".to_owned(),
            Self::Evicted => "larder_evictions_total".to_owned(),
            Self::Hit => "larder_requests_total.outcome.hit".to_owned(),
            Self::HotHit => "larder_hot_hits_total".to_owned(),
            Self::HostFailed => "larder_host_failures_total".to_owned(),
            Self::Invalidated => "larder_invalidations_total".to_owned(),
            Self::InvalidationFailed => "larder_invalidations_failed_total".to_owned(),
            Self::Missed => "larder_requests_total.outcome.miss".to_owned(),
            Self::NotModified => "larder_not_modified_total".to_owned(),
            Self::NotStored(reason) => format!("larder_not_stored_total.reason.{}", reason.code()),
            Self::Revalidated => "larder_requests_total.outcome.revalidated".to_owned(),
            Self::Stale => "larder_requests_total.outcome.stale".to_owned(),
            Self::Stored => "larder_stored_total".to_owned(),
            Self::Unzipped => "larder_unzipped_replies_total".to_owned(),
            Self::TickFailed => "larder_tick_failures_total".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_counter_has_its_own_place_and_name() {
        let mut names = HashSet::new();
        for (place, counter) in Counter::all().enumerate() {
            assert_eq!(counter.index(), place, "{counter:?}");
            assert!(
                names.insert(counter.name()),
                "{counter:?} is named like another"
            );
        }
    }
}
