//! The names of the cells: a fixed set, since a cell can never be deleted.
//!
//! ```text
//! larder1i            the incarnation          larder1d<set>        a set's directory
//! larder1l            the leases of worker ids larder1s<set>.<way>  the bytes of an entry
//! larder1w            the sweeper's place      larder1e             the log of invalidations
//! larder1p            the head of that log     larder1e<page>       where they are noted
//! larder1x            patterns of that log     larder1r             receipts of invalidations
//! larder1c<number>    changes of a configuration  larder1o<number> what a worker has seen (crate larder-observe)
//! larder1v<number>    jobs of warming (crate larder-manage)
//! larder1a            what workers have let go of larder1f<cell>      flights to the origin
//! larder1q<worker>    a queue, not a cell: what a worker is told
//! larder1b            what becomes of requests on their way
//! larder1n            which instance of a fleet this is larder1j   how far it has followed the fleet's log
//! larder1u            what it has yet to tell the fleet
//! larder1k            what is answered most (the filter)
//! ```
//!
//! On Istio every module shares one namespace, hence the prefix; the digit is the version of all formats behind it.
//! At most 22 bytes, which is what the host's string type keeps inline: a longer name would cost an allocation under
//! the lock that all workers share (proxy-wasm-cpp-host `src/shared_data.cc`, libc++ `std::string`).

/// The longest name, in bytes.
const CAPACITY: usize = 22;

const PREFIX: &[u8] = b"larder1";

/// The name of a cell, on the stack.
#[derive(Clone, Copy)]
pub(super) struct Name {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Name {
    /// Where the incarnation stands.
    pub(super) fn incarnation() -> Self {
        Self::prefixed(b'i')
    }

    /// Where the leases of worker ids stand.
    pub(super) fn leases() -> Self {
        Self::prefixed(b'l')
    }

    /// Where the sweeper notes how far it is.
    pub(super) fn sweeper() -> Self {
        Self::prefixed(b'w')
    }

    /// Where the number of the log of invalidations stands.
    pub(super) fn epoch_log() -> Self {
        Self::prefixed(b'e')
    }

    /// Where the head of the invalidations stands.
    pub(super) fn epoch_head() -> Self {
        Self::prefixed(b'p')
    }

    /// Where the patterns in force stand.
    pub(super) fn patterns() -> Self {
        Self::prefixed(b'x')
    }

    /// Where changes of a configuration stand.
    pub(super) fn amendment(number: u8) -> Self {
        let mut name = Self::prefixed(b'c');
        name.push_decimal(number.into());
        name
    }

    /// Where it stands which instance of a fleet this is.
    pub(super) fn instance() -> Self {
        Self::prefixed(b'n')
    }

    /// Where it stands how far the fleet's log has been followed.
    pub(super) fn journal() -> Self {
        Self::prefixed(b'j')
    }

    /// Where it stands what the fleet has yet to be told.
    pub(super) fn outbox() -> Self {
        Self::prefixed(b'u')
    }

    /// Where it stands what becomes of requests on their way.
    pub(super) fn routes() -> Self {
        Self::prefixed(b'b')
    }

    /// Where it stands what invalidations have come to.
    pub(super) fn receipts() -> Self {
        Self::prefixed(b'r')
    }

    /// Where it stands up to where workers have carried out invalidations in their own memory.
    pub(super) fn applied() -> Self {
        Self::prefixed(b'a')
    }

    /// A page of the invalidations.
    pub(super) fn epoch_page(number: u8) -> Self {
        let mut name = Self::prefixed(b'e');
        name.push_decimal(number.into());
        name
    }

    /// A set's directory.
    pub(super) fn directory(set: u32) -> Self {
        let mut name = Self::prefixed(b'd');
        name.push_decimal(set);
        name
    }

    /// A cell of the flight table.
    pub(super) fn flights(cell: u32) -> Self {
        let mut name = Self::prefixed(b'f');
        name.push_decimal(cell);
        name
    }

    /// A worker's queue, in a namespace of its own.
    pub(super) fn queue(worker: u8) -> Self {
        let mut name = Self::prefixed(b'q');
        name.push_decimal(worker.into());
        name
    }

    /// A way's slot.
    pub(super) fn slot(set: u32, way: usize) -> Self {
        let mut name = Self::prefixed(b's');
        name.push_decimal(set);
        name.push(b'.');
        name.push_decimal(way as u32);
        name
    }

    pub(super) fn as_str(&self) -> &str {
        let written = self.bytes.get(..self.len).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }

    fn prefixed(kind: u8) -> Self {
        let mut name = Self {
            bytes: [0; CAPACITY],
            len: 0,
        };
        for &byte in PREFIX {
            name.push(byte);
        }
        name.push(kind);
        name
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len = self.len.saturating_add(1);
        }
    }

    fn push_decimal(&mut self, value: u32) {
        if let Some(tens) = value.checked_div(10).filter(|&tens| tens > 0) {
            self.push_decimal(tens);
        }
        self.push(b'0'.saturating_add((value % 10) as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_and_short() {
        for (name, text) in [
            (Name::incarnation(), "larder1i"),
            (Name::leases(), "larder1l"),
            (Name::sweeper(), "larder1w"),
            (Name::directory(0), "larder1d0"),
            (Name::directory(1_203), "larder1d1203"),
            (Name::flights(1_023), "larder1f1023"),
            (Name::queue(255), "larder1q255"),
            (Name::slot(10, 7), "larder1s10.7"),
            (Name::slot(u32::MAX, 7), "larder1s4294967295.7"),
        ] {
            assert_eq!(name.as_str(), text);
            assert!(text.len() <= CAPACITY);
        }
    }
}
