//! Targets of requests.

use larder_core::http::{MAX_TARGET_BYTES, Target, TargetError};

/// A byte of a path: as it is, or escaped because it means something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    Escaped(u8),
    Plain(u8),
}

impl Letter {
    fn is(self, byte: u8) -> bool {
        self == Self::Plain(byte) || self == Self::Escaped(byte)
    }

    fn text(self) -> String {
        match self {
            Self::Escaped(byte) => format!("%{byte:02X}"),
            Self::Plain(byte) => char::from(byte).to_string(),
        }
    }
}

fn text(letters: &[Letter]) -> String {
    letters.iter().map(|letter| letter.text()).collect()
}

fn letters(path: &[u8]) -> Option<Vec<Letter>> {
    let mut letters = Vec::new();
    let mut at = 0;
    while at < path.len() {
        if path[at] == b'%' {
            let digits = std::str::from_utf8(path.get(at + 1..at + 3)?).ok()?;
            let is_hex = digits.chars().all(|digit| digit.is_ascii_hexdigit());
            let byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
            let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            letters.push(if is_unreserved {
                Letter::Plain(byte)
            } else {
                Letter::Escaped(byte)
            });
            at += 3;
        } else {
            letters.push(Letter::Plain(path[at]));
            at += 1;
        }
    }
    Some(letters)
}

/// What the segments are called by servers that decode slashes and drop what is behind a semicolon.
fn names(path: &[Letter]) -> Vec<String> {
    let segments = path.split(|letter| letter.is(b'/'));
    let name = |segment: &[Letter]| text(segment.split(|letter| letter.is(b';')).next().unwrap());
    segments.map(name).collect()
}

type Parts = (String, Option<Vec<u8>>, Option<String>);

fn reference(target: &[u8]) -> Result<Parts, TargetError> {
    if target.len() > MAX_TARGET_BYTES {
        return Err(TargetError::TooLong);
    }
    for byte in target {
        match byte {
            0..=32 | 127 => return Err(TargetError::ControlByte),
            128.. => return Err(TargetError::NotAscii),
            b'#' => return Err(TargetError::Fragment),
            _ => {}
        }
    }
    let mut halves = target.splitn(2, |byte| *byte == b'?');
    let path = halves.next().unwrap_or_default();
    let query = halves.next().map(<[u8]>::to_vec);
    if !path.starts_with(b"/") {
        return Err(TargetError::NotAPath);
    }
    let path = letters(path).ok_or(TargetError::BrokenEscape)?;
    if path.iter().any(|letter| letter.is(b'\\')) {
        return Err(TargetError::Backslash);
    }
    if path
        .iter()
        .any(|letter| matches!(letter, Letter::Escaped(0..=31 | 127)))
    {
        return Err(TargetError::ControlByte);
    }
    if names(&path).iter().any(|name| name == "." || name == "..") {
        return Err(TargetError::DotSegment);
    }
    Ok((text(&path), query, loose(&path)))
}

fn loose(path: &[Letter]) -> Option<String> {
    let is_odd = path
        .iter()
        .any(|letter| letter.is(b';') || *letter == Letter::Escaped(b'/'));
    let is_odd = is_odd || text(path).contains("//");
    let names: Vec<_> = names(path)
        .into_iter()
        .filter(|name| !name.is_empty())
        .collect();
    let ends = if path.last() == Some(&Letter::Plain(b'/')) && !names.is_empty() {
        "/"
    } else {
        ""
    };
    is_odd.then(|| format!("/{}{ends}", names.join("/")))
}

pub(super) fn check(data: &[u8]) {
    let plain = |target: Target| {
        let query = target.query().map(|query| query.as_bytes().to_vec());
        (target.path().to_owned(), query, target.loose_path())
    };
    assert_eq!(Target::parse(data).map(plain), reference(data));
}
