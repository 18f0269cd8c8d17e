//! The heads of messages, with the pseudo-fields found once.

use std::borrow::Cow;

use super::Headers;

/// A request method. Names are case-sensitive (RFC 9110 section 9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// DELETE
    Delete,
    /// GET
    Get,
    /// HEAD
    Head,
    /// OPTIONS
    Options,
    /// Any method Larder attaches no meaning to.
    Other,
    /// PATCH
    Patch,
    /// POST
    Post,
    /// PUT
    Put,
    /// QUERY (RFC 10008)
    Query,
}

impl Method {
    /// Reads a method name.
    pub fn parse(name: &[u8]) -> Self {
        match name {
            b"DELETE" => Self::Delete,
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"OPTIONS" => Self::Options,
            b"PATCH" => Self::Patch,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"QUERY" => Self::Query,
            _ => Self::Other,
        }
    }
}

/// Why a head could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A pseudo-field is missing.
    Missing(&'static str),
    /// A pseudo-field stands more than once.
    Repeated(&'static str),
    /// `:status` is no number from 100 to 999.
    Status,
}

/// A request's head. The pseudo-fields stay among [`RequestHead::headers`].
#[derive(Clone, Debug)]
pub struct RequestHead {
    method: Method,
    headers: Headers,
    scheme: Cow<'static, [u8]>,
    /// Which line it is.
    authority: usize,
    /// Which line it is.
    target: usize,
}

impl RequestHead {
    /// Finds the pseudo-fields; a missing `:scheme` is read as `http`, since not every host has one.
    pub fn parse(headers: Headers) -> Result<Self, Malformed> {
        let (mut method, mut scheme, mut authority, mut target) = (None, None, None, None);
        let pseudo = |(_, (name, _)): &(usize, (&[u8], &[u8]))| name.starts_with(b":");
        for (line, (name, value)) in headers.iter().enumerate().filter(pseudo) {
            let (slot, known) = match name {
                b":method" => (&mut method, ":method"),
                b":scheme" => (&mut scheme, ":scheme"),
                b":authority" => (&mut authority, ":authority"),
                b":path" => (&mut target, ":path"),
                _ => continue,
            };
            if slot.replace((line, value)).is_some() {
                return Err(Malformed::Repeated(known));
            }
        }
        let (_, method) = method.ok_or(Malformed::Missing(":method"))?;
        let (authority, _) = authority.ok_or(Malformed::Missing(":authority"))?;
        let (target, _) = target.ok_or(Malformed::Missing(":path"))?;
        Ok(Self {
            method: Method::parse(method),
            scheme: lower_scheme(scheme.map_or(b"http", |(_, value)| value)),
            authority,
            target,
            headers,
        })
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The scheme in lower case.
    pub fn scheme(&self) -> &[u8] {
        &self.scheme
    }

    /// `:authority` as it came: host and, where there is one, port.
    pub fn authority(&self) -> &[u8] {
        self.headers.value(self.authority).unwrap_or_default()
    }

    /// `:path` as it came: path and, behind `?`, query.
    pub fn target(&self) -> &[u8] {
        self.headers.value(self.target).unwrap_or_default()
    }

    /// Every field line, pseudo-fields included.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }
}

fn lower_scheme(scheme: &[u8]) -> Cow<'static, [u8]> {
    for common in [&b"http"[..], b"https"] {
        if scheme.eq_ignore_ascii_case(common) {
            return Cow::Borrowed(common);
        }
    }
    Cow::Owned(scheme.to_ascii_lowercase())
}

/// A response's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The field lines without pseudo-fields.
    pub headers: Headers,
}

impl ResponseHead {
    /// Takes `:status` out of the fields.
    pub fn parse(mut headers: Headers) -> Result<Self, Malformed> {
        let status = headers
            .only(":status")
            .ok_or(Malformed::Missing(":status"))?;
        let status = parse_status(status).ok_or(Malformed::Status)?;
        headers.retain(|name, _| !name.starts_with(b":"));
        Ok(Self { status, headers })
    }
}

fn parse_status(value: &[u8]) -> Option<u16> {
    if value.len() != 3 {
        return None;
    }
    let status = std::str::from_utf8(value).ok()?.parse().ok()?;
    (100..=999).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_head_knows_its_parts() {
        let head = RequestHead::parse(Headers::from_iter([
            (":authority", "Example.com:8080"),
            (":path", "/a?b=c"),
            (":method", "GET"),
            (":scheme", "HTTPS"),
            ("accept", "*/*"),
        ]))
        .unwrap();
        assert_eq!(head.method(), Method::Get);
        assert_eq!(head.scheme(), b"https");
        assert_eq!(head.authority(), b"Example.com:8080");
        assert_eq!(head.target(), b"/a?b=c");
        assert_eq!(head.headers().len(), 5);
    }

    #[test]
    fn a_head_with_two_targets_is_refused() {
        let lines = [
            (":method", "GET"),
            (":authority", "a"),
            (":path", "/a"),
            (":path", "/b"),
        ];
        assert_eq!(
            RequestHead::parse(Headers::from_iter(lines)).err(),
            Some(Malformed::Repeated(":path"))
        );
        assert_eq!(
            RequestHead::parse(Headers::new()).err(),
            Some(Malformed::Missing(":method"))
        );
    }

    #[test]
    fn method_names_are_case_sensitive() {
        assert_eq!(Method::parse(b"get"), Method::Other);
    }

    #[test]
    fn a_response_head_has_a_three_digit_status() {
        let head = |status: &str| {
            ResponseHead::parse(Headers::from_iter([(":status", status), ("etag", "\"1\"")]))
        };
        assert_eq!(
            head("204").map(|head| (head.status, head.headers.len())),
            Ok((204, 1))
        );
        for status in ["", "20", "2000", "+20", "-20", "abc", "099"] {
            assert_eq!(head(status), Err(Malformed::Status), "{status}");
        }
    }
}
