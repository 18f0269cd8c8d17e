//! What workers tell each other through their queues.
//!
//! ```text
//! "LFW1" │ 16 bytes digest │ 'f' failed 'g' let go 'l' look  a flight has landed
//! "LFW1"                                                     to oneself: some of those that may go on are still there
//! ```
//!
//! A queue loses what it holds when the cells are lost, and what it says may be late: it is a hint.

use crate::exchange::Wake;
use crate::key::KeyDigest;

use super::super::record::{Corrupt, Fields};

const TAG: &[u8; 4] = b"LFW1";

/// What a worker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A flight has landed: who waits for it goes on.
    Landed(KeyDigest, Wake),
    /// There is more to do.
    More,
}

impl Signal {
    /// As it is put into a queue.
    pub fn encode(self) -> Vec<u8> {
        let mut out = TAG.to_vec();
        if let Self::Landed(digest, wake) = self {
            out.extend_from_slice(&digest.0);
            out.push(match wake {
                Wake::Failed => b'f',
                Wake::Full | Wake::LetGo | Wake::Overdue => b'g',
                Wake::Look => b'l',
            });
        }
        out
    }

    /// As it was taken out; `None` where it is something else.
    pub fn decode(value: &[u8]) -> Option<Self> {
        Self::read(value).ok()
    }

    fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let mut fields = Fields::of(value, TAG)?;
        if fields.rest().is_empty() {
            return Ok(Self::More);
        }
        let digest = KeyDigest(*fields.take()?);
        let wake = match fields.take()? {
            b"f" => Wake::Failed,
            b"g" => Wake::LetGo,
            b"l" => Wake::Look,
            [_] => return Err(Corrupt),
        };
        fields.end()?;
        Ok(Self::Landed(digest, wake))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_understood_and_nothing_else_is() {
        let digest = KeyDigest([7; 16]);
        for signal in [
            Signal::Landed(digest, Wake::Failed),
            Signal::Landed(digest, Wake::Look),
            Signal::Landed(digest, Wake::LetGo),
            Signal::More,
        ] {
            let told = signal.encode();
            assert_eq!(Signal::decode(&told), Some(signal));
            assert_eq!(Signal::decode(&[&told[..], b"x"].concat()), None);
        }
        for other in [&b""[..], b"LFW", b"LFW2", &[0; 21]] {
            assert_eq!(Signal::decode(other), None);
        }
    }
}
