//! Cookies of a request.

use larder_core::http::{Headers, cookies};

use super::{field_lines, values};

/// The value of a pair, where it is one of that name.
fn value<'a>(pair: &'a [u8], name: &str) -> Option<Option<&'a [u8]>> {
    let pair = pair.trim_ascii();
    let equals = pair.iter().position(|byte| *byte == b'=');
    let found = &pair[..equals.unwrap_or(pair.len())];
    let is_named = found.trim_ascii() == name.as_bytes();
    is_named.then(|| equals.map(|equals| &pair[equals + 1..]))
}

pub(super) fn check(data: &[u8]) {
    let lines = field_lines(data, "cookie");
    let headers = Headers::from_iter(lines.clone());
    for name in ["a", "sid", ""] {
        let mut expected = Vec::new();
        for line in values(&lines, "cookie") {
            let pairs = line.split(|byte| *byte == b';');
            expected.extend(pairs.filter_map(|pair| value(pair, name)));
        }
        assert_eq!(
            cookies(&headers, name).collect::<Vec<_>>(),
            expected,
            "{name}"
        );
    }
}
