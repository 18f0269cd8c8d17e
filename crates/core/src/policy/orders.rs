//! What the operator's rules say that a write makes invalid (`invalidates`).
//!
//! All rules that take the write count, not just the first: each says what it knows, and to leave one out would be to serve
//! what is over. Values of the request stand for themselves. In a pattern a `*` among them has to be told from the operator's,
//! so such a pattern becomes a regular expression, which can. What gets too long is cut behind what the client wrote, and covers
//! all that begins like it.

use crate::config::{Config, Orders, Purging, REGEX, TagTemplate};
use crate::entry::Stamp;
use crate::epoch::{Coverage, Invalidation, Mode, NamePattern};
use crate::http::{Authority, RequestHead, Target, Uri, tag_name};
use crate::key::{Attributes, identity_of};
use crate::policy::invalidation::{Cause, Caused};
use crate::policy::tags::{MAX_TAG_BYTES, Piece, Values};

/// A glob may be so long; a regular expression, in which a letter may take two, and more when it is compiled, half of it.
const MAX_GLOB: usize = 1000;
const MAX_EXPRESSION: usize = 500;
/// No key has a longer name.
const MAX_NAME: usize = 1 << 16;

/// What these rules make invalid when a write to this URI succeeds.
pub(super) fn of(
    head: &RequestHead,
    attributes: &dyn Attributes,
    uri: &Uri,
    config: &Config,
) -> Vec<Caused> {
    let mut found = Vec::new();
    let Some(target) = Target::of_write(uri.target.as_bytes()) else {
        return found;
    };
    // An origin that merges slashes takes a write to `/a//b` for one to `/a/b`.
    let loose = target.loose();
    for target in [Some(&target), loose.as_ref()].into_iter().flatten() {
        for (orders, captures) in config.orders(head, target) {
            let identity = orders.identity.as_ref();
            let identity =
                identity.and_then(|it| identity_of(it, head.headers(), attributes).ok()?);
            let values = Values {
                captures: &captures,
                headers: head.headers(),
                identity: identity.as_deref(),
            };
            found.extend(carried_out(orders, values, uri));
        }
    }
    found
}

fn carried_out(orders: &Orders, values: Values<'_>, uri: &Uri) -> Vec<Caused> {
    let mode = match orders.mode {
        Purging::Hard => Mode::Hard,
        Purging::Soft => Mode::Soft,
    };
    let (mut tags, mut keys) = (Vec::new(), Vec::new());
    for template in &orders.tags {
        if let Some(tag) = text(template, values, MAX_TAG_BYTES) {
            add(&mut tags, Coverage::of_tag(tag.as_bytes()));
        }
    }
    for template in &orders.keys {
        if let Some(name) = text(template, values, MAX_NAME) {
            add(&mut keys, Coverage::of_name(&named(name, uri)));
        }
    }
    let mut caused = Vec::new();
    let mut cause = |by, coverage: Coverage| {
        let invalidation = Invalidation { coverage, mode };
        caused.push(Caused { by, invalidation });
    };
    for (by, stamps) in [(Cause::Tags, tags), (Cause::Keys, keys)] {
        if !stamps.is_empty() {
            cause(by, Coverage::Stamps(stamps));
        }
    }
    let expressions = orders.expressions.iter();
    // They have been tried; whatever fails all the same must not leave out what it was meant for.
    let regular = expressions.map(|text| regular(text).map_or(Coverage::All, Coverage::Names));
    let templates = orders.patterns.iter();
    let filled = templates.filter_map(|template| pattern(template, values));
    for coverage in regular.chain(filled.map(Coverage::Names)) {
        cause(Cause::Patterns, coverage);
    }
    caused
}

fn add(stamps: &mut Vec<Stamp>, coverage: Coverage) {
    match coverage {
        Coverage::All | Coverage::Names(_) => {} // these are of stamps
        Coverage::Stamps(more) => stamps.extend(more),
    }
}

/// The text of a template, if all its values are there, and it is not longer than what it could meet.
fn text(template: &TagTemplate, values: Values<'_>, most: usize) -> Option<String> {
    let mut text = String::new();
    for piece in values.fill(template)? {
        push(&mut text, piece.bytes());
        if text.len() > most {
            return None;
        }
    }
    Some(text)
}

fn push(text: &mut String, bytes: &[u8]) {
    text.extend(tag_name(bytes).iter().copied().map(char::from)); // US-ASCII
}

/// The name of a key; a path is one of the write's own host.
fn named(name: String, uri: &Uri) -> String {
    match Authority::parse(uri.authority.as_bytes()) {
        Some(authority) if name.starts_with('/') => {
            ["GET:", &authority.origin(uri.scheme.as_bytes()), &name].concat()
        }
        Some(_) | None => name,
    }
}

