//! Whether a rule puts the content of requests into the key, and which methods that makes cacheable.

use super::RequestContent;
use super::problem::{Problems, field_path, item_path};
use super::raw_rule::RawRule;
use super::read::Given;

/// Whether content is part of the key. That needs the operator's word for a setting of the listener, which nothing in
/// here can see.
pub(super) fn content(raw: &RawRule, problems: &Problems) -> RequestContent {
    match (&raw.key.body, &raw.hold_headers) {
        (Given::Value(true), Given::Value(true) | Given::Refused) => RequestContent::Key,
        (Given::Value(true), Given::Absent | Given::Value(false)) => {
            problems.add(
                field_path(&field_path(&raw.at, "key"), "body"),
                "needs `hold_headers: true` in the rule, which says that `allow_on_headers_stop_iteration: true` is set \
                 where Envoy loads the filter; without it no body comes while the head is held",
            );
            RequestContent::Key
        }
        (Given::Absent | Given::Refused | Given::Value(false), _) => RequestContent::Bypass,
    }
}

/// Reports the methods that a caching rule cannot take.
pub(super) fn check_methods(
    at: &str,
    methods: &Given<Vec<String>>,
    content: RequestContent,
    problems: &Problems,
) {
    let at = field_path(&field_path(at, "match"), "methods");
    let methods = match (methods, content) {
        (Given::Value(methods), _) => methods,
        // That a POST is a question is for the operator to write, not for a default to say.
        (Given::Absent, RequestContent::Key) => {
            problems.add(
                at,
                "must be named beside `key.body`: QUERY, or POST where it changes nothing",
            );
            return;
        }
        (Given::Absent, RequestContent::Bypass) | (Given::Refused, _) => return,
    };
    for (index, method) in methods.iter().enumerate() {
        if let Some(problem) = obstacle(method, content) {
            problems.add(item_path(&at, index), problem);
        }
    }
}

fn obstacle(method: &str, content: RequestContent) -> Option<String> {
    match (method, content) {
        ("GET" | "HEAD", _) | ("POST" | "QUERY", RequestContent::Key) => None,
        ("POST" | "QUERY", RequestContent::Bypass) => Some(format!(
            "`{method}` is cached only with `key.body`, unless `cache: false`"
        )),
        (_, RequestContent::Bypass) => Some(format!(
            "`{method}` is not cached: only GET and HEAD, unless `cache: false`"
        )),
        (_, RequestContent::Key) => Some(format!(
            "`{method}` is not cached: only GET, HEAD, POST and QUERY, unless `cache: false`"
        )),
    }
}
