//! Which fields of a client's request go into a request of Larder's own that stands for it: those that say who asks, and what for.

/// Fields of a request that are about its client's connection and content, its conditions, or the part that it wants.
///
/// What `connection` names besides is left: the proxy has had its say about that, and by the same fields the key was made.
const OF_ONE_REQUEST: [&str; 17] = [
    "connection",
    "expect",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "priority",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    super::ROAD,
];

/// Whether a field, whose name is in lower case, is about the one request alone, so that another in its place has none or its own.
pub fn is_of_one_request(name: &[u8]) -> bool {
    let is = |other: &&str| other.as_bytes() == name;
    name.starts_with(b"x-envoy-") || name.starts_with(b"content-") || OF_ONE_REQUEST.iter().any(is)
}
