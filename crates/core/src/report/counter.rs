//! Every number Larder counts.

use super::family::Family;
use super::label::{
    BreakerState, CallOutcome, EvictionCause, FetchClass, FetchResult, FleetOp, FleetResult,
    InvalidationKind, InvalidationSource, Outcome, Reload, ServedFrom,
};
use crate::epoch::Mode;
use crate::policy::Reason;

/// One number that only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    /// See [`Family::AuthFailures`].
    AuthFailed,
    /// See [`Family::BreakerChanges`].
    BreakerChanged(BreakerState),
    /// See [`Family::Bypassed`].
    Bypassed(Reason),
    /// See [`Family::Calls`].
    Called(CallOutcome),
    /// See [`Family::Coalesced`].
    Coalesced,
    /// See [`Family::Compressed`].
    Compressed,
    /// See [`Family::CompressionInput`].
    CompressionInput,
    /// See [`Family::CompressionSaved`].
    CompressionSaved,
    /// See [`Family::CompressionWasted`].
    CompressionWasted,
    /// See [`Family::Corrupt`].
    Corrupt,
    /// See [`Family::Evictions`].
    Evicted(EvictionCause),
    /// See [`Family::Fetches`].
    Fetched(FetchClass, FetchResult),
    /// See [`Family::FetchTime`].
    FetchTime,
    /// See [`Family::FleetOps`]; only with one of [`FleetOp::results`].
    Fleet(FleetOp, FleetResult),
    /// See [`Family::FragmentsMissing`]; only with a reason of a fragment.
    FragmentMissing(Reason),
    /// See [`Family::HitTime`].
    HitTime,
    /// See [`Family::HostFailures`].
    HostFailed,
    /// See [`Family::HotHits`].
    HotHit,
    /// See [`Family::Inspected`].
    Inspected,
    /// See [`Family::Invalidations`].
    Invalidated(InvalidationKind, Mode, InvalidationSource),
    /// See [`Family::InvalidationsFailed`].
    InvalidationFailed,
    /// See [`Family::LockTimeouts`].
    LockTimeout,
    /// See [`Family::NotModified`].
    NotModified,
    /// See [`Family::NotStored`].
    NotStored(Reason),
    /// See [`Family::Pages`].
    PageMade,
    /// See [`Family::Reloads`].
    Reloaded(Reload),
    /// See [`Family::Served`].
    Served(ServedFrom),
    /// See [`Family::StaleServed`].
    StaleServed(Reason),
    /// See [`Family::Stored`].
    Stored,
    /// See [`Family::TemplatesRaw`]; only with a reason of a template.
    TemplateRaw(Reason),
    /// See [`Family::TickFailures`].
    TickFailed,
    /// See [`Family::TierSkips`].
    TierSkipped,
    /// See [`Family::TimedHits`].
    TimedHits,
    /// See [`Family::Unzipped`].
    Unzipped,
}

/// One number that only grows, and that each rule has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleCounter {
    /// See [`Family::Requests`].
    Requests(Outcome),
    /// See [`Family::ShadowMatches`].
    ShadowMatch,
    /// See [`Family::ShadowMismatches`].
    ShadowMismatch,
}

/// Those without labels.
const PLAIN: [Counter; 21] = [
    Counter::Stored,
    Counter::HotHit,
    Counter::NotModified,
    Counter::PageMade,
    Counter::Coalesced,
    Counter::FetchTime,
    Counter::TimedHits,
    Counter::HitTime,
    Counter::Inspected,
    Counter::Unzipped,
    Counter::Compressed,
    Counter::CompressionInput,
    Counter::CompressionSaved,
    Counter::CompressionWasted,
    Counter::Corrupt,
    Counter::HostFailed,
    Counter::InvalidationFailed,
    Counter::TickFailed,
    Counter::TierSkipped,
    Counter::AuthFailed,
    Counter::LockTimeout,
];

