//! The words that labels of statistics have: each label's values are an enumeration, so there are never more than these.

macro_rules! labels {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident { $($(#[doc = $value_doc:literal])+ $value:ident = $word:literal,)+ }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[doc = $value_doc])+ $value,)+
        }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$value,)+];

            /// The word for it in a statistic's name.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }
    )+};
}

impl Outcome {
    /// That of a request which was answered with a fresh response with this status.
    pub const fn of_fresh(status: u16) -> Self {
        match status {
            ..400 => Self::Hit,
            400.. => Self::Negative,
        }
    }
}

impl FleetOp {
    /// What the service can say to it.
    pub const fn results(self) -> &'static [FleetResult] {
        match self {
            Self::Get | Self::Wait => &[
                FleetResult::Hit,
                FleetResult::Miss,
                FleetResult::Held,
                FleetResult::Timeout,
                FleetResult::Busy,
                FleetResult::Error,
                FleetResult::Refused,
                FleetResult::Version,
            ],
            Self::Heartbeat | Self::Poll | Self::Post | Self::Put | Self::Release => &[
                FleetResult::Ok,
                FleetResult::Timeout,
                FleetResult::Busy,
                FleetResult::Error,
                FleetResult::Refused,
                FleetResult::Version,
            ],
        }
    }
}

labels! {
    /// What an origin counts as.
    BreakerState {
        /// As well.
        Closed = "closed",
        /// As failed.
        Open = "open",
    }

    /// What became of a request.
    Outcome {
        /// It was not looked up.
        Bypass = "bypass",
        /// It was answered from the cache with what another request had fetched, for which it waited.
        Collapsed = "collapsed",
        /// It was answered from the cache with what was fresh, and no error.
        Hit = "hit",
        /// It was looked up and not answered from the cache.
        Miss = "miss",
        /// It was answered from the cache with an error that was fresh.
        Negative = "negative",
        /// It was answered from the cache after the origin said that the stored response is still good.
        Revalidated = "revalidated",
        /// It was answered from the cache with what was stale.
        Stale = "stale",
    }

    /// Where the bytes of a body came from.
    ServedFrom {
        /// Another process of the fleet, which was asked for it.
        Fleet = "fleet",
        /// A worker's own memory.
        Hot = "hot",
        /// The origin.
        Origin = "origin",
        /// The memory that all workers share.
        Shared = "shared",
    }

    /// What the service of the fleet is asked.
    FleetOp {
        /// For an entry, before the origin is asked.
        Get = "get",
        /// To hear of this instance.
        Heartbeat = "heartbeat",
        /// What was invalidated elsewhere.
        Poll = "poll",
        /// To note what was invalidated here.
        Post = "post",
        /// To take an entry.
        Put = "put",
        /// To let others lead, since nothing came.
        Release = "release",
        /// For an entry that another instance is about to bring.
        Wait = "wait",
    }

    /// What the service of the fleet had to say.
    FleetResult {
        /// It was not asked: too much is asked already, or it counts as failed.
        Busy = "busy",
        /// Something that makes no sense, an error of its own, or nothing since it cannot be reached.
        Error = "error",
        /// Another instance leads.
        Held = "held",
        /// It has it.
        Hit = "hit",
        /// It has nothing that is current.
        Miss = "miss",
        /// It is done.
        Ok = "ok",
        /// It does not want that: the secret is wrong, the entry too large, or there is a younger one.
        Refused = "refused",
        /// Nothing in time.
        Timeout = "timeout",
        /// It speaks another version of the protocol.
        Version = "version",
    }

    /// For whom the origin was asked.
    FetchClass {
        /// A client that was given what is stale.
        Background = "bg",
        /// A client that waits.
        Foreground = "fg",
        /// Whoever asked that it be stored before clients come.
        Warm = "warm",
    }

    /// What the origin had to say.
    FetchResult {
        /// That what is stored is still good.
        Confirmed = "confirmed",
        /// An error of its own: 5xx, or a head that cannot be read.
        Error = "error",
        /// Nothing: the proxy, or another filter, made the response.
        Local = "local",
        /// A response.
        Ok = "ok",
    }

    /// Why an entry went.
    EvictionCause {
        /// It was of no use any more, and the sweep came by.
        Expired = "expired",
        /// An invalidation has ended it, and the sweep came by.
        Invalidated = "invalidated",
        /// Another needed its place.
        Room = "room",
    }

    /// What an invalidation names.
    InvalidationKind {
        /// Everything.
        All = "all",
        /// A cache group (RFC 9875).
        Group = "group",
        /// One readable key.
        Key = "key",
        /// A pattern of keys.
        Pattern = "pattern",
        /// The beginning of keys.
        Prefix = "prefix",
        /// A tag.
        Tag = "tag",
        /// What a write was about (RFC 9111 section 4.4).
        Write = "write",
    }

    /// Who wanted an invalidation.
    InvalidationSource {
        /// Somebody with the token.
        Api = "api",
        /// A rule's `invalidates`.
        Rule = "rule",
        /// A write that succeeded, or what its response says.
        Write = "write",
    }

    /// What became of a configuration.
    Reload {
        /// It holds.
        Accepted = "accepted",
        /// The one before it holds on.
        Refused = "refused",
    }

    /// How a call of the management API ended.
    CallOutcome {
        /// It could not be done.
        Failed = "failed",
        /// It was done.
        Ok = "ok",
        /// There was something wrong with it.
        Refused = "refused",
    }
}
