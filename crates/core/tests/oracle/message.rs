//! Heads of messages.

use larder_core::http::{Headers, Malformed, Method, RequestHead, ResponseHead};

use super::{Line, field_lines};

const PSEUDO: [&str; 4] = [":method", ":scheme", ":authority", ":path"];

fn method(name: &[u8]) -> Method {
    match std::str::from_utf8(name).unwrap_or_default() {
        "DELETE" => Method::Delete,
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        _ => Method::Other,
    }
}

/// Method, scheme, authority and target.
fn request(lines: &[Line]) -> Result<(Method, [Vec<u8>; 3]), Malformed> {
    let is = |line: &Line, name: &str| line.0 == name.as_bytes();
    for (place, line) in lines.iter().enumerate() {
        for name in PSEUDO {
            if is(line, name) && lines[..place].iter().any(|earlier| is(earlier, name)) {
                return Err(Malformed::Repeated(name));
            }
        }
    }
    let value = |name: &'static str| {
        let line = lines.iter().find(|line| is(line, name));
        line.map(|line| line.1.clone())
            .ok_or(Malformed::Missing(name))
    };
    let scheme = value(":scheme").unwrap_or(b"http".to_vec());
    let name = value(":method")?;
    Ok((
        method(&name),
        [
            scheme.to_ascii_lowercase(),
            value(":authority")?,
            value(":path")?,
        ],
    ))
}

fn response(lines: &[Line]) -> Result<(u16, Vec<Line>), Malformed> {
    let statuses: Vec<_> = lines
        .iter()
        .filter(|line| line.0.eq_ignore_ascii_case(b":status"))
        .collect();
    let [status] = statuses[..] else {
        return Err(Malformed::Missing(":status"));
    };
    let status = match status.1[..] {
        [
            first @ b'1'..=b'9',
            second @ b'0'..=b'9',
            third @ b'0'..=b'9',
        ] => {
            let digit = |byte: u8| u16::from(byte - b'0');
            digit(first) * 100 + digit(second) * 10 + digit(third)
        }
        _ => return Err(Malformed::Status),
    };
    let is_field = |line: &&Line| line.0.first() != Some(&b':');
    Ok((status, lines.iter().filter(is_field).cloned().collect()))
}

pub(super) fn check(data: &[u8]) {
    let lines = field_lines(data, "x");
    let headers = Headers::from_iter(lines.clone());
    let read = |head: &RequestHead| {
        assert_eq!(*head.headers(), headers);
        (
            head.method(),
            [
                head.scheme().to_vec(),
                head.authority().to_vec(),
                head.target().to_vec(),
            ],
        )
    };
    let found = RequestHead::parse(headers.clone());
    assert_eq!(
        found.as_ref().map(read).map_err(|error| *error),
        request(&lines)
    );
    let expected = response(&lines);
    let expected = expected.map(|(status, lines)| ResponseHead {
        status,
        headers: Headers::from_iter(lines),
    });
    assert_eq!(ResponseHead::parse(headers.clone()), expected);
}
