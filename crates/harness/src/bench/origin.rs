//! The origin behind what is measured: answers at once, by the path, and counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Bytes;

use crate::origin::{Received, Reply, Server};

/// The entity tag of everything.
pub const ETAG: &str = "\"v1\"";
/// In front of paths whose responses carry tags; the rule that stores them is one of many.
pub const TAGGED: &str = "/api/v1/resource-47";
/// In front of paths whose responses vary by `accept-language`.
pub const VARYING: &str = "/varying";
/// In front of paths of plain responses.
pub const PLAIN: &str = "/plain";
/// How many tags a tagged response has.
const TAGS: usize = 8;
const LARGEST: usize = 1 << 20;

/// A running origin.
#[derive(Debug)]
pub struct Origin {
    server: Server,
    fetches: Arc<AtomicU64>,
}

impl Origin {
    /// Starts it. A path is one of the prefixes, the length of the body and a name: `/plain/1024/k7`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> std::io::Result<Self> {
        let fetches = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&fetches);
        let text = text(LARGEST);
        let handler = move |request: &Received| {
            counter.fetch_add(1, Ordering::Relaxed);
            reply(request, &text)
        };
        let server = Server::start(([127, 0, 0, 1], 0).into(), handler).await?;
        Ok(Self { server, fetches })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many requests have come.
    #[must_use]
    pub fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::Relaxed)
    }
}

fn reply(request: &Received, text: &Bytes) -> Reply {
    let path = request.path_only();
    let Some(length) = length(path).filter(|length| *length <= text.len()) else {
        return Reply::new(404, "no such path");
    };
    let reply = Reply::ok(text.slice(..length));
    let fields = fields(path).into_iter();
    fields.fold(reply, |reply, (name, value)| reply.header(name, value))
}

/// The fields of what is at `path`, but for Date and Content-Length.
fn fields(path: &str) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("content-type", "application/json".to_owned()),
        ("cache-control", "max-age=3600".to_owned()),
        ("etag", ETAG.to_owned()),
    ];
    if path.starts_with(TAGGED) {
        let groups: Vec<String> = (0..TAGS).map(|tag| format!("\"group-{tag}\"")).collect();
        fields.push(("cache-groups", groups.join(", ")));
    } else if path.starts_with(VARYING) {
        fields.push(("vary", "accept-language".to_owned()));
    }
    fields
}

/// How many bytes there are to be stored of the response at `path` of `host`: the URL, the names and values of the
/// fields, and the body.
#[must_use]
pub fn stored_bytes(host: &str, path: &str) -> usize {
    const DATE: &str = "dateWed, 25 Nov 2026 22:00:00 GMT";
    let body = length(path).unwrap_or_default();
    let content_length = format!("content-length{body}");
    let fields = fields(path);
    let fields = fields.iter().map(|(name, value)| name.len() + value.len());
    host.len() + path.len() + DATE.len() + content_length.len() + fields.sum::<usize>() + body
}

fn length(path: &str) -> Option<usize> {
    path.rsplit('/').nth(1)?.parse().ok()
}

/// JSON as interfaces send it: names that repeat and values that do not; gzip makes about a fifth of it.
fn text(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        // Marsaglia's xorshift: the same bytes in every run.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut out = Vec::with_capacity(length + 128);
    out.push(b'[');
    while out.len() < length {
        let (id, price, stock) = (next(), next() % 100_000, next() % 1000);
        let record = format!(
            "{{\"id\":{id},\"name\":\"article {}\",\"price\":{price},\"in_stock\":{stock}}},",
            id % 1000
        );
        out.extend(record.as_bytes());
    }
    out.truncate(length);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_the_part_before_the_name() {
        assert_eq!(length("/plain/1024/k7"), Some(1024));
        assert_eq!(length("/api/v1/resource-47/10240/k7"), Some(10240));
        assert_eq!(length("/plain"), None);
    }

    #[test]
    fn what_is_stored_is_the_url_the_fields_and_the_body() {
        let plain = stored_bytes("a.example", "/plain/10/k1");
        let tagged = stored_bytes("a.example", &format!("{TAGGED}/10/k1"));
        assert_eq!(plain, 9 + 12 + 33 + 16 + 28 + 25 + 8 + 10);
        let groups = "cache-groups".len() + TAGS * 11 - 2;
        assert_eq!(tagged, plain + TAGGED.len() - PLAIN.len() + groups);
    }

    #[test]
    fn the_text_has_the_length_asked_for() {
        assert_eq!(text(LARGEST).len(), LARGEST);
        assert_eq!(text(1).len(), 1);
    }
}
