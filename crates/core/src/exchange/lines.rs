//! Two heads, compared name by name.
//!
//! Sorted once, so that a head of a thousand lines costs no more than its size.

use std::cmp::Ordering;

use super::step::Field;
use crate::http::Headers;
use crate::sorting::sort_by;

/// The wanted fields that are not there as they should be.
pub(super) fn changed<'a>(
    found: &'a ByName<'_>,
    wanted: &'a ByName<'_>,
) -> impl Iterator<Item = (&'a [u8], &'a [Line<'a>])> {
    let is_there = |name: &[u8], lines: &[Line<'_>]| {
        let there = found.lines(name).iter().map(|(_, value)| value);
        there.eq(lines.iter().map(|(_, value)| value))
    };
    wanted
        .groups()
        .filter(move |(name, lines)| !is_there(name, lines))
}

/// The names of what is there and was not wanted, but for what every head has of the proxy's own: another answer from the
/// same entry, which has more of its fields, may have lines of such a name.
pub(super) fn added<'a>(
    found: &'a ByName<'_>,
    wanted: &'a ByName<'_>,
) -> impl Iterator<Item = &'a [u8]> {
    let is_own = |name: &[u8]| name.starts_with(b":") || name == b"content-length";
    let names = found.groups().map(|(name, _)| name);
    names.filter(move |name| !is_own(name) && wanted.lines(name).is_empty())
}

/// A line: name and value.
pub(super) type Line<'a> = (&'a [u8], &'a [u8]);

/// Lines by name, those of one name in their order; letters of either case are one.
pub(super) struct ByName<'a>(Vec<Line<'a>>);

impl<'a> ByName<'a> {
    /// The lines of a head.
    pub(super) fn of(headers: &'a Headers) -> Self {
        let mut lines: Vec<Line<'a>> = headers.iter().collect();
        sort_by(&mut lines, |(one, _), (other, _)| compare(one, other));
        Self(lines)
    }

    /// Each name once, with its lines.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&'a [u8], &[Line<'a>])> {
        let groups = self
            .0
            .chunk_by(|(one, _), (other, _)| one.eq_ignore_ascii_case(other));
        groups.filter_map(|lines| lines.first().map(|(name, _)| (*name, lines)))
    }

    /// What stands under a name, if anything does.
    pub(super) fn field(&self, name: &[u8]) -> Option<Field> {
        let lines = self.lines(name);
        (!lines.is_empty()).then(|| Field::new(name, lines))
    }

    /// The lines of a name, perhaps none.
    pub(super) fn lines(&self, name: &[u8]) -> &[Line<'a>] {
        let start = self
            .0
            .partition_point(|(other, _)| compare(other, name).is_lt());
        let rest = self.0.get(start..).unwrap_or_default();
        let count = rest.partition_point(|(other, _)| compare(other, name).is_eq());
        rest.get(..count).unwrap_or_default()
    }
}

fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let (one, other) = (one.iter(), other.iter());
    one.map(u8::to_ascii_lowercase)
        .cmp(other.map(u8::to_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_name_are_together_and_in_order() {
        let headers =
            Headers::from_iter([("x-b", "1"), ("Link", "2"), ("x-a", "3"), ("link", "1")]);
        let lines = ByName::of(&headers);
        let names: Vec<_> = lines
            .groups()
            .map(|(name, lines)| (name, lines.len()))
            .collect();
        assert_eq!(names, [(&b"Link"[..], 2), (b"x-a", 1), (b"x-b", 1)]);
        let link = lines.field(b"LINK").unwrap();
        assert_eq!(link.lines, [b"2", b"1"]);
        assert_eq!(lines.field(b"x"), None);
        assert_eq!(lines.field(b"x-c"), None);
    }

    #[test]
    fn what_was_not_wanted_is_added() {
        let found = [(":status", "200"), ("a", "1"), ("b", "1"), ("b", "2")];
        let found = Headers::from_iter(found.into_iter().chain([("content-length", "2")]));
        let wanted = Headers::from_iter([("A", "2"), ("c", "1")]);
        let (found, wanted) = (ByName::of(&found), ByName::of(&wanted));
        assert_eq!(added(&found, &wanted).collect::<Vec<_>>(), [b"b"]);
    }

    #[test]
    fn a_field_is_changed_by_its_lines_alone() {
        let wanted = Headers::from_iter([("a", "1"), ("b", "1"), ("b", "2"), ("c", "")]);
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);
        let rows: [Row<'_>; 4] = [
            (
                "the same in another order",
                &[("c", ""), ("b", "1"), ("A", "1"), ("b", "2")],
                &[],
            ),
            (
                "more names",
                &[("a", "1"), ("b", "1"), ("b", "2"), ("c", ""), ("d", "")],
                &[],
            ),
            (
                "another order of lines",
                &[("a", "1"), ("b", "2"), ("b", "1"), ("c", "")],
                &["b"],
            ),
            (
                "joined, missing",
                &[("a", "1,1"), ("b", "1"), ("b", "2")],
                &["a", "c"],
            ),
        ];
        for (name, found, expected) in rows {
            let found: Headers = found.iter().copied().collect();
            let (found, wanted) = (ByName::of(&found), ByName::of(&wanted));
            let names =
                changed(&found, &wanted).map(|(name, _)| std::str::from_utf8(name).unwrap());
            assert_eq!(names.collect::<Vec<_>>(), expected, "{name}");
        }
    }
}
