//! What Redis and its kin say: RESP2, as far as plays need it.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It will not.
    Error(String),
    /// Several.
    List(Vec<Self>),
    /// Nothing.
    Nothing,
    /// A number.
    Number(i64),
    /// `OK` and the like.
    Status(String),
    /// Bytes; what is not UTF-8 is shown as such.
    Text(String),
}

impl Reply {
    /// The text, where it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Error(_) | Self::List(_) | Self::Nothing | Self::Number(_) | Self::Status(_) => {
                None
            }
        }
    }
}

/// A command as it goes over the wire.
pub(super) fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

/// The next answer.
pub(super) async fn read(stream: &mut (impl AsyncBufRead + Send + Unpin)) -> io::Result<Reply> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let line = line
        .strip_suffix("\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let (kind, rest) = line.split_at_checked(1).ok_or_else(|| nonsense(line))?;
    match kind {
        "+" => Ok(Reply::Status(rest.to_owned())),
        "-" => Ok(Reply::Error(rest.to_owned())),
        ":" => Ok(Reply::Number(number(rest)?)),
        "$" => match usize::try_from(number(rest)?) {
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                stream.read_exact(&mut bytes).await?;
                bytes.truncate(length);
                Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Err(_) => Ok(Reply::Nothing),
        },
        "*" => {
            let mut list = Vec::new();
            for _ in 0..number(rest)? {
                list.push(Box::pin(read(stream)).await?);
            }
            Ok(Reply::List(list))
        }
        _ => Err(nonsense(line)),
    }
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| nonsense(text))
}

fn nonsense(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, line.to_owned())
}
