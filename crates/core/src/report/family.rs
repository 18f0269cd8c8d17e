//! Every statistic, with its labels: one table for the code that counts, the names that the proxy shows, and the manual.
//!
//! The host knows no labels, so they stand in the name, each before its value: `larder_requests_total.rule.profile.outcome.hit`.
//! The proxy's `stats_tags` lift them out. No URL, key or tag is ever part of a name: what a client chooses must not make
//! statistics.

macro_rules! families {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, [$($label:literal),*],)+) => {
        /// A statistic, or several that differ in their labels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Family {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Family {
            /// All of them, in the order of the manual.
            pub const ALL: &'static [Family] = &[$(Family::$variant,)+];

            /// Its name in the proxy's statistics, below `wasmcustom.` and before the labels.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Family::$variant => $name,)+
                }
            }

            /// The names of its labels, in the order in which they stand in a statistic's name.
            pub const fn labels(self) -> &'static [&'static str] {
                match self {
                    $(Family::$variant => &[$($label),*],)+
                }
            }

            /// What it counts, for the manual.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Family::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

families! {
    /// Requests by what became of them; `unmatched` where no rule matches, or the request cannot be read. Shown twice a second.
    Requests = "larder_requests_total", ["rule", "outcome"],
    /// Requests that were not looked up.
    Bypassed = "larder_bypassed_total", ["reason"],
    /// Hits that came from a worker's own memory. Shown twice a second.
    HotHits = "larder_hot_hits_total", [],
    /// Answers from the cache that were 304. Shown twice a second.
    NotModified = "larder_not_modified_total", [],
    /// Bytes of bodies that clients were sent. Shown twice a second.
    Served = "larder_bytes_served_total", ["source"],
    /// Microseconds from a request to the head of the origin's response, of requests that were looked up.
    FetchTimes = "larder_fetch_microseconds", [],
    /// Microseconds from a request to the head of an answer from the cache, of one hit in sixteen.
    HitTimes = "larder_hit_microseconds", [],
    /// Requests to the origin that were looked up before. Shown twice a second.
    Fetches = "larder_origin_fetches_total", ["class", "result"],
    /// Requests that waited for what another one fetched; what became of them is in `larder_requests_total`.
    Coalesced = "larder_coalesced_total", [],
    /// Times that one of those waited for as long as it may: then one of them asks the origin, or each does.
    LockTimeouts = "larder_lock_timeouts_total", [],
    /// The sum of the microseconds of `larder_origin_fetches_total`. Shown twice a second.
    FetchTime = "larder_fetch_time_microseconds_total", [],
    /// Answers from the cache whose time was taken. Shown twice a second.
    TimedHits = "larder_timed_hits_total", [],
    /// The sum of the microseconds of `larder_timed_hits_total`. Shown twice a second.
    HitTime = "larder_hit_time_microseconds_total", [],
    /// Answers from the cache that were stale, by what let them be given.
    StaleServed = "larder_stale_served_total", ["reason"],
    /// Times that a worker began to count an origin as failed, again after a try that failed too, and as well again; while it
    /// counts as failed, answers have the reason `breaker-open`.
    BreakerChanges = "larder_breaker_changes_total", ["state"],
    /// Responses stored.
    Stored = "larder_stored_total", [],
    /// Responses to requests that were looked up, and that were not stored.
    NotStored = "larder_not_stored_total", ["reason"],
    /// Pages made of templates and fragments.
    Pages = "larder_pages_total", [],
    /// Fragments that are missing on pages whose templates did not say what stands in their place.
    FragmentsMissing = "larder_fragments_missing_total", ["reason"],
    /// Templates that went to clients as they are.
    TemplatesRaw = "larder_templates_raw_total", ["reason"],
    /// Entries, as of the last sweep.
    Entries = "larder_entries", ["vm_id"],
    /// Bytes stored: a running estimate, corrected by each sweep.
    Bytes = "larder_bytes", ["vm_id"],
    /// Bytes that the workers' own answers take, all workers together. Shown twice a second.
    HotBytes = "larder_hot_bytes", ["vm_id"],
    /// Entries that went: to make room, since they were past, or since an invalidation had ended them.
    Evictions = "larder_evictions_total", ["cause"],
    /// When the process began to cache, in seconds since 1970.
    Started = "larder_started_seconds", ["vm_id"],
    /// Invalidations, by what they name, how much they take away and who wanted them.
    Invalidations = "larder_invalidations_total", ["kind", "mode", "source"],
    /// Invalidations that the host did not let be noted: what they name may be served until it expires.
    InvalidationsFailed = "larder_invalidations_failed_total", [],
    /// Moves with every invalidation, and when a worker starts; workers compare it to know that there is none they have not
    /// seen.
    Changes = "larder_changes", ["vm_id"],
    /// Responses that would have been answered from the cache as the origin answered, under rules with `shadow`. Shown twice
    /// a second.
    ShadowMatches = "larder_shadow_match_total", ["rule"],
    /// Responses that would have been answered from the cache otherwise, under rules with `shadow`. Shown twice a second.
    ShadowMismatches = "larder_shadow_mismatch_total", ["rule"],
    /// What the service of the fleet (`admin`) was asked, and what it said.
    FleetOps = "larder_fleet_ops_total", ["op", "result"],
    /// Stored responses that were compressed.
    Compressed = "larder_compressed_total", [],
    /// Bytes of the bodies that were compressed, before.
    CompressionInput = "larder_compression_input_bytes_total", [],
    /// Bytes that this saved.
    CompressionSaved = "larder_compression_saved_bytes_total", [],
    /// Stored responses that would not have become shorter by `compression.min_saving`, and stay as they came.
    CompressionWasted = "larder_compression_wasted_total", [],
    /// Answers from the cache that were unzipped for clients that do not take gzip; if these are most of the hits, switch
    /// compression off.
    Unzipped = "larder_unzipped_replies_total", [],
    /// Answers from the cache whose head was read again because the proxy had altered it: once for each entry where a route
    /// adds headers, 0 where none does.
    Inspected = "larder_inspected_replies_total", [],
    /// Configurations: accepted, counted by each worker; refused, counted once.
    Reloads = "larder_config_reloads_total", ["result"],
    /// Calls of the management API with the right token.
    Calls = "larder_management_calls_total", ["outcome"],
    /// Calls of the management API without the right token.
    AuthFailures = "larder_management_auth_failures_total", [],
    /// Lookups that found bytes which are no entry, or another key's.
    Corrupt = "larder_corrupt_entries_total", [],
    /// Calls to the host that failed; the request went on without the cache.
    HostFailures = "larder_host_failures_total", [],
    /// Lookups that were left out, because shared data had failed twenty times in a row or was slow for more than a second: for
    /// 5 seconds, doubling to 60, requests go to the origin.
    TierSkips = "larder_tier_skips_total", [],
    /// Ticks that could not keep the lease, repair or sweep.
    TickFailures = "larder_tick_failures_total", [],
}

impl Family {
    /// The statistic with these values of its labels.
    pub fn with(self, values: &[&str]) -> String {
        let mut name = self.name().to_owned();
        for (label, value) in self.labels().iter().zip(values) {
            for part in [label, value] {
                name.push('.');
                name.push_str(part);
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_in_the_name() {
        assert_eq!(
            Family::Requests.with(&["user-profile", "hit"]),
            "larder_requests_total.rule.user-profile.outcome.hit"
        );
        assert_eq!(Family::Stored.with(&[]), "larder_stored_total");
        assert_eq!(Family::Bytes.with(&[]), "larder_bytes", "no label, no part");
    }
}
