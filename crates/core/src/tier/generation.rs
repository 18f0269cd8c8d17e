//! Names for claims.
//!
//! ```text
//! worker id (8 bits) │ lease number (24 bits) │ counter (32 bits)
//! ```
//!
//! Why none is ever used twice: see [`super::lease`].

/// Names one claim on one way, once and for all within an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u64);

impl Generation {
    pub(super) const fn new(holder: u32, counter: u32) -> Self {
        Self(((holder as u64) << 32) | counter as u64)
    }

    pub(super) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    pub(super) const fn raw(self) -> u64 {
        self.0
    }

    /// The part that one lease's generations share.
    pub(super) const fn holder(self) -> u32 {
        (self.0 >> 32) as u32
    }
}