/// Why a fragment is missing.
pub(super) const MISSING: [Reason; 6] = [
    Reason::FragmentAddress,
    Reason::FragmentBound,
    Reason::FragmentOverdue,
    Reason::FragmentStatus,
    Reason::FragmentUnreachable,
    Reason::FragmentUnreadable,
];

/// Why no page is made of a template.
pub(super) const RAW: [Reason; 2] = [Reason::TemplateCoded, Reason::TooLarge];

/// What lets something stale be given.
const STALE: [Reason; 4] = [
    Reason::BreakerOpen,
    Reason::MaxStale,
    Reason::Sie,
    Reason::Swr,
];

impl Counter {
    /// Every counter, those that grow most often first.
    pub fn all() -> Vec<Self> {
        let mut all = PLAIN.to_vec();
        for reason in Reason::ALL {
            all.extend([Self::NotStored(*reason), Self::Bypassed(*reason)]);
        }
        for class in FetchClass::ALL {
            all.extend(
                FetchResult::ALL
                    .iter()
                    .map(|result| Self::Fetched(*class, *result)),
            );
        }
        for op in FleetOp::ALL {
            all.extend(op.results().iter().map(|result| Self::Fleet(*op, *result)));
        }
        all.extend(ServedFrom::ALL.iter().map(|source| Self::Served(*source)));
        all.extend(EvictionCause::ALL.iter().map(|cause| Self::Evicted(*cause)));
        all.extend(
            CallOutcome::ALL
                .iter()
                .map(|outcome| Self::Called(*outcome)),
        );
        all.extend(
            BreakerState::ALL
                .iter()
                .map(|state| Self::BreakerChanged(*state)),
        );
        all.extend(STALE.map(Self::StaleServed));
        all.extend(MISSING.map(Self::FragmentMissing));
        all.extend(RAW.map(Self::TemplateRaw));
        all.extend(Reload::ALL.iter().map(|result| Self::Reloaded(*result)));
        for kind in InvalidationKind::ALL {
            for mode in Mode::ALL {
                let sources = InvalidationSource::ALL.iter();
                all.extend(sources.map(|source| Self::Invalidated(*kind, *mode, *source)));
            }
        }
        all
    }

    /// Its family.
    pub const fn family(self) -> Family {
        match self {
            Self::AuthFailed => Family::AuthFailures,
            Self::BreakerChanged(_) => Family::BreakerChanges,
            Self::Bypassed(_) => Family::Bypassed,
            Self::Called(_) => Family::Calls,
            Self::Coalesced => Family::Coalesced,
            Self::Compressed => Family::Compressed,
            Self::CompressionInput => Family::CompressionInput,
            Self::CompressionSaved => Family::CompressionSaved,
            Self::CompressionWasted => Family::CompressionWasted,
            Self::Corrupt => Family::Corrupt,
            Self::Evicted(_) => Family::Evictions,
            Self::Fetched(..) => Family::Fetches,
            Self::FetchTime => Family::FetchTime,
            Self::Fleet(..) => Family::FleetOps,
            Self::FragmentMissing(_) => Family::FragmentsMissing,
            Self::HitTime => Family::HitTime,
            Self::HostFailed => Family::HostFailures,
            Self::HotHit => Family::HotHits,
            Self::Inspected => Family::Inspected,
            Self::Invalidated(..) => Family::Invalidations,
            Self::InvalidationFailed => Family::InvalidationsFailed,
            Self::LockTimeout => Family::LockTimeouts,
            Self::NotModified => Family::NotModified,
            Self::NotStored(_) => Family::NotStored,
            Self::PageMade => Family::Pages,
            Self::Reloaded(_) => Family::Reloads,
            Self::Served(_) => Family::Served,
            Self::StaleServed(_) => Family::StaleServed,
            Self::Stored => Family::Stored,
            Self::TemplateRaw(_) => Family::TemplatesRaw,
            Self::TickFailed => Family::TickFailures,
            Self::TierSkipped => Family::TierSkips,
            Self::TimedHits => Family::TimedHits,
            Self::Unzipped => Family::Unzipped,
        }
    }

