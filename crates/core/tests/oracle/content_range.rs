//! Content-Range.

use larder_core::http::ContentRange;

use super::{number, trim};

/// First, last and complete length.
fn read(data: &[u8]) -> Option<[u64; 3]> {
    let text = String::from_utf8(trim(data)).ok()?;
    let (unit, rest) = text.split_once(' ')?;
    let (range, length) = rest.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let mut numbers = [0; 3];
    for (place, digits) in numbers.iter_mut().zip([first, last, length]) {
        *place = number(digits.as_bytes())?;
    }
    let [first, last, length] = numbers;
    let is_one = unit.to_lowercase() == "bytes" && first <= last && last < length;
    (is_one && length < 1 << 32).then_some(numbers)
}

pub(super) fn check(data: &[u8]) {
    let found = ContentRange::parse(data);
    let numbers = found.map(|range| {
        let span = range.span();
        [span.first(), span.last(), range.length()].map(|number| number as u64)
    });
    assert_eq!(numbers, read(data));
    if let Some(range) = found {
        let written = range.to_string();
        assert_eq!(ContentRange::parse(written.as_bytes()), Some(range));
    }
}
