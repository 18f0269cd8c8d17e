//! Settings that stand at a route of the proxy, in its metadata under the name `larder`.
//!
//! What stands there is a rule for what takes that route, in front of all others. So the configuration under which such a request
//! is handled is the plugin's with one rule more, read like any other: nothing that holds for rules is decided twice.
//!
//! The host hands a struct over as pairs in its own form (see [`Headers`]): a text as it is, a number as a double of
//! eight bytes, true or false as one byte, a list as pairs without values (Envoy 1.40, `source/extensions/common/wasm/context.cc`,
//! `serializeValue`). Types are lost on the way, so each field is read as what it should be. A `null` anywhere in it makes all of
//! it unreadable.

use serde_json::{Map, Value};

use crate::settings::value;

use larder_core::config::reading::written;
use larder_core::config::{Action, Config};
use larder_core::http::Headers;

/// Where the settings of a route stand among the proxy's attributes.
pub const ROUTE_SETTINGS: [&str; 4] = ["xds", "route_metadata", "filter_metadata", "larder"];

/// The name of a rule that has none of its own.
const NAME: &str = "route-metadata";

/// More is no setting that somebody wrote.
const MAX_BYTES: usize = 64 << 10;

/// The settings that are numbers of seconds.
const SPANS: [&str; 3] = [
    "stale_if_error_seconds",
    "stale_while_revalidate_seconds",
    "ttl_seconds",
];

/// The settings of a route are none, or none that fit to the configuration; the text is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteError(pub String);

/// The configuration for requests of a route with these settings, where `base` is that of the plugin, which has been read
/// without a problem.
///
/// # Errors
/// [`RouteError`]
pub fn at_route(base: &[u8], settings: &[u8]) -> Result<Config, RouteError> {
    let mut document = read(base);
    let rule = rule_of(settings, &document)?;
    put_in_front(&mut document, rule);
    let text = written(&Value::Object(document));
    Config::parse(text.as_bytes()).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        RouteError(problems.join("; "))
    })
}

/// The configuration for requests of a route whose settings make no sense: they pass, whatever the other rules say.
pub fn at_refused_route(base: &[u8]) -> Option<Config> {
    let mut document = read(base);
    let mut rule = Map::new();
    rule.insert("name".to_owned(), NAME.into());
    rule.insert("match".to_owned(), Value::Object(Map::new()));
    rule.insert("cache".to_owned(), false.into());
    put_in_front(&mut document, rule);
    let text = written(&Value::Object(document));
    let mut config = Config::parse(text.as_bytes()).ok()?;
    if let Some(rule) = config.rules.first_mut() {
        rule.action = Action::Refuse;
    }
    Some(config)
}

fn read(base: &[u8]) -> Map<String, Value> {
    match value(base) {
        Ok(Value::Object(document)) => document,
        Ok(_) | Err(_) => Map::new(), // it has been read before
    }
}

fn put_in_front(document: &mut Map<String, Value>, rule: Map<String, Value>) {
    let rules = document
        .entry("rules")
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(rules) = rules {
        rules.retain(|other| other.get("name") != rule.get("name"));
        rules.insert(0, Value::Object(rule));
    }
}

/// The rule that the settings are.
fn rule_of(
    settings: &[u8],
    document: &Map<String, Value>,
) -> Result<Map<String, Value>, RouteError> {
    if settings.len() > MAX_BYTES {
        return Err(refuse("are more than 64 KiB"));
    }
    let fields = Headers::from_pairs(settings.to_vec()).map_err(|_| refuse("cannot be read"))?;
    let mut rule = Map::new();
    let mut bases = 0_usize;
    for (name, value) in fields.iter() {
        match name {
            b"rule" => rule = named(text(value)?, document)?,
            b"json" => rule = body(value)?,
            b"cache" | b"tags" | b"ttl_mode" => continue,
            _ if span(name).is_some() => continue,
            _ => {
                return Err(refuse(&format!(
                    "have `{}`, which is unknown",
                    String::from_utf8_lossy(name)
                )));
            }
        }
        bases = bases.saturating_add(1);
    }
    if bases > 1 {
        return Err(refuse("have `rule` beside `json`, or one of them twice"));
    }
    for (name, value) in fields.iter() {
        let (name, value) = match name {
            b"cache" => ("cache", flag(value)?),
            b"tags" => ("tags", tags(value)?),
            b"ttl_mode" => ("ttl_mode", Value::String(text(value)?.to_owned())),
            _ => match span(name) {
                Some(name) => (name, number(name, value)?),
                None => continue,
            },
        };
        rule.insert(name.to_owned(), value);
    }
    // Of a rule that is not to cache nothing else is of interest.
    if rule.get("cache") == Some(&Value::Bool(false)) {
        rule.retain(|name, _| ["cache", "match", "name"].contains(&name.as_str()));
    }
    rule.entry("name").or_insert_with(|| NAME.into());
    rule.entry("match")
        .or_insert_with(|| Value::Object(Map::new()));
    Ok(rule)
}

