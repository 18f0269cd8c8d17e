//! What a configuration can have wrong that its schema cannot tell.

/// Something that only Larder itself checks.
#[derive(Clone, Copy, Debug)]
pub struct Beyond {
    /// What it is, for people, in Markdown.
    pub what: &'static str,
    /// What stands in the messages about it.
    pub said: &'static [&'static str],
}

const fn beyond(what: &'static str, said: &'static [&'static str]) -> Beyond {
    Beyond { what, said }
}

/// All of it.
pub const BEYOND: [Beyond; 13] = [
    beyond(
        "a field that stands twice in one object, names of HTTP fields in another case too",
        &["stands twice"],
    ),
    beyond(
        "whole numbers that are written with a point or an exponent (`9.0`, `1e3`)",
        &["must be a whole number, without fraction or exponent"],
    ),
    beyond(
        "shares with more than three digits behind the point",
        &["must have at most three digits"],
    ),
    beyond(
        "the length of texts in bytes: a schema counts letters",
        &["bytes long"],
    ),
    beyond(
        "two rules with one name",
        &["is the name of an earlier rule"],
    ),
    beyond(
        "regular expressions that are none, or too large, and paths that match nothing",
        &[
            "is no regular expression",
            "matches nothing: every path begins with `/`",
            "must not be empty behind `regex:`",
        ],
    ),
    beyond(
        "`{values}` in texts: braces without their other half, groups that `match.path` does not have, `{identity}` without `identity`, fields in `tags` that are not in the key, letters that no tag may have",
        &[
            "has a `{` without `}`",
            "has a `}` without `{`",
            "which is no name of a group",
            "has no group of that name",
            "has `{identity}`, but the rule has none",
            "is not in `key.headers`",
            "may only have visible US-ASCII",
        ],
    ),
    beyond(
        "hosts that are none",
        &[
            "may have one `*`",
            "must be a host name or address",
            "must be without port",
            "must be a host, with a port or without",
            "must be a host, without a port",
        ],
    ),
    beyond(
        "methods that the rule cannot take: others than GET and HEAD where responses are cached, POST and QUERY without `key.body`, or methods that write nothing beside `invalidates`",
        &[
            "is cached only with `key.body`",
            "is not cached: only",
            "writes nothing that `invalidates` could be about",
            "must be named beside `key.body`",
        ],
    ),
    beyond(
        "`key.body` without `hold_headers: true`, and that without `key.body`, `esi: true` or `json_include: true`",
        &[
            "needs `hold_headers: true` in the rule",
            "has no meaning without `key.body`",
        ],
    ),
    beyond(
        "`ttl_mode: \"override\"` without a TTL",
        &["`override` needs `ttl_seconds`"],
    ),
    beyond(
        "a `limits.max_object_bytes` above `storage.max_bytes` or `limits.capture_bytes`",
        &[
            "must be at most `storage.max_bytes`",
            "must be at least `limits.max_object_bytes`",
        ],
    ),
    beyond(
        "a status that `negative` names twice, and a number in `store_if.json.equals` with too many digits",
        &["names the status", "more digits than can be compared"],
    ),
];