    /// Its name in the proxy's statistics, below `wasmcustom.`.
    pub fn name(self) -> String {
        let family = self.family();
        match self {
            Self::BreakerChanged(state) => family.with(&[state.word()]),
            Self::Bypassed(reason)
            | Self::FragmentMissing(reason)
            | Self::NotStored(reason)
            | Self::StaleServed(reason)
            | Self::TemplateRaw(reason) => family.with(&[reason.code()]),
            Self::Called(outcome) => family.with(&[outcome.word()]),
            Self::Evicted(cause) => family.with(&[cause.word()]),
            Self::Fetched(class, result) => family.with(&[class.word(), result.word()]),
            Self::Fleet(op, result) => family.with(&[op.word(), result.word()]),
            Self::Invalidated(kind, mode, source) => {
                family.with(&[kind.word(), mode.word(), source.word()])
            }
            Self::Reloaded(result) => family.with(&[result.word()]),
            Self::Served(source) => family.with(&[source.word()]),
            Self::AuthFailed
            | Self::Coalesced
            | Self::Compressed
            | Self::CompressionInput
            | Self::CompressionSaved
            | Self::CompressionWasted
            | Self::Corrupt
            | Self::FetchTime
            | Self::HitTime
            | Self::HostFailed
            | Self::HotHit
            | Self::Inspected
            | Self::InvalidationFailed
            | Self::LockTimeout
            | Self::NotModified
            | Self::PageMade
            | Self::Stored
            | Self::TickFailed
            | Self::TierSkipped
            | Self::TimedHits
            | Self::Unzipped => family.with(&[]),
        }
    }
}

impl RuleCounter {
    /// Every one, in the order of [`RuleCounter::index`].
    pub const ALL: [Self; 9] = [
        Self::Requests(Outcome::Bypass),
        Self::Requests(Outcome::Collapsed),
        Self::Requests(Outcome::Hit),
        Self::Requests(Outcome::Miss),
        Self::Requests(Outcome::Negative),
        Self::Requests(Outcome::Revalidated),
        Self::Requests(Outcome::Stale),
        Self::ShadowMatch,
        Self::ShadowMismatch,
    ];

    /// Its place in [`RuleCounter::ALL`].
    pub const fn index(self) -> usize {
        match self {
            Self::Requests(outcome) => outcome as usize,
            Self::ShadowMatch => 7,
            Self::ShadowMismatch => 8,
        }
    }

    /// Its family.
    pub const fn family(self) -> Family {
        match self {
            Self::Requests(_) => Family::Requests,
            Self::ShadowMatch => Family::ShadowMatches,
            Self::ShadowMismatch => Family::ShadowMismatches,
        }
    }

    /// Its name, for the rule of this name, in the proxy's statistics, below `wasmcustom.`.
    pub fn name(self, rule: &str) -> String {
        match self {
            Self::Requests(outcome) => self.family().with(&[rule, outcome.word()]),
            Self::ShadowMatch | Self::ShadowMismatch => self.family().with(&[rule]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_counter_has_its_own_name_with_all_labels() {
        let mut names = HashSet::new();
        let of_rules = RuleCounter::ALL.map(|counter| (counter.family(), counter.name("a-rule")));
        for (family, name) in Counter::all()
            .into_iter()
            .map(|counter| (counter.family(), counter.name()))
            .chain(of_rules)
        {
            let parts = 1 + 2 * family.labels().len();
            assert_eq!(name.split('.').count(), parts, "{name}");
            assert!(
                names.insert(name.clone()),
                "{name} is the name of another one"
            );
        }
    }

    #[test]
    fn counters_of_rules_have_their_places() {
        for (place, counter) in RuleCounter::ALL.into_iter().enumerate() {
            assert_eq!(counter.index(), place, "{counter:?}");
        }
    }
}