/// The configured rule of that name, for all that takes the route; of what it matches only the path is left, from which its
/// texts may have values.
fn named(name: &str, document: &Map<String, Value>) -> Result<Map<String, Value>, RouteError> {
    let rules = document.get("rules").and_then(Value::as_array);
    let mut rules = rules.into_iter().flatten();
    let rule = rules.find(|rule| rule.get("name").and_then(Value::as_str) == Some(name));
    let Some(Value::Object(rule)) = rule else {
        return Err(refuse(&format!(
            "name the rule `{name}`, which is not configured"
        )));
    };
    let mut rule = rule.clone();
    if let Some(Value::Object(matching)) = rule.get_mut("match") {
        matching.retain(|name, _| name == "path" || name == "methods");
    }
    Ok(rule)
}

fn body(json: &[u8]) -> Result<Map<String, Value>, RouteError> {
    match value(json) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(refuse("have a `json` that is no object")),
        Err(error) => Err(refuse(&format!("have a `json` that is none: {error}"))),
    }
}

fn text(value: &[u8]) -> Result<&str, RouteError> {
    let text = std::str::from_utf8(value).ok();
    text.filter(|text| !text.is_empty() && !text.contains('\0'))
        .ok_or_else(|| refuse("have something else where a text should be"))
}

fn flag(value: &[u8]) -> Result<Value, RouteError> {
    match value {
        [0] => Ok(false.into()),
        [1] => Ok(true.into()),
        _ => Err(refuse("have a `cache` that is neither true nor false")),
    }
}

/// The setting of this name, if it is a number of seconds.
fn span(name: &[u8]) -> Option<&'static str> {
    SPANS.into_iter().find(|span| span.as_bytes() == name)
}

/// A whole number; how large it may be is for the rule to say.
fn number(name: &str, value: &[u8]) -> Result<Value, RouteError> {
    let number = value.try_into().map(f64::from_le_bytes).unwrap_or(f64::NAN);
    if !(0.0..=4_294_967_295.0).contains(&number) || number.fract() != 0.0 {
        let problem = ["have a `", name, "` that is no whole number"].concat();
        return Err(RouteError(problem));
    }
    Ok((number as u32).into())
}

/// A list, or a text with spaces between the tags.
fn tags(value: &[u8]) -> Result<Value, RouteError> {
    let listed = Headers::from_pairs(value.to_vec()).ok();
    let listed = listed.filter(|listed| listed.iter().all(|(_, value)| value.is_empty()));
    let tags = match &listed {
        Some(listed) => listed
            .iter()
            .map(|(tag, _)| text(tag))
            .collect::<Result<Vec<_>, _>>()?,
        None => text(value)?.split_ascii_whitespace().collect(),
    };
    Ok(tags.into_iter().map(Value::from).collect())
}

