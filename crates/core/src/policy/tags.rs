//! The tags of a response: what its rule says, whose it is, and what the origin says.
//!
//! A response that could not be invalidated by one of its tags is not stored: none is dropped in silence, neither for being
//! too long nor for being one too many.
//!
//! `a:b:c` belongs to `a:b` and to `a`. An invalidation names one of them, and each is a stamp of its own, so that it costs the
//! same however much it covers.

use std::borrow::Cow;

use crate::config::{CachePolicy, Captures, TagPart, TagTemplate};
use crate::entry::{Stamp, TagList, TagNames, TagSources};
use crate::epoch::Scope;
use crate::http::{Headers, TAG_FIELDS, tag_name, tags};
use crate::policy::Reason;

/// How long a tag can be, in bytes as it is kept.
pub const MAX_TAG_BYTES: usize = 256;
/// How long all tags of a response can be together.
pub const MAX_TAGS_BYTES: usize = 8192;
/// The names that are read of a response's fields, those that stand there again among them.
const MAX_READ: usize = 1024;
/// The parts between colons that have a stamp, the whole tag among them.
const MAX_LEVELS: usize = 16;

/// The tags of a response with these fields, where a stored one that it updates had those of `before`, and their stamps.
///
/// # Errors
/// [`Reason::TagLimit`] where there are more than `max`, or longer ones.
pub fn of(
    (policy, values): (&CachePolicy, Values<'_>),
    response: &Headers,
    before: TagNames<'_>,
    max: usize,
) -> Result<(TagList, Vec<Stamp>), Reason> {
    let mut found = Found {
        tags: Vec::new(),
        bytes: 0,
        max,
    };
    let mut renewed = TagSources::RULE;
    for (place, field) in TAG_FIELDS.into_iter().enumerate() {
        if response.contains(field) {
            renewed = renewed.with(TagSources::field(place));
        }
    }
    for (sources, name) in before.iter() {
        found.add(sources.without(renewed), Cow::Borrowed(name))?;
    }
    for template in &policy.tagging.templates {
        if let Some(name) = expand(template, values)? {
            found.add(TagSources::RULE, Cow::Owned(name))?;
        }
    }
    if let Some(identity) = values.identity {
        found.add(TagSources::RULE, Cow::Owned(user(identity)))?;
    }
    let mut read = 0_usize;
    for (place, field) in TAG_FIELDS.into_iter().enumerate() {
        for name in tags(response, field) {
            read = read.saturating_add(1);
            if read > MAX_READ {
                return Err(Reason::TagLimit);
            }
            found.add(TagSources::field(place), tag_name(name))?;
        }
    }
    let stamps = stamps(found.tags.iter().map(|(_, name)| &**name));
    let mut list = TagList::default();
    found
        .tags
        .iter()
        .for_each(|(sources, name)| list.push(*sources, name));
    Ok((list, stamps))
}

/// The tag of everything that is one user's.
pub fn user(identity: &[u8]) -> Vec<u8> {
    let mut name = b"user:".to_vec();
    name.extend_from_slice(identity);
    tag_name(&name).into_owned()
}

/// The stamps of these tags and of all that they belong to, each once.
fn stamps<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<Stamp> {
    let mut stamps: Vec<Stamp> = Vec::new();
    for name in names.flat_map(levels) {
        let stamp = Scope::Tag(name).stamp();
        if !stamps.contains(&stamp) {
            stamps.push(stamp);
        }
    }
    stamps
}

/// A tag and those that it belongs to.
fn levels(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let colons = name.iter().enumerate().filter(|(_, byte)| **byte == b':');
    let above = colons.filter_map(|(at, _)| name.get(..at).filter(|above| !above.is_empty()));
    above.take(MAX_LEVELS.saturating_sub(1)).chain([name])
}

struct Found<'a> {
    tags: Vec<(TagSources, Cow<'a, [u8]>)>,
    bytes: usize,
    max: usize,
}

impl<'a> Found<'a> {
    fn add(&mut self, sources: TagSources, name: Cow<'a, [u8]>) -> Result<(), Reason> {
        if sources == TagSources::NOBODY || name.is_empty() {
            return Ok(());
        }
        if let Some((known, _)) = self.tags.iter_mut().find(|(_, known)| *known == name) {
            *known = known.with(sources);
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(name.len());
        if name.len() > MAX_TAG_BYTES || self.bytes > MAX_TAGS_BYTES || self.tags.len() >= self.max
        {
            return Err(Reason::TagLimit);
        }
        self.tags.push((sources, name));
        Ok(())
    }
}

/// The tag that a template makes; none where a value is missing.
fn expand(template: &TagTemplate, values: Values<'_>) -> Result<Option<Vec<u8>>, Reason> {
    let Some(pieces) = values.fill(template) else {
        return Ok(None);
    };
    let mut name = Vec::new();
    for piece in pieces {
        name.extend_from_slice(&tag_name(piece.bytes()));
        if name.len() > MAX_TAG_BYTES {
            return Err(Reason::TagLimit);
        }
    }
    Ok(Some(name))
}

/// What may stand in a template's text.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// What the groups that are named took of the path.
    pub captures: &'a Captures,
    /// The request's fields.
    pub headers: &'a Headers,
    /// Who asks.
    pub identity: Option<&'a [u8]>,
}

/// A piece of a text that was a template.
pub(super) enum Piece<'a> {
    /// The operator's.
    Text(&'a [u8]),
    /// The client's.
    Value(Cow<'a, [u8]>),
}

impl Piece<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Value(value) => value,
        }
    }
}

