//! The origin: what each URL has been, and how a request is answered.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use larder_harness::origin::{Received, Reply, Step};

/// A sequence that is the same in every run.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number (splitmix64).
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn any<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// How the origin behaves towards one request: drawn from the request's number.
#[derive(Clone, Debug)]
pub struct Manner {
    pub breaks_off: bool,
    pub error: Option<u16>,
    cache_control: &'static str,
    ignores_conditions: bool,
    ignores_range: bool,
    lies: bool,
    tag: Tag,
    is_dated: bool,
    is_chunked: bool,
    has_trailers: bool,
    names_variation: bool,
    delay: Duration,
    write_status: u16,
    group: Option<usize>,
    age: Option<&'static str>,
    /// What it is asked for has just become another version, of which nobody was told.
    changes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Strong,
    Weak,
    None,
}

impl Manner {
    pub fn of(play: u64) -> Self {
        let mut dice = Dice::new(play);
        Self {
            breaks_off: dice.one_in(30),
            error: dice.one_in(25).then(|| dice.any(&[404, 410, 500, 503])),
            cache_control: dice.any(&[
                "max-age=60",
                "max-age=60",
                "max-age=60",
                "public, max-age=60",
                "s-maxage=60, must-revalidate",
                "max-age=60, stale-while-revalidate=60",
                "max-age=0",
                "max-age=0",
                "no-cache",
                "no-store",
                "private, max-age=60",
            ]),
            ignores_conditions: dice.one_in(4),
            ignores_range: dice.one_in(4),
            lies: dice.one_in(10),
            tag: dice.any(&[
                Tag::Strong,
                Tag::Strong,
                Tag::Strong,
                Tag::Strong,
                Tag::Weak,
                Tag::None,
            ]),
            is_dated: dice.one_in(2),
            is_chunked: dice.one_in(3),
            has_trailers: dice.one_in(3),
            names_variation: !dice.one_in(4),
            delay: Duration::from_millis(dice.any(&[0, 0, 0, 0, 1, 3])),
            write_status: dice.any(&[200, 201, 204, 303, 409, 500]),
            group: dice.one_in(4).then(|| dice.below(2)),
            changes: dice.one_in(10),
            age: dice.one_in(8).then(|| dice.any(&["0", "30", "100"])),
        }
    }
}

/// Which versions there have been of what.
#[derive(Debug, Default)]
pub struct World(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    clock: u64,
    history: HashMap<String, Vec<u64>>,
}

impl State {
    fn raise(&mut self, subject: &str) {
        let clock = self.clock;
        self.history
            .entry(subject.to_owned())
            .or_insert_with(|| vec![0])
            .push(clock);
    }
}

/// What a URL is about: its path as the RFC reads it, and the one parameter that counts.
pub fn subject(host: &str, target: &str) -> String {
    let target = target.replace("%64", "d");
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let id = query.split('&').find(|pair| pair.starts_with("id="));
    format!("{host}{path}?{}", id.unwrap_or_default())
}

