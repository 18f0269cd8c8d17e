//! A policy and a stored response's facts for tests to vary.

use crate::config::{
    CacheErrors, CachePolicy, Compression, Heuristic, KeySpec, NoVarySearch, QueryOrder, QuerySpec,
    RequestCacheControl, RequestContent, RuleHash, SetCookie, Sparing, StoreIf, Switch, Tagging,
    Templates, Ttl,
};
use crate::entry::{
    Epoch, FreshnessSource, Lifetime, Meta, StalePermission, Staleness, Validation,
};
use crate::time::{Seconds, Timestamp};

/// Field lines as a test writes them.
pub(super) type Fields<'a> = &'a [(&'a str, &'a str)];

/// What RFC 9111 gives without an operator's word.
pub(super) fn policy() -> CachePolicy {
    CachePolicy {
        hash: RuleHash(1),
        ttl: Ttl::Origin,
        heuristic: Heuristic::Off,
        request_cache_control: RequestCacheControl::Ignore,
        set_cookie: SetCookie::Bypass,
        cache_errors: CacheErrors::Explicit,
        no_vary_search: NoVarySearch::Ignore,
        compression: Compression::Off,
        key: KeySpec {
            template: None,
            headers: Vec::new(),
            cookies: Vec::new(),
            query: QuerySpec {
                include: None,
                exclude: Vec::new(),
                order: QueryOrder::Sorted,
            },
            content: RequestContent::Bypass,
        },
        identity: None,
        store_if: StoreIf::default(),
        sparing: Sparing::new(),
        shadow: Switch::Off,
        tagging: Tagging::default(),
        templates: Templates::DEFAULT,
    }
}

/// A response that came ten seconds old at second 1000 and is fresh until it is 70 seconds old.
pub(super) fn meta() -> Meta {
    Meta {
        request_time: Timestamp::from_secs(999),
        response_time: Timestamp::from_secs(1000),
        initial_age: Seconds::clamped(10),
        lifetime: Lifetime {
            seconds: Seconds::clamped(70),
            source: FreshnessSource::Origin,
        },
        epoch: Epoch {
            log: 1,
            position: 0,
        },
        rule: RuleHash(1),
        validation: Validation::Never,
        staleness: Staleness {
            permission: StalePermission::Granted,
            while_revalidate: None,
            if_error: None,
        },
    }
}
