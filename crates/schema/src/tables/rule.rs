//! The fields of a rule.

use serde_json::json;

use super::shared;
use crate::kinds::{
    COOKIE, FIELD_NAME, LONGEST_NAME, METHOD, MOST, formed, lifetime, list, object, status, text,
    texts,
};
use crate::model::{Absent, Condition, Field, Group, Kind, Table, Text};

const PARAMETER: Text = text(("a name with `*`", "names with `*`"), 128);
const LONGEST_PATTERN: usize = 1024;

/// One rule.
#[must_use]
pub(crate) fn rule() -> Table {
    let caching: Vec<_> = [key(), whose(), what(), freshness(), shared::in_a_rule()]
        .iter()
        .flatten()
        .map(|field| field.name)
        .filter(|name| *name != "cache")
        .collect();
    let beside_writes = caching.iter().copied().chain(["cache"]);
    Table {
        name: "rule",
        groups: vec![
            Group::new("rule.match", matching()),
            Group::new("rule.freshness", freshness()),
            Group::new("rule.key", key()),
            Group::new("rule.identity", whose()),
            Group::new("rule.what", what()),
            Group::new("rule.invalidates", vec![invalidates()]),
            // On the page they stand at the top.
            Group::new("", shared::in_a_rule()),
        ],
        conditions: vec![
            Condition::Alone {
                field: "invalidates",
                value: None,
                refused: beside_writes.filter(|name| *name != "identity").collect(),
            },
            Condition::Alone {
                field: "cache",
                value: Some(false),
                refused: caching,
            },
        ],
    }
}

fn matching() -> Vec<Field> {
    let name = formed(("a name", "names"), 64, "^[0-9A-Za-z_-]+$");
    vec![
        Field::new(
            "name",
            Kind::Text(name),
            "Unique; the word for this rule in messages and statistics.",
        )
        .required()
        .such_as("profile"),
        Field::new(
            "match",
            object("match", selectors()),
            "Which requests the rule takes: those that are like all of this.",
        )
        .required()
        .such_as(json!({ "path": "/api/.*" })),
    ]
}

fn selectors() -> Vec<Field> {
    let path = text(
        ("a regular expression", "regular expressions"),
        LONGEST_PATTERN,
    );
    let host = text(("a host", "hosts"), 255);
    vec![
        Field::new(
            "path",
            Kind::Text(path),
            "A regular expression that must match the whole path, without the query. Literals with `.*` between them, or with runs such as `[^/]+` and `[0-9]+` that end at the next literal, are matched in one pass and cost the least.",
        )
        .absent(Absent::Says("every path"))
        .such_as("/user/(?P<user_id>[^/]+)/profile"),
        Field::new("host", Kind::Text(host), "`api.example.com` or `*.example.com`, without a port.")
            .absent(Absent::Says("every host"))
            .such_as("*.example.com"),
        Field::new(
            "methods",
            texts(METHOD, 1),
            "A caching rule can only take GET and HEAD; with `key.body` also POST and QUERY, and then they must be named.",
        )
        .absent(Absent::Says("GET and HEAD; with `invalidates` POST, PUT, PATCH and DELETE"))
        .such_as(json!(["GET"])),
        Field::new("headers", Kind::Values, "Fields of the request that must have exactly these values. They are part of the key.")
            .or(json!({}))
            .such_as(json!({ "x-api": "v2" })),
    ]
}

fn freshness() -> Vec<Field> {
    vec![
        Field::new("cache", Kind::Flag, "`false`: requests pass, responses are not stored.").or(true),
        Field::new(
            "ttl_seconds",
            lifetime(),
            "For how long 200, 203, 204, 301 and 308 are fresh.",
        )
        .absent(Absent::Says("`default_ttl_seconds`"))
        .such_as(300),
        Field::new(
            "ttl_mode",
            Kind::Word(&["default", "override"]),
            "Where the origin gives no time, or in place of the origin's (`\"override\"`). Private, no-store and no-cache hold either way, and so does the origin's time for what it lets be shared in spite of credentials without saying `public`.",
        )
        .or("default"),
    ]
}

fn key() -> Vec<Field> {
    vec![
        Field::new("key", object("key", key_fields()), "What tells requests apart, beside scheme and host.")
            .absent(Absent::Says("path and query")),
        Field::new(
            "hold_headers",
            Kind::Flag,
            "Says that the listener lets bodies come while a head is held (`allow_on_headers_stop_iteration`). Needed by `key.body`, and of use with `esi` and `json_include`.",
        )
        .or(false)
        .see("requests-that-ask-by-their-body"),
    ]
}

fn key_fields() -> Vec<Field> {
    let template = text(("a text with `{name}`", "texts"), 512);
    vec![
        Field::new(
            "template",
            Kind::Text(template),
            "A text with `{name}` for the path's named groups; it takes the place of path and query.",
        )
        .absent(Absent::Says("path and query"))
        .such_as("user_profile:{user_id}"),
        Field::new("headers", texts(FIELD_NAME, 0), "Fields of the request that tell requests apart.")
            .or(json!([]))
            .such_as(json!(["accept-language"])),
        Field::new("cookies", texts(COOKIE, 0), "Cookies that tell requests apart.")
            .or(json!([]))
            .such_as(json!(["tenant"])),
        Field::new("query", object("query", query()), "Which parameters of the query tell requests apart."),
        Field::new(
            "body",
            Kind::Flag,
            "Whether a request's body, its `Content-*` fields and the method tell requests apart.",
        )
        .or(false)
        .see("requests-that-ask-by-their-body"),
    ]
}