/// The bytes of a version.
pub fn content(subject: &str, facet: &str, version: u64) -> Vec<u8> {
    let seed = format!("{subject}|{facet}|{version}|");
    let hash = seed.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut dice = Dice::new(hash);
    // All versions of what is large are of one length: that does not tell their parts apart.
    let length = match dice.below(20) {
        _ if subject.contains("/l/") => 4_000 * subject.len(),
        0 => 0,
        _ => 1 + dice.below(4_000),
    };
    let mut bytes = seed.into_bytes();
    while bytes.len() < length {
        bytes.extend(dice.roll().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The tag of a version.
pub fn tag(facet: &str, version: u64) -> String {
    let facet: String = facet.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("\"v{version}-{facet}\"")
}

/// When a version was made: each at a time of its own.
fn modified(version: u64) -> String {
    let (hours, minutes, seconds) = (version / 3600, version / 60 % 60, version % 60);
    format!("Sun, 06 Nov 1994 {hours:02}:{minutes:02}:{seconds:02} GMT")
}

/// The version that a tag names, if it is one of ours.
pub fn version_of(tag: &str) -> Option<u64> {
    let inside = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix("\"v")?;
    inside.split_once('-')?.0.parse().ok()
}

impl World {
    /// All versions that there have been.
    pub fn versions(&self, subject: &str) -> Vec<u64> {
        let state = self.0.lock().unwrap();
        state
            .history
            .get(subject)
            .cloned()
            .unwrap_or_else(|| vec![0])
    }

    pub fn reply(&self, request: &Received) -> Reply {
        let play = request.header("x-play").and_then(|play| play.parse().ok());
        let manner = Manner::of(play.unwrap_or_default());
        let host = request.header("x-host").unwrap_or("none");
        let subject = subject(host, &request.path);
        let reply = match request.method.as_str() {
            "GET" | "HEAD" | "OPTIONS" | "QUERY" => self.read(request, &subject, &manner),
            "POST" if request.path.starts_with("/q/") => self.read(request, &subject, &manner),
            _ => self.write(request, host, &subject, &manner),
        };
        reply.header("link", "</origin>").after(manner.delay)
    }

    fn write(&self, request: &Received, host: &str, subject: &str, manner: &Manner) -> Reply {
        let status = manner.write_status;
        let mut reply = Reply::new(status, if status == 204 { "" } else { "written" });
        if status >= 400 {
            return reply;
        }
        let mut state = self.0.lock().unwrap();
        state.clock += 1;
        state.raise(subject);
        if status == 201 {
            let made = format!("/d/{}", request.path.len() % 3);
            state.raise(&self::subject(host, &made));
            reply = reply.header("location", made);
        }
        if let Some(group) = manner.group {
            for member in 0..4 {
                if member % 2 == group {
                    state.raise(&self::subject(host, &format!("/g/{member}")));
                }
            }
            reply = reply.header("cache-group-invalidation", format!("\"g{group}\""));
        }
        reply.header("x-version", state.clock.to_string())
    }

    fn read(&self, request: &Received, subject: &str, manner: &Manner) -> Reply {
        if manner.changes {
            let mut state = self.0.lock().unwrap();
            state.clock += 1;
            state.raise(subject);
        }
        let version = *self.versions(subject).last().unwrap();
        let facet = facet(
            &request.method,
            &request.path,
            |name| request.header(name).map(str::to_owned),
            &request.body,
        );
        if let Some(status) = manner.error {
            let text = match request.method.as_str() {
                "HEAD" => String::new(),
                _ => format!("error|{subject}|{version}"),
            };
            return described(Reply::new(status, text), request, manner);
        }
        let content = content(subject, &facet, version);
        let strong = tag(&facet, version);
        let tag = match manner.tag {
            Tag::Strong => Some(strong),
            Tag::Weak => Some(format!("W/{strong}")),
            Tag::None => None,
        };
        let is_get = request.method == "GET";
        let matches = |name: &str| match (request.header(name), &tag) {
            (Some(value), Some(tag)) => value.contains(tag.trim_start_matches("W/")),
            _ => false,
        };
        let date = modified(version);
        let is_unmodified = || {
            let since = request
                .header("if-modified-since")
                .filter(|_| manner.is_dated);
            since.is_some_and(|since| since.contains(" 2099 ") || since == date)
        };
        let is_known = match request.header("if-none-match") {
            Some(_) => matches("if-none-match"),
            None => is_unmodified(),
        };
        let is_known = is_known && request.method != "POST";
        let range = request
            .header("range")
            .filter(|_| is_get && !manner.ignores_range);
        let range = range.filter(|_| request.header("if-range").is_none() || matches("if-range"));
        let range = range.and_then(|range| one_range(range, content.len()));
        let mut reply = match range {
            _ if is_known && !manner.ignores_conditions => Reply::new(304, ""),
            Some(_) if manner.lies => lie(&content, manner),
            Some((first, last)) => {
                let whole = content.len();
                body(&content[first..=last], request, manner)
                    .status(206)
                    .header("content-range", format!("bytes {first}-{last}/{whole}"))
            }
            None => body(&content, request, manner),
        };
        if let Some(tag) = tag {
            reply = reply.header("etag", tag);
        }
        if manner.is_dated {
            reply = reply.header("last-modified", date);
        }
        described(reply, request, manner).header("content-type", "text/x-chaos")
    }
}

/// What there is another version of at the same time: by language, by user, by question.
pub fn facet(
    method: &str,
    path: &str,
    header: impl Fn(&str) -> Option<String>,
    body: &[u8],
) -> String {
    let kind = path.get(..3).unwrap_or_default();
    match (kind, method) {
        ("/v/", _) => header("x-lang").unwrap_or_default(),
        ("/u/", _) => header("x-user").unwrap_or_default(),
        ("/a/", _) => header("authorization").unwrap_or_default(),
        ("/q/", "POST" | "QUERY") => format!("{method} {}", String::from_utf8_lossy(body)),
        _ => String::new(),
    }
}

fn described(reply: Reply, request: &Received, manner: &Manner) -> Reply {
    let path = request.path.as_str();
    let mut reply = reply;
    if !path.starts_with("/t/") {
        reply = reply.header(
            "cache-control",
            match manner.cache_control {
                "public, max-age=60" | "s-maxage=60, must-revalidate"
                    if path.starts_with("/a/") =>
                {
                    "max-age=60"
                }
                value => value,
            },
        );
    }
    if path.starts_with("/v/") {
        reply = reply.header("vary", "x-lang");
    }
    if let Some(member) = path
        .strip_prefix("/g/")
        .and_then(|number| number.parse::<usize>().ok())
    {
        reply = reply.header("cache-groups", format!("\"all\", \"g{}\"", member % 2));
    }
    if path.starts_with("/n/") && manner.names_variation {
        reply = reply.header("no-vary-search", "params=(\"junk\"), key-order");
    }
    if let Some(age) = manner.age {
        reply = reply.header("age", age);
    }
    reply
}

/// A part that is not what it says, as anybody can see.
fn lie(content: &[u8], manner: &Manner) -> Reply {
    let range = match manner.delay.as_millis() {
        0 => "bytes 0-18446744073709551615/18446744073709551616",
        1 => "bytes 0-0/4294967295",
        _ => "bytes 5-2/10",
    };
    Reply::new(
        206,
        content
            .iter()
            .chain(b"too much")
            .copied()
            .collect::<Vec<_>>(),
    )
    .header("content-range", range)
    .header("x-lie", "1")
}

fn body(bytes: &[u8], request: &Received, manner: &Manner) -> Reply {
    if request.method == "HEAD" {
        return Reply::ok("").header("content-length", bytes.len().to_string());
    }
    if manner.breaks_off && !bytes.is_empty() {
        return Reply::dies_after(bytes[..bytes.len() / 2].to_vec(), bytes.len());
    }
    if !manner.is_chunked {
        return Reply::ok(bytes.to_vec());
    }
    let mut steps: Vec<Step> = bytes
        .chunks(bytes.len() / 3 + 1)
        .map(|chunk| Step::Chunk(chunk.to_vec().into()))
        .collect();
    if manner.has_trailers {
        steps.push(Step::Trailers(vec![(
            "x-checksum".to_owned(),
            "1".to_owned(),
        )]));
    }
    Reply::steps(steps)
}

/// The one range that is asked for, as far as this origin understands it.
fn one_range(range: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = length.checked_sub(1)?;
    if first.is_empty() {
        let suffix: usize = last.parse().ok()?;
        return (suffix > 0).then(|| (length.saturating_sub(suffix), end));
    }
    let first: usize = first.parse().ok()?;
    let last = if last.is_empty() {
        end
    } else {
        last.parse::<usize>().ok()?.min(end)
    };
    (first <= last).then_some((first, last))
}
