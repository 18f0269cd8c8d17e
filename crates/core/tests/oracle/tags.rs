//! Tag fields.

use larder_core::http::{TAG_FIELDS, tag_name, tags};

use super::{field_lines, trim, values};

fn written(name: &[u8]) -> Vec<u8> {
    let byte = |byte: &u8| match byte {
        0x21..=0x7e => vec![*byte],
        _ => format!("%{byte:02X}").into_bytes(),
    };
    name.iter().flat_map(byte).collect()
}

fn read(lines: &[Vec<u8>], is_spaced: bool) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for line in lines {
        for name in line.split(|byte| match is_spaced {
            true => *byte == b' ' || *byte == b'\t',
            false => *byte == b',',
        }) {
            let mut name = trim(name);
            if is_spaced && name.first() == Some(&b',') {
                name.remove(0);
            }
            if is_spaced && name.last() == Some(&b',') {
                name.pop();
            }
            names.push(name);
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

pub(super) fn check(data: &[u8]) {
    let lines = field_lines(data, "cache-tag");
    let headers = lines.iter().map(|(name, value)| (name, value)).collect();
    for field in TAG_FIELDS {
        let own: Vec<_> = values(&lines, field)
            .iter()
            .map(|line| line.to_vec())
            .collect();
        let expected = read(&own, field == "xkey" || field == "surrogate-key");
        assert_eq!(tags(&headers, field).collect::<Vec<_>>(), expected);
        for name in expected {
            assert_eq!(*tag_name(&name), written(&name));
        }
    }
}
