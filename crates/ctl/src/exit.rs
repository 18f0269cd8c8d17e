//! How a command ends.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

/// The same table, for `--help`.
pub(crate) const CODES: &str = "\
Exit codes:
  0  all is well
  1  the answer is no: problems were found, cases failed, nothing is there
  2  the command was not understood, or a file of it cannot be read
  3  the other side could not be reached, or refused";

/// How a command ends, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Fine,
    /// The answer is no.
    No,
    /// The command was not understood.
    Usage,
    /// The other side could not be reached, or refused.
    #[allow(dead_code, reason = "the commands that ask another side come next")]
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
        })
    }
}

/// Why a command could not be done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// For this reason; the message says what to do next.
    Said {
        /// For people.
        message: String,
        /// For scripts.
        exit: Exit,
    },
    /// Whoever read what is printed has gone, as `head` does.
    NobodyReads,
}

impl Failure {
    /// The command makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::said(Exit::Usage, message)
    }

    /// Nothing came of it.
    pub(crate) fn said(exit: Exit, message: impl Into<String>) -> Self {
        Self::Said {
            message: message.into(),
            exit,
        }
    }

    /// A file could not be read.
    pub(crate) fn unreadable(file: impl Display, error: &io::Error) -> Self {
        Self::usage(format!("{file}: cannot be read: {error}"))
    }
}

/// Of what is printed: files have a failure of their own.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::NobodyReads;
        }
        Self::usage(format!("cannot print: {error}"))
    }
}