impl<'a> Values<'a> {
    /// The pieces that a template has with these; `None` where one is missing or empty.
    pub(super) fn fill(self, template: &'a TagTemplate) -> Option<Vec<Piece<'a>>> {
        let value = |value: Cow<'a, [u8]>| (!value.is_empty()).then_some(Piece::Value(value));
        let piece = |part: &'a TagPart| match part {
            TagPart::Capture(index) => value(self.captures.get(*index)?.as_bytes().into()),
            TagPart::Header(field) => value(joined(self.headers, field)?),
            TagPart::Identity => value(self.identity?.into()),
            TagPart::Literal(text) => Some(Piece::Text(text.as_bytes())),
        };
        template.parts().iter().map(piece).collect()
    }
}

fn joined<'a>(headers: &'a Headers, field: &str) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.all(field);
    let mut joined = Cow::Borrowed(lines.next()?);
    for line in lines {
        let joined = joined.to_mut();
        joined.push(b',');
        joined.extend_from_slice(line);
    }
    Some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Selection};
    use crate::http::{RequestHead, Target};
    use crate::policy::sample::Fields;

    const RULE: &str = r#"{"rules": [{"name": "a", "match": {"path": "/(?P<id>[^/]*)(/(?P<part>.*))?"},
        "key": {"headers": ["x-tenant"]}, "identity": {"header": "x-user", "trusted": true},
        "tags": ["all", "id:{id}", "{id}:{part}", "t:{header.X-Tenant}", "by:{identity}"]}]}"#;

    fn found(
        path: &str,
        asked: Fields<'_>,
        told: Fields<'_>,
        before: &TagList,
    ) -> Result<TagList, Reason> {
        let config = Config::parse(RULE.as_bytes()).unwrap();
        let pseudo = [(":method", "GET"), (":authority", "a"), (":path", path)];
        let headers = pseudo.into_iter().chain(asked.iter().copied()).collect();
        let head = RequestHead::parse(headers).unwrap();
        let target = Target::parse(path.as_bytes()).unwrap();
        let Selection::Cache(selected) = config.select(&head, &target) else {
            panic!("it is cached");
        };
        let captures = config.captures(selected.id, &target, &selected.policy.tagging.groups);
        let values = Values {
            captures: &captures,
            headers: head.headers(),
            identity: head.headers().first("x-user"),
        };
        let told = told.iter().copied().collect();
        of((selected.policy, values), &told, before.as_names(), 64).map(|(list, _)| list)
    }

    fn names(list: &TagList) -> Vec<&str> {
        let text = |name| std::str::from_utf8(name).unwrap();
        list.as_names().names().map(text).collect()
    }

    #[test]
    fn a_rule_gives_the_tags_whose_values_are_there() {
        let rows: [(&str, Fields<'_>, &[&str]); 5] = [
            ("/7", &[], &["all", "id:7"]),
            ("/7/x", &[("x-tenant", "b")], &["all", "id:7", "7:x", "t:b"]),
            ("/", &[("x-tenant", "")], &["all"]),
            (
                "/",
                &[("x-tenant", "a b"), ("x-tenant", "c")],
                &["all", "t:a%20b,c"],
            ),
            ("/", &[("x-user", "ann")], &["all", "by:ann", "user:ann"]),
        ];
        for (path, asked, expected) in rows {
            let list = found(path, asked, &[], &TagList::default()).unwrap();
            assert_eq!(names(&list), expected, "{path} {asked:?}");
        }
    }

    #[test]
    fn each_field_is_replaced_by_itself_alone() {
        let told = [("surrogate-key", "a b"), ("cache-tag", "b,c")];
        let first = found("/", &[], &told, &TagList::default()).unwrap();
        assert_eq!(names(&first), ["all", "a", "b", "c"]);
        let rows: [(Fields<'_>, &[&str]); 5] = [
            (&[], &["a", "b", "c", "all"]),
            (&[("Cache-Tag", "d")], &["a", "b", "all", "d"]),
            (&[("surrogate-key", "")], &["b", "c", "all"]),
            (&[("xkey", "a e")], &["a", "b", "c", "all", "e"]),
            (&[("surrogate-key", "x"), ("cache-tag", "")], &["all", "x"]),
        ];
        for (update, expected) in rows {
            let second = found("/", &[], update, &first).unwrap();
            assert_eq!(names(&second), expected, "{update:?}");
        }
        let other = found("/7", &[], &[], &first).unwrap();
        assert_eq!(
            names(&other),
            ["a", "b", "c", "all", "id:7"],
            "the rule's own are made anew"
        );
    }

    #[test]
    fn none_is_dropped_in_silence() {
        let told = |value: String| found("/", &[], &[("xkey", &value)], &TagList::default());
        let many = |count: usize, length: usize| {
            let names: Vec<_> = (0..count)
                .map(|number| format!("{number:0length$}"))
                .collect();
            names.join(" ")
        };
        assert!(told(many(63, 1)).is_ok());
        assert_eq!(
            told(many(64, 1)),
            Err(Reason::TagLimit),
            "one is the rule's"
        );
        assert!(told(many(1, 256)).is_ok());
        assert_eq!(told(many(1, 257)), Err(Reason::TagLimit));
        assert_eq!(
            told("\u{e9}".repeat(43)),
            Err(Reason::TagLimit),
            "258 bytes when written out"
        );
        assert!(told(many(31, 256)).is_ok());
        assert_eq!(
            told(many(32, 256)),
            Err(Reason::TagLimit),
            "more than 8 KiB with that of the rule"
        );
        assert!(told("a ".repeat(1024)).is_ok());
        assert_eq!(told("a ".repeat(1025)), Err(Reason::TagLimit));
        let long = "x".repeat(257);
        let asked = [("x-tenant", long.as_str())];
        let found = found("/", &asked, &[], &TagList::default());
        assert_eq!(found, Err(Reason::TagLimit));
    }

    #[test]
    fn a_tag_belongs_to_all_above_it() {
        let rows: [(&str, &[&str]); 6] = [
            ("a", &["a"]),
            ("a:b:c", &["a", "a:b", "a:b:c"]),
            (":a", &[":a"]),
            ("a:", &["a", "a:"]),
            ("a::b", &["a", "a:", "a::b"]),
            (":", &[":"]),
        ];
        for (name, expected) in rows {
            let levels: Vec<_> = levels(name.as_bytes())
                .map(|it| std::str::from_utf8(it).unwrap())
                .collect();
            assert_eq!(levels, expected, "{name}");
        }
        let deep = "a:".repeat(20);
        let levels: Vec<_> = levels(deep.as_bytes()).collect();
        assert_eq!((levels.len(), levels[15]), (16, deep.as_bytes()));
        assert_eq!(stamps([&b"a:b"[..], b"a:c", b"a"].into_iter()).len(), 3);
    }
}
