//! What is said between an instance and the service of its fleet; `docs/fleet.md` has the protocol.
//!
//! ```text
//! instance ─▶ Batch            what it has invalidated          ─▶ service: Posted
//! service  ─▶ Answer           what all have invalidated        ─▶ instance
//! both     ◀▶ Frame            an entry
//! client   ◀▶ WriteToken       which write a client wants to see
//! ```
//!
//! Both sides read and write here, so that what the one writes the other reads. All reading is total and bounded, and what
//! cannot be understood is taken for the most it can mean: a record of an unknown kind or mode ends everything. Only
//! what says where the reader stands (a cursor, whose a record is) makes the whole unreadable when it is: a reader that went on
//! would have missed something without knowing.

mod answer;
mod batch;
mod frame;
mod heartbeat;
mod json;
mod record;
mod token;

pub use answer::{Answer, FleetConfig};
pub use batch::{Batch, Posted};
pub use frame::{Frame, FrameError, Freshness, Imported};
pub use heartbeat::{Heartbeat, Heat, Wants};
pub use json::WireError;
pub use record::{Label, Record, Said};
pub use token::{TokenKey, WriteToken};

/// The version of the protocol that is spoken here.
pub const WIRE: u64 = 1;

/// The field that says which version is spoken.
pub const WIRE_FIELD: &str = "larder-wire";

/// Records in one answer, and in one batch, at most.
pub const MAX_RECORDS: usize = 1000;

/// Stamps of one record, at most; what names more covers everything.
pub const MAX_STAMPS: usize = 4096;

/// The longest batch or answer, in bytes.
pub const MAX_BYTES: usize = 4 << 20;
