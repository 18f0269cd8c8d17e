//! Cache directives of requests and responses, and which field of a response decides.

use larder_core::http::{Headers, RequestDirectives, ResponseDirectives, Restriction, Source};
use larder_core::time::Seconds;

use super::list::{Behind, parameter, split};
use super::structured::{self, Value};
use super::{Line, field_lines, is_token, number, trim, values};

type Directive = (Vec<u8>, Behind);

/// The directives of some lines, and whether all of their strings end.
fn directives(lines: &[&[u8]]) -> (Vec<Directive>, bool) {
    let words: Vec<_> = lines.iter().flat_map(|line| split(line)).collect();
    let all_end = words.iter().all(|(_, ends)| *ends);
    let read = words.iter().map(|(word, ends)| parameter(word, *ends));
    (read.collect(), all_end)
}

/// The arguments of every directive of that name.
fn arguments(directives: &[Directive], name: &str) -> Vec<Behind> {
    let named = directives.iter().filter(|(it, _)| it == name.as_bytes());
    named.map(|(_, argument)| argument.clone()).collect()
}

fn seconds(argument: &Behind) -> Option<Seconds> {
    number(&argument.value()?).map(Seconds::clamped)
}

fn request(lines: &[Line]) -> RequestDirectives {
    let cache_control = values(lines, "cache-control");
    let (found, _) = directives(&cache_control);
    let has = |name: &str| !arguments(&found, name).is_empty();
    let numbers = |name: &str| {
        arguments(&found, name)
            .into_iter()
            .filter_map(|it| seconds(&it))
            .collect::<Vec<_>>()
    };
    let (pragma, _) = directives(&values(lines, "pragma"));
    let by_pragma = cache_control.is_empty() && !arguments(&pragma, "no-cache").is_empty();
    let mut stale = numbers("max-stale");
    if arguments(&found, "max-stale").contains(&Behind::Nothing) {
        stale.push(Seconds::MAX);
    }
    RequestDirectives {
        max_age: numbers("max-age").into_iter().min(),
        max_stale: stale.into_iter().min(),
        min_fresh: numbers("min-fresh").into_iter().max(),
        no_cache: has("no-cache") || by_pragma,
        no_store: has("no-store"),
        only_if_cached: has("only-if-cached"),
    }
}

fn nothing(source: Source) -> ResponseDirectives {
    // A response without fields says nothing.
    let nothing = ResponseDirectives::parse(&Headers::new());
    ResponseDirectives { source, ..nothing }
}

/// What directives in the form of Cache-Control say.
fn response(source: Source, found: &[Directive], all_end: bool) -> ResponseDirectives {
    let has = |name: &str| !arguments(found, name).is_empty();
    let permits = |name: &str| arguments(found, name).contains(&Behind::Nothing);
    let least = |name: &str| {
        let numbers =
            arguments(found, name)
                .into_iter()
                .map(|argument| match (&argument, source) {
                    (Behind::Token(token), Source::SurrogateControl) if name == "max-age" => {
                        let fresh = token.split(|byte| *byte == b'+').next().unwrap();
                        number(fresh).map(Seconds::clamped)
                    }
                    _ => seconds(&argument),
                });
        numbers.map(|number| number.unwrap_or(Seconds::ZERO)).min()
    };
    let extensions = arguments(found, "max-age")
        .into_iter()
        .filter_map(|argument| {
            if source != Source::SurrogateControl || !matches!(argument, Behind::Token(_)) {
                return None;
            }
            let token = argument.value()?;
            let plus = token.iter().position(|byte| *byte == b'+')?;
            number(&token[plus + 1..]).map(Seconds::clamped)
        });
    let window = least("stale-while-revalidate");
    ResponseDirectives {
        max_age: least("max-age"),
        must_revalidate: permits("must-revalidate"),
        must_understand: permits("must-understand") && all_end,
        no_cache: restriction(&arguments(found, "no-cache")),
        no_store: has("no-store") || !all_end,
        private: restriction(&arguments(found, "private")),
        public: permits("public"),
        revalidate: has("must-revalidate") || has("proxy-revalidate"),
        s_maxage: least("s-maxage"),
        stale_if_error: least("stale-if-error"),
        stale_while_revalidate: window.into_iter().chain(extensions).min(),
        ..nothing(source)
    }
}

const KNOWN: [&str; 11] = [
    "max-age",
    "must-revalidate",
    "must-understand",
    "no-cache",
    "no-store",
    "private",
    "proxy-revalidate",
    "public",
    "s-maxage",
    "stale-if-error",
    "stale-while-revalidate",
];