fn refuse(problem: &str) -> RouteError {
    RouteError(problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_core::config::{Selection, StaleWindow, Ttl};
    use larder_core::http::{RequestHead, Target};
    use larder_core::time::Seconds;
    use proptest::prelude::*;

    const BASE: &[u8] = br#"{"route_metadata": true, "default_ttl_seconds": 7, "rules": [
        {"name": "first", "match": {"path": "/.*"}, "cache": false},
        {"name": "slow", "match": {"path": "/(?P<id>.*)", "host": "other.example"}, "ttl_seconds": 600, "tags": ["{id}"]}]}"#;

    type Fields<'a> = &'a [(&'a str, &'a [u8])];

    fn pairs(fields: Fields<'_>) -> Vec<u8> {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(name, value);
        }
        headers.to_pairs()
    }

    fn seconds(number: f64) -> [u8; 8] {
        number.to_le_bytes()
    }

    /// What holds for a GET: the rule's name, and its TTL where it caches.
    fn holding(config: &Config) -> String {
        let lines = [(":method", "GET"), (":authority", "a"), (":path", "/x")];
        let head = RequestHead::parse(lines.into_iter().collect()).unwrap();
        let selection = config.select(&head, &Target::parse(b"/x").unwrap());
        match selection {
            Selection::Cache(selected) => match selected.policy.ttl {
                Ttl::Origin => "origin".to_owned(),
                Ttl::Default(ttl) => {
                    format!("{} {}", ttl.get(), selected.policy.tagging.templates.len())
                }
                Ttl::Override(ttl) => format!("{} override", ttl.get()),
            },
            other @ (Selection::Ambiguous
            | Selection::Bypass(_)
            | Selection::Refuse(_)
            | Selection::Unmatched
            | Selection::Writes(_)) => format!("{other:?}").split('(').next().unwrap().to_owned(),
        }
    }

    #[test]
    fn what_stands_at_the_route_is_the_first_rule() {
        let list = pairs(&[("a", b""), ("b", b"")]);
        let rows: [(Fields<'_>, &str); 8] = [
            (&[("ttl_seconds", &seconds(60.0))], "60 0"),
            (&[], "7 0"),
            (
                &[("ttl_seconds", &seconds(60.0)), ("ttl_mode", b"override")],
                "60 override",
            ),
            (&[("tags", b"a b  c")], "7 3"),
            (&[("tags", &list)], "7 2"),
            (
                &[("cache", b"\0"), ("ttl_seconds", &seconds(60.0))],
                "Bypass",
            ),
            (&[("rule", b"slow")], "600 1"),
            (
                &[
                    ("json", br#"{"ttl_seconds": 5, "tags": ["x"]}"#),
                    ("ttl_seconds", &seconds(6.0)),
                ],
                "6 1",
            ),
        ];
        for (settings, expected) in rows {
            let config = at_route(BASE, &pairs(settings)).unwrap();
            assert_eq!(holding(&config), expected, "{settings:?}");
            assert!(config.reads_routes());
        }
        assert_eq!(holding(&Config::parse(BASE).unwrap()), "Bypass");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_reason() {
        let rows: [(Fields<'_>, &str); 9] = [
            (&[("ttl", b"60")], "have `ttl`, which is unknown"),
            (
                &[("ttl_seconds", b"60")],
                "have a `ttl_seconds` that is no whole number",
            ),
            (
                &[("ttl_seconds", &seconds(1.5))],
                "have a `ttl_seconds` that is no whole number",
            ),
            (
                &[("ttl_seconds", &seconds(0.0))],
                "rules[0].ttl_seconds: must be at least 1",
            ),
            (
                &[("cache", b"true")],
                "have a `cache` that is neither true nor false",
            ),
            (
                &[("rule", b"none")],
                "name the rule `none`, which is not configured",
            ),
            (&[("json", b"{")], "have a `json` that is none"),
            (
                &[("json", b"{}"), ("rule", b"slow")],
                "have `rule` beside `json`",
            ),
            (&[("tags", b"{who}")], "rules[0].tags[0]: has `{who}`"),
        ];
        for (settings, problem) in rows {
            let error = at_route(BASE, &pairs(settings)).unwrap_err();
            assert!(error.0.starts_with(problem), "{error:?}");
        }
        assert!(at_route(BASE, b"junk").is_err());
        let refused = at_refused_route(BASE).unwrap();
        assert_eq!(holding(&refused), "Refuse");
    }

    proptest! {
        #![proptest_config(crate::property::cases())]


        #[test]
        fn any_bytes_are_settings_or_refused(mut settings in proptest::collection::vec(any::<u8>(), 0..60), name in "[a-z_]{0,6}") {
            let _ = at_route(BASE, &settings);
            let wrapped = pairs(&[(&name, &settings), ("json", &settings), ("tags", &settings)]);
            let _ = at_route(BASE, &wrapped);
            settings.truncate(8);
            let _ = at_route(BASE, &pairs(&[("ttl_seconds", &settings)]));
        }
    }

    #[test]
    fn a_route_says_for_how_long_its_responses_may_be_stale() {
        let settings = pairs(&[
            ("stale_while_revalidate_seconds", &seconds(30.0)),
            ("stale_if_error_seconds", &seconds(0.0)),
            ("json", br#"{"stale_if_error_seconds": 5, "negative": [{"status": 404, "ttl_seconds": 9}]}"#),
        ]);
        let config = at_route(b"", &settings).unwrap();
        let Action::Cache(policy) = &config.rules[0].action else {
            panic!("{config:?}");
        };
        let window = |seconds| StaleWindow::Otherwise(Seconds::clamped(seconds));
        assert_eq!(policy.sparing.stale.while_revalidate, window(30));
        assert_eq!(policy.sparing.stale.if_error, window(0));
        assert_eq!(policy.sparing.negative(404), Some(Seconds::clamped(9)));
        let wrong = pairs(&[("stale_if_error_seconds", b"30")]);
        let problem = "have a `stale_if_error_seconds` that is no whole number";
        assert_eq!(at_route(b"", &wrong).unwrap_err(), refuse(problem));
    }

    #[test]
    fn seconds_are_those_of_the_double() {
        let config = at_route(b"", &pairs(&[("ttl_seconds", &seconds(300.0))])).unwrap();
        let Action::Cache(policy) = &config.rules[0].action else {
            panic!("{config:?}");
        };
        assert_eq!(policy.ttl, Ttl::Default(Seconds::clamped(300)));
    }
}
