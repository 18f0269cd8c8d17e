//! Entity tags.

use larder_core::http::{EntityTag, Strength};

use super::trim;

/// The length of the tag that these bytes begin with.
fn length(bytes: &[u8]) -> Option<usize> {
    let start = if bytes.starts_with(b"W/") { 2 } else { 0 };
    let inside = bytes.get(start..)?.strip_prefix(b"\"")?;
    let end = inside.iter().position(|byte| *byte == b'"')?;
    let is_tag = inside[..end]
        .iter()
        .all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..));
    is_tag.then_some(start + 1 + end + 1)
}

/// The tags of a list, as they are written.
fn list(value: &[u8]) -> Vec<Vec<u8>> {
    let mut tags = Vec::new();
    let mut rest = value.to_vec();
    while !rest.is_empty() {
        let here = trim(&rest);
        let (tag, behind) = match length(&here) {
            Some(length) => (Some(here[..length].to_vec()), here[length..].to_vec()),
            None => (None, rest),
        };
        let mut parts = behind.splitn(2, |byte| *byte == b',');
        let junk = trim(parts.next().unwrap_or_default());
        tags.extend(tag.filter(|_| junk.is_empty()));
        rest = parts.next().unwrap_or_default().to_vec();
    }
    tags
}

pub(super) fn check(data: &[u8]) {
    let one = trim(data);
    let expected = length(&one).filter(|length| *length == one.len());
    let found = EntityTag::parse(data);
    assert_eq!(found.is_some(), expected.is_some());
    if let Some(tag) = found {
        let is_weak = one.starts_with(b"W/");
        assert_eq!(tag.strength() == Strength::Weak, is_weak);
        assert_eq!(tag.matches_strongly(&tag), !is_weak);
    }
    let expected = list(data);
    let read: Vec<_> = EntityTag::list(data).collect();
    let written: Vec<_> = expected
        .iter()
        .map(|tag| EntityTag::parse(tag).unwrap())
        .collect();
    assert_eq!(read, written);
    let opaque = |tag: &[u8]| tag[if tag.starts_with(b"W/") { 2 } else { 0 }..].to_vec();
    for (one, of_one) in read.iter().zip(&expected) {
        for (other, of_other) in read.iter().zip(&expected) {
            let are_alike = opaque(of_one) == opaque(of_other);
            let are_weak = of_one.starts_with(b"W/") || of_other.starts_with(b"W/");
            assert_eq!(one.matches_weakly(other), are_alike);
            assert_eq!(one.matches_strongly(other), are_alike && !are_weak);
        }
    }
}