fn surrogate(lines: &[Line]) -> Option<ResponseDirectives> {
    let words = values(lines, "surrogate-control")
        .into_iter()
        .flat_map(split);
    // A `;` behind the last string, or where there is none, is a parameter: it is for somebody else.
    let for_all: Vec<_> = words
        .filter(|(word, _)| {
            let quote = word.iter().rposition(|byte| *byte == b'"');
            !word[quote.map_or(0, |at| at + 1)..].contains(&b';')
        })
        .collect();
    let all_end = for_all.iter().all(|(_, ends)| *ends);
    let found: Vec<_> = for_all
        .iter()
        .map(|(word, ends)| parameter(word, *ends))
        .collect();
    let is_known = |(name, _): &Directive| KNOWN.iter().any(|known| known.as_bytes() == name);
    let decides = !all_end || found.iter().any(is_known);
    decides.then(|| response(Source::SurrogateControl, &found, all_end))
}

fn targeted(source: Source, lines: &[Line]) -> Option<ResponseDirectives> {
    let field = values(lines, source.field());
    let members = structured::dictionary(&field.join(&b", "[..]))?;
    if field.is_empty() || members.is_empty() {
        return None;
    }
    let all = |name: &str| {
        let named = members.iter().filter(|(key, _)| key == name.as_bytes());
        named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let last = |name: &str| all(name).last().cloned();
    let permits = |name: &str| last(name) == Some(Value::Boolean(true));
    let restricts = |value: &Value| *value != Value::Boolean(false);
    let number = |name: &str| match last(name) {
        Some(Value::Integer(number)) => Some(Seconds::clamped(number.max(0).unsigned_abs())),
        _ => None,
    };
    let restriction = |name: &str| match last(name) {
        None | Some(Value::Boolean(false)) => Restriction::Nothing,
        Some(Value::String(raw)) => restriction(&[Behind::Quoted(raw)]),
        Some(Value::Token(token)) => restriction(&[Behind::Token(token)]),
        Some(_) => Restriction::Response,
    };
    Some(ResponseDirectives {
        max_age: number("max-age"),
        must_revalidate: permits("must-revalidate"),
        must_understand: permits("must-understand"),
        no_cache: restriction("no-cache"),
        no_store: last("no-store").is_some_and(|value| restricts(&value)),
        private: restriction("private"),
        public: permits("public"),
        revalidate: all("must-revalidate")
            .iter()
            .chain(&all("proxy-revalidate"))
            .any(restricts),
        s_maxage: number("s-maxage"),
        stale_if_error: number("stale-if-error"),
        stale_while_revalidate: number("stale-while-revalidate"),
        ..nothing(source)
    })
}

/// What directives with these arguments restrict together.
fn restriction(arguments: &[Behind]) -> Restriction {
    const NEEDED: [&str; 6] = [
        "cache-control",
        "date",
        "etag",
        "expires",
        "last-modified",
        "vary",
    ];
    let is_followed = |names: &Vec<u8>| {
        let names: Vec<_> = names
            .split(|byte| *byte == b',')
            .map(|name| trim(name).to_ascii_lowercase())
            .collect();
        let mut names = names.iter().filter(|name| !name.is_empty()).peekable();
        names.peek().is_some()
            && names.all(|name| {
                is_token(name)
                    && !name.starts_with(b"content-")
                    && !NEEDED.iter().any(|it| it.as_bytes() == name)
            })
    };
    let lists: Option<Vec<_>> = arguments.iter().map(Behind::value).collect();
    match lists {
        Some(lists) if lists.is_empty() => Restriction::Nothing,
        Some(lists) if lists.iter().all(is_followed) && lists.join(&b","[..]).len() <= 1024 => {
            Restriction::Fields(lists.join(&b","[..]))
        }
        Some(_) | None => Restriction::Response,
    }
}

pub(super) fn check(data: &[u8]) {
    let lines = field_lines(data, "cache-control");
    let headers = Headers::from_iter(lines.clone());
    assert_eq!(RequestDirectives::parse(&headers), request(&lines));
    let (found, all_end) = directives(&values(&lines, "cache-control"));
    let expected = targeted(Source::LarderCacheControl, &lines)
        .or_else(|| targeted(Source::CdnCacheControl, &lines))
        .or_else(|| surrogate(&lines))
        .unwrap_or_else(|| response(Source::CacheControl, &found, all_end));
    assert_eq!(ResponseDirectives::parse(&headers), expected);
}