/// The pattern of a template, in which the operator's `*` alone is one.
fn pattern(template: &TagTemplate, values: Values<'_>) -> Option<NamePattern> {
    let pieces = values.fill(template)?;
    let is_starred = |piece: &Piece<'_>| match piece {
        Piece::Text(_) => false,
        Piece::Value(value) => value.contains(&b'*'),
    };
    match pieces.iter().any(is_starred) {
        true => regular(&expression(&pieces)),
        false => NamePattern::glob(&glob(&pieces)).ok(),
    }
}

fn regular(expression: &str) -> Option<NamePattern> {
    NamePattern::parse(&[REGEX, expression].concat()).ok() // it has been tried, or is made of letters and stars
}

fn glob(pieces: &[Piece<'_>]) -> String {
    let mut text = String::new();
    for piece in pieces {
        push(&mut text, piece.bytes());
        if text.len() > MAX_GLOB {
            text.truncate(MAX_GLOB); // US-ASCII
            text.push('*');
            return text;
        }
    }
    text
}

fn expression(pieces: &[Piece<'_>]) -> String {
    let mut text = String::new();
    for piece in pieces {
        let is_pattern = matches!(piece, Piece::Text(_));
        for byte in tag_name(piece.bytes()).iter() {
            match byte {
                b'*' if is_pattern => text.push_str(".*"),
                byte => {
                    if br"\.+*?()|[]{}^$#&-~".contains(byte) {
                        text.push('\\');
                    }
                    text.push(char::from(*byte));
                }
            }
            if text.len() > MAX_EXPRESSION {
                text.push_str(".*");
                return text;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::Scope;
    use crate::http::Headers;
    use crate::key::{Key, Unreadable};
    use proptest::prelude::*;

    struct Nothing;

    impl Attributes for Nothing {
        fn attribute(&self, _: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
            Ok(None)
        }
    }

    fn write(path: &str, lines: &[(&str, &str)]) -> RequestHead {
        let pseudo = [
            (":method", "PUT"),
            (":scheme", "http"),
            (":authority", "API.example:8080"),
            (":path", path),
        ];
        RequestHead::parse(pseudo.iter().chain(lines).copied().collect::<Headers>()).unwrap()
    }

    /// What a rule with these orders makes of a write.
    fn ordered(rule: &str, head: &RequestHead) -> Vec<Invalidation> {
        let caused = caused(rule, head).into_iter();
        caused.map(|caused| caused.invalidation).collect()
    }

    fn caused(rule: &str, head: &RequestHead) -> Vec<Caused> {
        let json = format!(
            r#"{{"rules": [{{"name": "a", "match": {{"path": "/(?P<id>[^/]*)(/(?P<part>.*))?"}}, {rule}}}]}}"#
        );
        let config = Config::parse(json.as_bytes()).unwrap();
        let uri = Uri::of_request(head.scheme(), head.authority(), head.target()).unwrap();
        of(head, &Nothing, &uri, &config)
    }

    fn patterns(pattern: &str, head: &RequestHead) -> Vec<NamePattern> {
        let rule = format!(r#""invalidates": {{"patterns": ["{pattern}"]}}"#);
        let pattern = |ordered: Invalidation| match ordered.coverage {
            Coverage::Names(pattern) => pattern,
            other @ (Coverage::All | Coverage::Stamps(_)) => panic!("{other:?}"),
        };
        ordered(&rule, head).into_iter().map(pattern).collect()
    }

    /// The key of a path of the host `h`.
    fn key(path: &str) -> Key {
        let mut canonical = vec![1];
        for (tag, content) in [(2, "h"), (3, path)] {
            canonical.push(tag);
            canonical.extend_from_slice(&(content.len() as u32).to_le_bytes());
            canonical.extend_from_slice(content.as_bytes());
        }
        Key::from_canonical(canonical)
    }

    fn covers(pattern: &NamePattern, path: &str) -> bool {
        pattern.compile().unwrap().matches(&key(path).name())
    }

    #[test]
    fn tags_and_keys_are_stamps_and_patterns_are_patterns() {
        let rule = r#""identity": {"header": "x-user", "trusted": true}, "invalidates": {
            "tags": ["a:{id}", "b:{part}", "c:{header.x-c}", "d:{identity}"],
            "keys": ["profile:{id}", "/users/{id}?page=1"], "patterns": ["/users/{id}/*", "regex:/x/\\d{2}"], "mode": "soft"}"#;
        let head = write("/7", &[("x-c", "c d"), ("x-user", "ann")]);
        let found = ordered(rule, &head);
        assert!(found.iter().all(|it| it.mode == Mode::Soft));
        let stamps: Vec<Stamp> = [&b"a:7"[..], b"c:c%20d", b"d:ann"]
            .map(|tag| Scope::Tag(tag).stamp())
            .to_vec();
        let Coverage::Stamps(all) = &found[0].coverage else {
            panic!("{found:?}");
        };
        assert_eq!(*all, stamps);
        let names = ["profile:7", "GET:api.example:8080/users/7?page=1"];
        let mut keys = Vec::new();
        names
            .iter()
            .for_each(|name| add(&mut keys, Coverage::of_name(name)));
        assert_eq!(found[1].coverage, Coverage::Stamps(keys));
        let expected =
            [r"regex:/x/\d{2}", "/users/7/*"].map(|text| NamePattern::parse(text).unwrap());
        let patterns: Vec<_> = found[2..].iter().map(|it| &it.coverage).collect();
        assert_eq!(
            patterns,
            expected.map(Coverage::Names).iter().collect::<Vec<_>>()
        );
    }

    #[test]
    fn what_has_a_missing_value_is_left_out() {
        let rule = r#""invalidates": {"tags": ["{part}", "{header.x-a}"], "keys": ["{part}"], "patterns": ["/{part}/*"]}"#;
        assert_eq!(ordered(rule, &write("/7", &[("x-a", "")])), []);
        assert_eq!(ordered(rule, &write("/7/x", &[])).len(), 3);
        let hidden = r#""identity": {"header": "x-user"}, "invalidates": {"tags": ["{identity}"]}"#;
        assert_eq!(
            ordered(hidden, &write("/", &[("x-user", "ann")])),
            [],
            "nobody says that it is ann"
        );
    }

    #[test]
    fn every_spelling_of_the_path_counts() {
        let rule = r#""invalidates": {"tags": ["{id}:{part}"]}"#;
        let tag = |tag: &str| Coverage::of_tag(tag.as_bytes());
        let found = |path| {
            let found = ordered(rule, &write(path, &[]));
            found.into_iter().map(|it| it.coverage).collect::<Vec<_>>()
        };
        assert_eq!(found("/a/b"), [tag("a:b")]);
        assert_eq!(found("/x/../a/%62"), [tag("a:b")]);
        assert_eq!(found("/a//b"), [tag("a:/b"), tag("a:b")]);
    }

    #[test]
    fn what_a_client_writes_is_no_pattern() {
        for (id, covered, other) in [
            ("7", "/u/7/x", "/u/8/x"),
            ("*", "/u/*/x", "/u/8/x"),
            (".*", "/u/.*/x", "/u/8/x"),
            ("*.+(a|b)$", "/u/*.+(a|b)$/x", "/u/aa/x"),
            ("%2A", "/u/%2A/x", "/u/*/x"),
        ] {
            let patterns = patterns("/u/{id}/*", &write(&format!("/{id}"), &[]));
            assert_eq!(patterns.len(), 1);
            assert!(covers(&patterns[0], covered), "{id} {patterns:?}");
            assert!(!covers(&patterns[0], other), "{id} {patterns:?}");
        }
        let head = write("/regex:.+", &[]);
        for pattern in ["{id}", "{id}*"] {
            let patterns = patterns(pattern, &head);
            assert!(!covers(&patterns[0], "/u/8/x"), "{pattern}");
        }
        assert_eq!(patterns("{id}", &write("/regex:(", &[])).len(), 1);
        let head = write("/7", &[("x-a", "*/secret")]);
        let patterns = patterns("*/{header.x-a}*", &head);
        assert!(covers(&patterns[0], "/any/*/secret/thing"));
        assert!(!covers(&patterns[0], "/any/other/secret"));
    }

    #[test]
    fn what_is_too_long_covers_what_begins_like_it() {
        for star in ["", "*"] {
            let id = format!("{star}{}", "x".repeat(2000));
            let patterns = patterns("/u/{id}/x", &write(&format!("/{id}"), &[]));
            assert!(covers(&patterns[0], &format!("/u/{id}/x")), "{star}");
            assert!(!covers(&patterns[0], "/u/8/x"), "{star}");
            assert!(!covers(&patterns[0], &format!("/u/{star}xx/x")), "{star}");
        }
        let head = write(&format!("/{}", "x".repeat(300)), &[]);
        assert_eq!(
            ordered(r#""invalidates": {"tags": ["{id}"]}"#, &head),
            [],
            "no entry has such a tag"
        );
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        /// However it is filled in, a pattern covers the name that stands there letter for letter.
        #[test]
        fn a_filled_pattern_covers_itself(
            id in "[!-.0-~]{1,6}", part in "[*a\\\\.]{1,4}", repeat in 1..400_usize,
        ) {
            let values = Headers::from_iter([("x-a", &id), ("x-b", &part.repeat(repeat))]);
            let head = write("/", &[("x-a", &id), ("x-b", &part.repeat(repeat))]);
            let patterns = patterns("/{header.x-a}/*/{header.x-b}", &head);
            prop_assert_eq!(patterns.len(), 1, "{:?}", values);
            let name = format!("/{id}/anything/{}", part.repeat(repeat));
            prop_assert!(covers(&patterns[0], &name), "{:?} {}", patterns, name);
            let other = format!("/{id}-/anything/{}", part.repeat(repeat));
            prop_assert!(!covers(&patterns[0], &other));
        }
    }
}
