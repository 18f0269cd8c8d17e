//! Why: one table for every decision not to answer, not to look, or not to store, and for answers that are stale.
//!
//! The code stands in `Cache-Status` as `detail`, names the counter, and heads the row in the documentation, so that
//! what the client sees, what the graph shows and what the manual says are the same word.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal,)+) => {
        /// Why a request was not answered from the cache, or answered with something stale, or a response not stored.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)+];

            /// The code: lower-case words joined by hyphens.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Reason::$variant => $code,)+
                }
            }

            /// One sentence for the manual.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Reason::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

reasons! {
    /// The path could mean one thing to the cache and another to the origin (dot segments, backslash, control bytes).
    AmbiguousPath = "ambiguous-path",
    /// The request carries credentials and nothing allows a shared cache to store the answer (RFC 9111 section 3.5).
    Authorization = "authorization",
    /// The response is stale, and its origin counts as failed (`breaker`): it is asked by one request at a time.
    BreakerOpen = "breaker-open",
    /// The worker already keeps as many bytes of bodies and requests under way as `limits.capture_bytes` allows, or as many
    /// requests as it may whose body has not begun.
    Busy = "busy",
    /// The response is older than it may get.
    Expired = "expired",
    /// A fragment's address is none that may be asked for: another host's, the management API's, or no address.
    FragmentAddress = "fragment-address",
    /// The page has more fragments, deeper ones, or more bytes than `composition` allows.
    FragmentBound = "fragment-bound",
    /// A fragment did not come within `composition.timeout_ms`.
    FragmentOverdue = "fragment-overdue",
    /// A fragment was answered with an error.
    FragmentStatus = "fragment-status",
    /// A fragment could not be asked for: nobody answers, or the route alters requests (then name `background.cluster`).
    FragmentUnreachable = "fragment-unreachable",
    /// A fragment is coded, or not of the type that its template needs.
    FragmentUnreadable = "fragment-unreadable",
    /// gRPC is answered by grpc-status trailers, which a cache cannot replay.
    Grpc = "grpc",
    /// The rule wants an identity, and the value it names cannot be used.
    IdentityInvalid = "identity-invalid",
    /// The body ended before it was complete.
    Incomplete = "incomplete",
    /// Something in Larder failed; the request went on without it.
    Internal = "internal",
    /// Something has been written to it, or to its cache group, since it was stored, or it has been purged.
    Invalidated = "invalidated",
    /// The key would be longer than `limits.max_key_bytes`, or holds bytes no key may hold.
    KeyInvalid = "key-invalid",
    /// The response was made by the proxy, not by the origin.
    LocalReply = "local-reply",
    /// The response is stale, and the client takes it so (`max-stale`, RFC 9111 section 5.2.1.2).
    MaxStale = "max-stale",
    /// The path ends like that of a style sheet, a script or an image, and the response is a page or data: it may be somebody's.
    MediaType = "media-type",
    /// The method is not one that is cached.
    Method = "method",
    /// The request was held for its body, of which nothing came for 5 seconds; if that is so with every request,
    /// `allow_on_headers_stop_iteration` is not set.
    NoBody = "no-body",
    /// The origin allows reuse only after asking it again.
    NoCache = "no-cache",
    /// Neither the origin nor a rule says how long the response is good for.
    NoFreshness = "no-freshness",
    /// `storage.max_bytes` is used up and not enough could be evicted in the effort a request may spend.
    NoRoom = "no-room",
    /// No rule matches, and unmatched requests are left alone.
    NoRule = "no-rule",
    /// The request or the response says no-store.
    NoStore = "no-store",
    /// The cache is full, and the response was not asked for often enough to displace another.
    NotAdmitted = "not-admitted",
    /// The client asked for an answer from the cache or none, and there is none (RFC 9111 section 5.2.1.7).
    OnlyIfCached = "only-if-cached",
    /// The rule for this entry has changed since it was stored.
    OtherRule = "other-rule",
    /// The origin confirmed another representation than the stored one that it was asked about.
    OtherValidator = "other-validator",
    /// The response may have been invalidated elsewhere: nothing has been heard of the fleet (`admin`) for longer than
    /// `admin.max_unsynced_seconds`, and it was asked for before that.
    OutOfContact = "out-of-contact",
    /// A part that cannot be kept: one of several, one that no strong ETag names, or one that cannot stand alone.
    PartialContent = "partial-content",
    /// The request has a condition that only the origin can judge (If-Match, If-Unmodified-Since).
    Precondition = "precondition",
    /// The response is for one user alone.
    Private = "private",
    /// The response is an error to a request for a range, and may be about the range.
    Range = "range",
    /// The part does not touch the larger one that is stored.
    RangeGap = "range-gap",
    /// The request has a body that is no part of the key, or one that cannot be held: without Content-Length, longer than
    /// 32 KiB, or sent only after the origin's 100.
    RequestBody = "request-body",
    /// The request's own Cache-Control forbids this answer, or its `larder-token` stands for a write that this process has not
    /// heard of yet.
    RequestDirective = "request-directive",
    /// What the route's metadata says for Larder makes no sense; the log says why.
    RouteMetadata = "route-metadata",
    /// The rule says `cache: false`.
    RuleBypass = "rule-bypass",
    /// The response sets a cookie.
    SetCookie = "set-cookie",
    /// The rule is only tried (`shadow`): there is a response that would have been the answer.
    ShadowHit = "shadow-hit",
    /// The rule is only tried (`shadow`): there is nothing that could have been the answer.
    ShadowMiss = "shadow-miss",
    /// The response is stale, and the origin failed when it was asked (`stale-if-error`).
    Sie = "sie",
    /// The set of slots could not be changed in the few tries a request may spend.
    SlotContention = "slot-contention",
    /// It has been purged softly since it was stored: it is stale, whatever its time.
    SoftPurged = "soft-purged",
    /// The status is not one that is stored under this rule.
    Status = "status",
    /// The rule's `store_if` does not hold.
    StoreIf = "store-if",
    /// The response is stale, and is made fresh meanwhile (`stale-while-revalidate`).
    Swr = "swr",
    /// The response has more tags than `limits.max_tags`, or longer ones (256 bytes, 8 KiB together, 1,024 levels), or is in more
    /// cache groups than 64, of 256 bytes.
    TagLimit = "tag-limit",
    /// The template came in a content coding, so no page could be made of it.
    TemplateCoded = "template-coded",
    /// The response is larger than `limits.max_object_bytes`, or, as a template, than `composition.max_bytes`.
    TooLarge = "too-large",
    /// The request upgrades to another protocol.
    Upgrade = "upgrade",
    /// The URL already has as many variants as `limits.max_variants` allows.
    VaryLimit = "vary-limit",
    /// The response varies on everything.
    VaryStar = "vary-star",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_tokens_in_alphabetical_order() {
        let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        assert!(codes.iter().all(|code| {
            code.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        }));
    }

    #[test]
    fn every_reason_is_described() {
        assert!(
            Reason::ALL
                .iter()
                .all(|reason| reason.description().ends_with('.'))
        );
    }
}
