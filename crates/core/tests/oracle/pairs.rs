//! Header maps as the host writes them.

use larder_core::http::Headers;

use super::Line;

fn take(bytes: &mut Vec<u8>, count: usize) -> Option<Vec<u8>> {
    (count <= bytes.len()).then(|| bytes.drain(..count).collect())
}

fn length(bytes: &mut Vec<u8>) -> Option<usize> {
    let bytes: [u8; 4] = take(bytes, 4)?.try_into().unwrap();
    Some(u32::from_le_bytes(bytes) as usize)
}

fn text(bytes: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    let text = take(bytes, length)?;
    (take(bytes, 1)? == [0]).then_some(text)
}

fn reference(block: &[u8]) -> Option<Vec<Line>> {
    let mut rest = block.to_vec();
    if rest.is_empty() {
        return Some(Vec::new());
    }
    let mut lengths = Vec::new();
    for _ in 0..length(&mut rest)? {
        lengths.push((length(&mut rest)?, length(&mut rest)?));
    }
    let mut lines = Vec::new();
    for (name, value) in lengths {
        lines.push((text(&mut rest, name)?, text(&mut rest, value)?));
    }
    rest.is_empty().then_some(lines)
}

pub(super) fn check(data: &[u8]) {
    let expected = reference(data).map(Headers::from_iter);
    let found = Headers::from_pairs(data.to_vec()).ok();
    assert_eq!(found, expected);
    if let Some(headers) = found.filter(|_| !data.is_empty()) {
        assert_eq!(headers.to_pairs(), data, "one list has one block");
    }
}
