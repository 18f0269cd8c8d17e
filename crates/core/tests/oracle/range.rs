//! Byte ranges.

use larder_core::http::{RangeError, RangeSet, RangeSpec};

use super::{number, trim};

fn reference(value: &[u8]) -> Result<Vec<RangeSpec>, RangeError> {
    let value = trim(value);
    let equals = value.iter().position(|byte| *byte == b'=');
    let equals = equals.ok_or(RangeError::Invalid)?;
    if !value[..equals].eq_ignore_ascii_case(b"bytes") {
        return Err(RangeError::OtherUnit);
    }
    let elements = value[equals + 1..].split(|byte| *byte == b',').map(trim);
    let elements: Vec<_> = elements.filter(|element| !element.is_empty()).collect();
    // Reading ends at the first thing that is wrong, and the 65th range is.
    let read: Result<Vec<_>, _> = elements
        .iter()
        .take(64)
        .map(|element| spec(element))
        .collect();
    let read = read?;
    match elements.len() {
        0 => Err(RangeError::Invalid),
        1..=64 => Ok(read),
        _ => Err(RangeError::TooMany),
    }
}

fn spec(element: &[u8]) -> Result<RangeSpec, RangeError> {
    let parts: Vec<_> = element.split(|byte| *byte == b'-').collect();
    let [first, last] = parts[..] else {
        return Err(RangeError::Invalid);
    };
    match (first, last, number(first), number(last)) {
        ([], _, _, Some(count)) => Ok(RangeSpec::Suffix(count)),
        (_, [], Some(first), _) => Ok(RangeSpec::From(first)),
        (_, _, Some(first), Some(last)) if first <= last => Ok(RangeSpec::FromTo(first, last)),
        _ => Err(RangeError::Invalid),
    }
}

/// The offsets that a range has of a body.
fn offsets(spec: RangeSpec, length: u64) -> Vec<u64> {
    let is_in = |at: &u64| match spec {
        RangeSpec::From(first) => *at >= first,
        RangeSpec::FromTo(first, last) => (first..=last).contains(at),
        RangeSpec::Suffix(count) => length - at <= count,
    };
    (0..length).filter(is_in).collect()
}

pub(super) fn check(data: &[u8]) {
    let found = RangeSet::parse(data).map(|set| set.specs().to_vec());
    assert_eq!(found, reference(data));
    for spec in found.unwrap_or_default() {
        for length in [0, 1, 7, 100] {
            let span = spec.within(length);
            let bytes = span.map_or(0..0, |span| span.first()..span.last() + 1);
            let found: Vec<_> = bytes.map(|at| at as u64).collect();
            assert_eq!(found, offsets(spec, length as u64), "{spec:?} of {length}");
        }
    }
}
