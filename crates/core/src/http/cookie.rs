//! Cookies of a request (RFC 6265 section 5.4): pairs behind `;`, in as many lines as the client likes.
//!
//! Nothing is unquoted or decoded, and no pair is dropped: what an origin may take for the cookie must be seen.

use super::Headers;

/// Everything a request has under a cookie's name, in order: the value, or `None` where there is no `=`.
pub fn cookies<'a>(
    headers: &'a Headers,
    name: &'a str,
) -> impl Iterator<Item = Option<&'a [u8]>> + 'a {
    headers
        .all("cookie")
        .flat_map(|line| line.split(|byte| *byte == b';'))
        .filter_map(move |pair| {
            let pair = pair.trim_ascii();
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let found = halves.next()?.trim_ascii_end();
            (found == name.as_bytes()).then(|| halves.next())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_a_name_is_found() {
        let headers = Headers::from_iter([
            ("cookie", "a=1; b=2;a=3"),
            ("x", "a=4"),
            ("Cookie", " a ==5=; a;aa=6;A=7; a="),
        ]);
        let found: Vec<_> = cookies(&headers, "a").collect();
        let expected = [Some(&b"1"[..]), Some(b"3"), Some(b"=5="), None, Some(b"")];
        assert_eq!(found, expected);
        assert_eq!(cookies(&headers, "c").count(), 0);
    }

    #[test]
    fn bytes_of_any_kind_are_passed_on() {
        let headers = Headers::from_iter([(&b"cookie"[..], &b"\xff;=\xfe;;a=\xfd\0"[..])]);
        assert_eq!(
            cookies(&headers, "a").collect::<Vec<_>>(),
            [Some(&b"\xfd\0"[..])]
        );
    }
}