fn query() -> Vec<Field> {
    vec![
        Field::new(
            "include",
            texts(PARAMETER, 0),
            "Only these parameters; `*` stands for anything.",
        )
        .absent(Absent::Says("all; with `key.template` none"))
        .such_as(json!(["page"])),
        Field::new(
            "exclude",
            texts(PARAMETER, 0),
            "Not these parameters; `*` stands for anything.",
        )
        .or(json!([]))
        .such_as(json!(["utm_*"])),
        Field::new(
            "sort",
            Kind::Flag,
            "Whether the order of parameters is ignored.",
        )
        .or(true),
    ]
}

fn whose() -> Vec<Field> {
    let claim = text(("the name of a claim", "names"), LONGEST_NAME);
    let fields = vec![
        Field::new("header", Kind::Text(FIELD_NAME), "A field of the request that says whose it is.")
            .such_as("x-user-id"),
        Field::new("cookie", Kind::Text(COOKIE), "A cookie that says it.").such_as("session"),
        Field::new("jwt_claim", Kind::Text(claim), "A claim in the payload of the bearer token that says it.")
            .such_as("sub"),
        Field::new(
            "metadata",
            texts(claim, 2),
            "Metadata that another filter has set and that says it: the filter's name, then the path within.",
        )
        .such_as(json!(["envoy.filters.http.jwt_authn", "payload", "sub"])),
        Field::new(
            "trusted",
            Kind::Flag,
            "Whether the value was verified before Larder; if not, the whole credential is part of the key too.",
        )
        .or(false),
        Field::new(
            "store_private",
            Kind::Flag,
            "Whether `private` responses are stored for that identity.",
        )
        .or(false),
    ];
    let sources = Condition::ExactlyOneOf(&["header", "cookie", "jwt_claim", "metadata"]);
    let table = Table::new("identity", fields).with(sources);
    let about = "Whose entry it is: one of `header`, `cookie`, `jwt_claim` and `metadata`.";
    vec![
        Field::new("identity", Kind::Object(table), about)
            .such_as(json!({ "header": "x-user-id", "trusted": true })),
    ]
}

fn what() -> Vec<Field> {
    let tag = text(("a tag", "tags"), 512);
    vec![
        Field::new("tags", texts(tag, 0), "The tags of what is stored, in which values of the request may stand.")
            .or(json!([]))
            .see("tags")
            .such_as(json!(["profiles", "tenant-of-all"])),
        Field::new("store_if", object("store_if", store_if()), "Further conditions on a response, all of which must hold."),
        Field::new(
            "esi",
            Kind::Flag,
            "Whether responses of a text or XML type are templates in ESI: all, or none. Where the rule does not say, those are that the origin marks with `Surrogate-Control: content=\"ESI/1.0\"`.",
        )
        .absent(Absent::Says("the origin's word")),
        Field::new(
            "json_include",
            Kind::Flag,
            "Whether objects `{\"$include\": \"/path\"}` in JSON are replaced by what is at that path.",
        )
        .or(false),
        Field::new("shadow", Kind::Flag, "Whether the rule is only tried: its responses are stored and compared, and nobody is given them.")
            .or(false)
            .see("trying-a-rule"),
    ]
}

fn store_if() -> Vec<Field> {
    let pointer = Text {
        noun: ("a JSON pointer", "JSON pointers"),
        may_be_empty: true,
        most: 512,
        pattern: Some("^(/([^~]|~[01])*)?$"),
    };
    let condition = vec![
        Field::new(
            "pointer",
            Kind::Text(pointer),
            "Where the value stands in the body (RFC 6901).",
        )
        .required()
        .such_as("/cacheable"),
        Field::new(
            "equals",
            Kind::Any,
            "The value that must stand there. A number with a point has at most fifteen digits.",
        )
        .required()
        .such_as(true),
    ];
    vec![
        Field::new(
            "status",
            list(status(200), 1, MOST),
            "Only with these statuses.",
        )
        .such_as(json!([200])),
        Field::new(
            "response_header",
            Kind::Values,
            "Only with these fields and values.",
        )
        .or(json!({}))
        .such_as(json!({ "x-cacheable": "yes" })),
        Field::new(
            "json",
            object("json_condition", condition),
            "Only if the body is JSON with this value.",
        )
        .such_as(json!({ "pointer": "/cacheable", "equals": true })),
    ]
}

fn invalidates() -> Field {
    let named = text(("a text with values", "texts with values"), LONGEST_PATTERN);
    let fields = vec![
        Field::new("tags", texts(named, 1), "Tags, and those below them: all responses that have one are invalid.")
            .such_as(json!(["reports"])),
        Field::new(
            "keys",
            texts(named, 1),
            "Names of keys: what the key's template makes, or `GET:api.example.com/path?query`; what begins with `/` is of the write's own host.",
        )
        .such_as(json!(["/users/me"])),
        Field::new(
            "patterns",
            texts(named, 1),
            "Names of keys with `*` for anything, none included; what begins with `/` is held against path and query, under every host. With `regex:` in front, a regular expression for the whole.",
        )
        .such_as(json!(["/api/analytics/*", "regex:/api/\\d{2}"])),
        Field::new("mode", Kind::Word(&["hard", "soft"]), "Whether what is named is gone, or stale.")
            .or("hard")
            .see("what-a-purge-leaves"),
    ];
    let table =
        Table::new("invalidates", fields).with(Condition::SomeOf(&["tags", "keys", "patterns"]));
    Field::new(
        "invalidates",
        Kind::Object(table),
        "What a write under this rule makes invalid. No other setting but `identity` has a meaning beside it.",
    )
    .see("what-writes-do")
    .such_as(json!({ "tags": ["reports"] }))
}
