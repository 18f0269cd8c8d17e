//! References, resolved as RFC 3986 section 5.2 tells it. What has escapes in it is only seen to resolve or not.

use larder_core::http::Uri;

fn is_visible(text: &[u8]) -> bool {
    text.iter().all(|byte| (0x21..0x7f).contains(byte))
}

/// Section 5.2.4, step by step.
fn without_dots(path: &str) -> String {
    let (mut input, mut output) = (path.to_owned(), String::new());
    while !input.is_empty() {
        if let Some(rest) = input.strip_prefix("/./") {
            input = format!("/{rest}");
        } else if input == "/." {
            input = "/".to_owned();
        } else if input.starts_with("/../") || input == "/.." {
            input = format!("/{}", input[3..].strip_prefix('/').unwrap_or(""));
            output.truncate(output.rfind('/').unwrap_or(0));
        } else {
            let end = input[1..].find('/').map_or(input.len(), |at| at + 1);
            output.push_str(&input[..end]);
            input = input[end..].to_owned();
        }
    }
    output
}

fn normal(target: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (target, String::new()),
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{}{query}", without_dots(&format!("{slash}{path}")))
}

/// Scheme, authority and target.
fn resolve(base: &str, reference: &str) -> Option<[String; 3]> {
    let reference = reference.split('#').next().unwrap();
    let colon = reference.find(':');
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it))
    };
    let (scheme, rest) = match colon.filter(|at| is_scheme(&reference[..*at])) {
        Some(at) => (Some(reference[..at].to_lowercase()), &reference[at + 1..]),
        None => (None, reference),
    };
    if let Some(rest) = rest.strip_prefix("//") {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let scheme = scheme.unwrap_or_else(|| "http".to_owned());
        return Some([scheme, rest[..end].to_owned(), normal(&rest[end..])]);
    }
    if scheme.is_some() {
        return None;
    }
    let (base_path, base_query) = match base.split_once('?') {
        Some((path, _)) => (path, &base[path.len()..]),
        None => (base, ""),
    };
    let target = if rest.is_empty() {
        format!("{base_path}{base_query}")
    } else if rest.starts_with('?') {
        format!("{base_path}{rest}")
    } else if rest.starts_with('/') {
        normal(rest)
    } else {
        let directory = &base_path[..=base_path.rfind('/').unwrap()];
        normal(&format!("{directory}{rest}"))
    };
    Some(["http".to_owned(), "a.example".to_owned(), target])
}

pub(super) fn check(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let target = lines.next().unwrap_or_default();
    let reference = lines.next().unwrap_or_default();
    let base = Uri::of_request(b"http", b"a.example", target);
    assert_eq!(base.is_some(), is_visible(target));
    let Some(base) = base else {
        return;
    };
    let found = base.resolve(reference);
    assert!(found.is_none() || is_visible(reference));
    if !is_visible(reference) || data.contains(&b'%') {
        return;
    }
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (target, reference) = (text(target), text(reference));
    assert_eq!(base.target, normal(&target));
    let found = found.map(|uri| [uri.scheme, uri.authority, uri.target]);
    assert_eq!(found, resolve(&base.target, &reference));
}
