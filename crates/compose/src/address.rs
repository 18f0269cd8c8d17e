//! Where fragments are: nowhere but at the client's own authority, whatever a template says.

use larder_core::http::{Target, Uri};

use crate::page::Failure;
use crate::sheet::Address;

/// What a reference in a template at `base` names, as path and query.
///
/// One of another origin names nothing here, nor one that servers are known to read in two ways.
pub(crate) fn address(base: Option<&Uri>, reference: &[u8]) -> Address {
    let reference = reference.trim_ascii();
    let target = match is_plain(reference) {
        true => std::str::from_utf8(reference).ok().map(str::to_owned),
        false => base.and_then(|base| resolve(base, reference)),
    };
    target.ok_or(Failure::Address)
}

fn resolve(base: &Uri, reference: &[u8]) -> Option<String> {
    if reference.is_empty() {
        return None; // the template itself
    }
    let uri = base.resolve(reference)?;
    let is_here = uri.authority == base.authority && uri.scheme == base.scheme;
    let is_read_in_one_way = Target::parse(uri.target.as_bytes()).is_ok();
    (is_read_in_one_way && (is_here || base.is_same_origin(&uri))).then_some(uri.target)
}

/// Most are a path from the root, without anything to resolve, and so what they name.
fn is_plain(reference: &[u8]) -> bool {
    let mut before = 0;
    let mut is_plain = |byte: u8| {
        let follows_a_name = before != b'/' && before != b'.';
        before = byte;
        match byte {
            b'/' | b'.' => follows_a_name,
            byte => byte.is_ascii_alphanumeric() || b"-_=&?,:~".contains(&byte),
        }
    };
    reference.starts_with(b"/")
        && reference.len() <= 1024
        && reference.iter().all(|byte| is_plain(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reference: &str) -> Option<String> {
        let base = Uri::of_request(b"https", b"Shop.example:443", b"/a/b?c=d").unwrap();
        address(Some(&base), reference.as_bytes()).ok()
    }

    #[test]
    fn what_is_at_the_same_authority_may_be_asked_for() {
        for (reference, target) in [
            ("/x", "/x"),
            ("/x/y.html?z=1&w=/..", "/x/y.html?z=1&w=/.."),
            ("x", "/a/x"),
            ("../x", "/x"),
            ("../../../x", "/x"),
            ("/x/../y/./z", "/y/z"),
            ("?x", "/a/b?x"),
            ("/x#part", "/x"),
            (" /x\n", "/x"),
            ("/%61", "/a"),
            ("https://shop.example/x", "/x"),
            ("https://SHOP.example:443?x", "/?x"),
            ("//shop.example/x", "/x"),
        ] {
            assert_eq!(of(reference).as_deref(), Some(target), "{reference:?}");
        }
    }

    #[test]
    fn what_is_elsewhere_or_read_in_two_ways_may_not() {
        for reference in [
            "",
            " ",
            "http://shop.example/x",
            "https://shop.example:444/x",
            "https://other.example/x",
            "https://shop.example@other.example/",
            "//other.example/x",
            "///x/../other",
            "https:/x",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "/x\r\ny: z",
            "/x y",
            "/\u{e4}",
            "/x\\y",
            "\\\\other.example\\x",
            "/x%00",
            "/x%2f..%2fy",
            "/x%zz",
            "/x\0",
        ] {
            assert_eq!(of(reference), None, "{reference:?}");
        }
        let long = format!("/{}", "x/".repeat(5000));
        assert_eq!(of(&long), None);
    }

    #[test]
    fn what_is_taken_as_it_is_resolves_to_itself() {
        let base = Uri::of_request(b"https", b"h", b"/a/b").unwrap();
        for reference in [
            "/",
            "/a.b/c",
            "/a?b=c:d,e&f=~",
            "/a./b",
            "/.a",
            "/a..b",
            "//a",
            "/a//b",
        ] {
            if is_plain(reference.as_bytes()) {
                assert_eq!(
                    resolve(&base, reference.as_bytes()).as_deref(),
                    Some(reference)
                );
            }
        }
    }
}
