//! Authorities.

use larder_core::http::Authority;

/// Host and port: a name or an address in brackets, and perhaps a colon with digits behind it.
fn reference(text: &str) -> Option<(String, Option<String>)> {
    const NAME: &str = "-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let end = match text.starts_with('[') {
        true => text.find(']')? + 1,
        false => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(end);
    let is_host = match host.strip_prefix('[') {
        Some(address) => {
            let address = address.strip_suffix(']')?;
            !address.is_empty()
                && address
                    .chars()
                    .all(|it| "0123456789abcdefABCDEF:.".contains(it))
        }
        None => !host.is_empty() && host.chars().all(|it| NAME.contains(it)),
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => port
            .chars()
            .all(|it| it.is_ascii_digit())
            .then(|| Some(port.to_owned())),
        None => rest.is_empty().then_some(None),
    };
    port.filter(|_| is_host).map(|port| (host.to_owned(), port))
}

pub(super) fn check(data: &[u8]) {
    let found = Authority::parse(data);
    let expected = std::str::from_utf8(data).ok().and_then(reference);
    let parts = found.map(|it| {
        (
            it.host().to_owned(),
            it.port_other_than_default(b"ftp").map(str::to_owned),
        )
    });
    assert_eq!(parts, expected);
    if let (Some(found), Some((_, port))) = (found, expected) {
        let other = |default: &str| {
            let port = port.as_deref();
            port.filter(|port| !port.is_empty() && *port != default)
        };
        assert_eq!(found.port_other_than_default(b"http"), other("80"));
        assert_eq!(found.port_other_than_default(b"https"), other("443"));
    }
}
