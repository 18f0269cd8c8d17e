//! A client that costs next to nothing beside the proxy it measures: HTTP/1.1 on sockets, requests rendered
//! beforehand, bodies read and dropped, one buffer for each connection.
//!
//! It knows the little of HTTP that the answers here need, and checks each of them: one that is not what was to be
//! measured ends the run.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The host that everything is asked of.
pub const HOST: &str = "bench.example";
const BUFFER: usize = 64 << 10;
const LONGEST_REQUEST: usize = 2048;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// A request, rendered but for a number in its path.
#[derive(Clone, Debug)]
pub struct Ask {
    before: String,
    numbered: Numbered,
    after: String,
}

/// Whether a path ends in a number that no other request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbered {
    No,
    Yes,
}

impl Ask {
    /// A GET for `path` at [`HOST`].
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self {
            before: format!("GET {path}"),
            numbered: Numbered::No,
            after: format!(" HTTP/1.1\r\nhost: {HOST}\r\naccept: */*\r\n\r\n"),
        }
    }

    /// A GET for `prefix` followed by the number of the request.
    #[must_use]
    pub fn distinct(prefix: &str) -> Self {
        Self {
            numbered: Numbered::Yes,
            ..Self::get(prefix)
        }
    }

    /// With another field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let end = self.after.len() - 2;
        self.after.insert_str(end, &format!("{name}: {value}\r\n"));
        self
    }

    fn render<'a>(&self, number: u64, into: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let mut out = io::Cursor::new(&mut *into);
        match self.numbered {
            Numbered::No => write!(out, "{}{}", self.before, self.after)?,
            Numbered::Yes => write!(out, "{}{number}{}", self.before, self.after)?,
        }
        let length = usize::try_from(out.position()).unwrap_or_default();
        Ok(&into[..length])
    }
}

/// What an answer must be to count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The status code.
    pub status: u16,
    /// The length of the body, in bytes; any when not given.
    pub body: Option<usize>,
    /// Field lines it must have, as `name: value` in lower case names; the value may go on.
    pub lines: Vec<String>,
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Ok(Self { stream, buffer })
    }

    /// Sends a request, the `number`th, and reads the answer to its end.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not what is expected.
    pub async fn exchange(
        &mut self,
        ask: &Ask,
        number: u64,
        expect: &Expect,
    ) -> Result<(), WireError> {
        let mut request = [0; LONGEST_REQUEST];
        self.stream
            .write_all(ask.render(number, &mut request)?)
            .await?;
        let mut filled = 0;
        let head = loop {
            let count = self.stream.read(&mut self.buffer[filled..]).await?;
            if count == 0 {
                return Err(WireError::Closed);
            }
            // The end of the head may lie across two reads.
            let from = filled.saturating_sub(END_OF_HEAD.len() - 1);
            filled += count;
            if let Some(end) = find(&self.buffer[from..filled], END_OF_HEAD) {
                break from + end + END_OF_HEAD.len();
            }
        };
        let length = check(&self.buffer[..head], expect)?;
        let mut left = (head + length)
            .checked_sub(filled)
            .ok_or(WireError::Length(length))?;
        while left > 0 {
            let count = self.stream.read(&mut self.buffer).await?;
            if count == 0 {
                return Err(WireError::Closed);
            }
            left = left.checked_sub(count).ok_or(WireError::Length(length))?;
        }
        Ok(())
    }
}

/// Compares a head with what is expected; tells the length of the body that follows.
fn check(head: &[u8], expect: &Expect) -> Result<usize, WireError> {
    let unexpected = || WireError::Unexpected {
        head: String::from_utf8_lossy(head).into_owned(),
        expected: expect.clone(),
    };
    let text = std::str::from_utf8(head).map_err(|_| unexpected())?;
    let status = text.get(9..12).and_then(|code| code.parse::<u16>().ok());
    let empty = matches!(status, Some(204 | 304));
    let length = match field(text, "content-length") {
        _ if empty => 0,
        Some(length) => length.parse().map_err(|_| unexpected())?,
        // Chunks are not read here.
        None => return Err(unexpected()),
    };
    let is_expected = status == Some(expect.status)
        && expect.body.is_none_or(|body| body == length)
        && expect.lines.iter().all(|line| has_line(text, line));
    if is_expected {
        Ok(length)
    } else {
        Err(unexpected())
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn has_line(head: &str, line: &str) -> bool {
    head.split("\r\n").any(|seen| seen.starts_with(line))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|seen| seen == wanted)
}

/// Why an answer does not count.
#[derive(Debug)]
pub enum WireError {
    /// The connection was closed before the answer was there.
    Closed,
    /// The connection broke.
    Io(io::Error),
    /// More came than the body's announced length.
    Length(usize),
    /// The answer is another one.
    Unexpected {
        /// What came.
        head: String,
        /// What should have come.
        expected: Expect,
    },
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection was closed in the middle of an answer"),
            Self::Io(error) => write!(f, "the connection broke: {error}"),
            Self::Length(length) => write!(f, "more came than a body of {length} bytes"),
            Self::Unexpected { head, expected } => {
                write!(f, "expected {expected:?}, got:\n{head}")
            }
        }
    }
}

impl Error for WireError {}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx-cache: HIT\r\n\r\n";

    fn expect(status: u16, body: Option<usize>, line: &str) -> Expect {
        let lines = vec![line.to_owned()];
        Expect {
            status,
            body,
            lines,
        }
    }

    #[test]
    fn a_request_is_rendered_with_its_number_and_fields() {
        let mut buffer = [0; 200];
        let ask = Ask::distinct("/new/").header("accept-encoding", "gzip");
        let text = "GET /new/42 HTTP/1.1\r\nhost: bench.example\r\naccept: */*\r\n\
                    accept-encoding: gzip\r\n\r\n";
        assert_eq!(ask.render(42, &mut buffer).unwrap(), text.as_bytes());
        assert!(ask.render(42, &mut buffer[..20]).is_err());
    }

    #[test]
    fn an_answer_counts_when_status_length_and_lines_are_right() {
        let length = |expect: Expect| check(HEAD, &expect).ok();
        assert_eq!(length(expect(200, Some(5), "x-cache: HIT")), Some(5));
        assert_eq!(length(expect(200, None, "x-cache: ")), Some(5));
        assert_eq!(length(expect(304, Some(5), "x-cache: HIT")), None);
        assert_eq!(length(expect(200, Some(6), "x-cache: HIT")), None);
        assert_eq!(length(expect(200, Some(5), "cache: HIT")), None);
    }

    #[test]
    fn a_304_has_no_body_whatever_length_it_names() {
        let head = b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n";
        let expect = Expect {
            status: 304,
            ..Expect::default()
        };
        assert_eq!(check(head, &expect).unwrap(), 0);
    }
}
