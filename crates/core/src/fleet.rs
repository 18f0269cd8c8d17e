//! The fleet: other processes of the same cache, as one of them sees them.
//!
//! Between them stands a service over a store that they share. What has been invalidated anywhere stands there in one order,
//! the fleet's log, and each process follows it; what one has fetched stands there for the others. `docs/fleet.md` has the
//! protocol.
//!
//! [`Fleet`] is the port: what an exchange has to know of all that. Nobody has to be there: an exchange without a fleet, or
//! with one that does not answer in time, goes on as if it were alone.

use std::fmt;
use std::rc::Rc;

use crate::digits::{decimal, hexadecimal};
use crate::key::Key;
use crate::time::{Seconds, Timestamp};

/// The field in which the answer to a write gives a client a token, and the client's requests bring it along.
pub const TOKEN: &str = "larder-token";

/// One process of the fleet, for as long as its shared memory lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub u64);

/// A position in the fleet's log: behind this record, in front of the next.
///
/// In text `<log>.<position>.<check>`, 16 hexadecimal digits, a decimal number, 8 hexadecimal digits. It names the record in
/// front of it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Which log: a store that has lost one begins another.
    pub log: u64,
    /// How many records there were before, and this one: 0 is before the first.
    pub position: u64,
    /// That of the record in front: a store that has lost records and taken in others has other ones there.
    pub check: u32,
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:016x}.{}.{:08x}",
            self.log, self.position, self.check
        )
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

impl Cursor {
    /// From its text, as it is written and in no other form.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.splitn(3, |byte| *byte == b'.');
        let (log, position, check) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            log: hexadecimal(log, 16)?,
            position: decimal(position)?,
            check: u32::try_from(hexadecimal(check, 8)?).ok()?,
        })
    }
}

impl InstanceId {
    /// From its text, as it is written and in no other form.
    pub fn parse(text: &[u8]) -> Option<Self> {
        hexadecimal(text, 16).map(Self)
    }
}

/// The fleet is asked for what stands under a key, before the origin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consultation {
    /// The key.
    pub key: Rc<Key>,
    /// For how long.
    pub patience: Patience,
}

/// How long the fleet is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as a look may take; where nothing stands there, for the lead too.
    Look,
    /// Until who leads has brought it, and no longer than this.
    Wait(Seconds),
}

/// What the fleet had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consulted {
    /// Nothing; whoever asked leads, where a lead was to be had.
    Absent,
    /// It is in the shared tier now.
    Found,
    /// Nothing yet: another process leads.
    Held,
    /// It has it, and there was no place for it in the shared tier: only who has asked is given it, when it looks again.
    Lent,
    /// It did not say.
    Silent,
}

/// Whether the fleet may be asked for entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invitation {
    /// It may.
    Open,
    /// Nothing is shared, or it counts as failed, or too much is asked already.
    Shut,
}

/// How long ago it was known what the fleet has invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// Not longer than is allowed.
    Kept,
    /// Longer: what is stored has to be asked about.
    Lost,
}

/// Whether this process has applied what a client's write has invalidated elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has.
    Applied,
    /// Not yet: nothing that is stored may answer unasked.
    Behind,
    /// That is no token of this fleet.
    Unknown,
}

/// The fleet, as one worker knows it.
pub trait Fleet: fmt::Debug {
    /// Whether it may be asked for entries now.
    fn invitation(&self, now: Timestamp) -> Invitation;

    /// How long ago it was known what has been invalidated.
    fn contact(&self, now: Timestamp) -> Contact;

    /// What became of the write that gave a client this token (`larder-token`).
    fn standing(&self, token: &[u8]) -> Standing;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_have_one_form() {
        let cursor = Cursor {
            log: 0xab,
            position: 120,
            check: 1,
        };
        assert_eq!(cursor.to_string(), "00000000000000ab.120.00000001");
        assert_eq!(InstanceId(10).to_string(), "000000000000000a");
        for text in [
            "",
            "00000000000000ab.120",
            "ab.120.00000001",
            "00000000000000AB.120.00000001",
            "00000000000000ab.0120.00000001",
            "00000000000000ab..00000001",
            "00000000000000ab.+1.00000001",
            "00000000000000ab.18446744073709551616.00000001",
            "00000000000000ab.120.000000001",
            "00000000000000ab.120.00000001.",
            " 00000000000000ab.120.00000001",
        ] {
            assert_eq!(Cursor::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn a_name_written_is_a_name_read(log: u64, position: u64, check: u32) {
            let cursor = Cursor { log, position, check };
            prop_assert_eq!(Cursor::parse(cursor.to_string().as_bytes()), Some(cursor));
            prop_assert_eq!(InstanceId::parse(InstanceId(log).to_string().as_bytes()), Some(InstanceId(log)));
        }

        #[test]
        fn what_is_read_is_what_would_be_written(text in "[0-9a-f.]{0,40}") {
            if let Some(cursor) = Cursor::parse(text.as_bytes()) {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
