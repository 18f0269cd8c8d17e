//! Asking for URLs, so many at a time, once each.

use std::io::{self, Read};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ureq::http::{HeaderName, HeaderValue, Request, Response};
use ureq::{Agent, Body};

use super::list::Url;
use super::pace::Pace;
use super::source::PATIENCE;
use crate::exit::Failure;
use crate::remote::{Address, Line, agent};
use crate::shown::seen;

/// The longest sitemap that is read, packed or not.
const LONGEST: u64 = 64 << 20;

/// A field of each request.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    name: HeaderName,
    value: HeaderValue,
}

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("must be `name: value`")?;
        Ok(Self {
            name: name
                .trim()
                .parse()
                .map_err(|_| "must begin with a field's name")?,
            value: value
                .trim()
                .parse()
                .map_err(|_| "must have a value that can be sent")?,
        })
    }
}

/// What became of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Which it was.
    pub(super) url: String,
    /// How long that took.
    pub(super) took: Duration,
    /// What was answered, or why nothing was.
    pub(super) answer: Result<Answered, String>,
}

/// An answer, as far as warming goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    /// The status.
    pub(super) status: u16,
    /// What `x-cache` says.
    pub(super) x_cache: String,
    /// What Larder says in `cache-status`.
    pub(super) cache_status: String,
}

/// Asks one listener.
#[derive(Debug)]
pub(super) struct Fetcher {
    agent: Agent,
    at: Address,
    fields: Vec<Field>,
}

impl Fetcher {
    /// Asks that one.
    ///
    /// # Errors
    /// Where it is not known whom to trust.
    pub(super) fn new(
        at: &Address,
        line: &Line,
        fields: &[Field],
        concurrency: u32,
    ) -> Result<Self, Failure> {
        let connections = usize::try_from(concurrency).unwrap_or(1);
        Ok(Self {
            agent: agent(line, at.scheme(), connections)?,
            at: at.clone(),
            fields: fields.to_vec(),
        })
    }

    /// All of a body, for who has to read it.
    pub(super) fn body(&self, url: &Url) -> Result<Vec<u8>, String> {
        let request = self.request(url)?;
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(PATIENCE))
            .build();
        let answer = self.agent.run(request).map_err(|error| error.to_string())?;
        match answer.status().as_u16() {
            200 => {
                let body = answer.into_body().into_with_config().limit(LONGEST);
                body.read_to_vec().map_err(|error| error.to_string())
            }
            status => Err(format!("is answered with {status}")),
        }
    }

    /// Asks for all of them, and says of each what became of it; ends early where that fails.
    ///
    /// # Errors
    /// What `note` fails with.
    pub(super) fn all(
        &self,
        urls: &[Url],
        pace: &Pace,
        concurrency: u32,
        mut note: impl FnMut(Asked) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (said, heard) = mpsc::channel();
        let next = AtomicUsize::new(0);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..concurrency {
                let (said, next, is_over) = (said.clone(), &next, &is_over);
                scope.spawn(move || {
                    while let Some(url) = urls.get(next.fetch_add(1, Ordering::Relaxed)) {
                        pace.wait();
                        if is_over.load(Ordering::Relaxed) || said.send(self.ask(url)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(said);
            let noted = heard.iter().try_for_each(&mut note);
            is_over.store(true, Ordering::Relaxed);
            noted
        })
    }

    fn ask(&self, url: &Url) -> Asked {
        let begun = Instant::now();
        let answer = self.request(url).and_then(|request| {
            let answer = self.agent.run(request);
            answer.and_then(read).map_err(|error| error.to_string())
        });
        Asked {
            url: url.shown(),
            took: begun.elapsed(),
            answer,
        }
    }

    fn request(&self, url: &Url) -> Result<Request<()>, String> {
        let mut request = Request::builder()
            .uri(self.at.url(&url.target))
            .header("host", &url.host);
        // The scheme is a part of the key, and TLS may end in front of the listener that is asked.
        if url.scheme != self.at.scheme() {
            request = request.header("x-forwarded-proto", url.scheme);
        }
        for field in &self.fields {
            request = request.header(&field.name, &field.value);
        }
        request.body(()).map_err(|error| error.to_string())
    }
}

/// Reads an answer to its end, because what is not read may not be stored.
fn read(answer: Response<Body>) -> Result<Answered, ureq::Error> {
    let text = |name: &str| {
        let mut lines = answer.headers().get_all(name).iter();
        let last = lines
            .next_back()
            .map(HeaderValue::as_bytes)
            .unwrap_or_default();
        seen(&String::from_utf8_lossy(last))
    };
    let answered = Answered {
        status: answer.status().as_u16(),
        x_cache: text("x-cache"),
        cache_status: text("cache-status"),
    };
    let mut body = answer.into_body().into_reader();
    io::copy(&mut body.by_ref(), &mut io::sink())?;
    Ok(answered)
}
