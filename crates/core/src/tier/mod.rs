//! How entries are kept where every worker finds them.
//!
//! The shared tier is a set-associative cache over the host's shared cells: a key belongs to one set, a set has a
//! directory and up to 32 slots. Cells can never be deleted, so their number is fixed by the geometry. There is no lock
//! to take and nobody to take it from: workers change a directory by compare-and-set, and only a way's claimant
//! touches its slot.
//!
//! ```text
//! claim     directory: way -> filling or emptying { generation, bytes, deadline }       compare-and-set
//! write     slot: the entry, or nothing                                                  unconditional
//! settle    directory: way -> published or free                                          compare-and-set
//! ```
//!
//! Claim, write and settle happen in one call. A worker that dies or is delayed in between leaves a claim that runs
//! out; one that was so late that another had taken the way finds another generation when it settles, and since its
//! write may have hit the other's entry it claims the way again and empties it. A reader believes a slot only if
//! incarnation, generation and the full key agree. So the worst that any interleaving gives is a miss.
//!
//! Everything fails soft: the cells can be wiped, corrupted or refused between any two host calls, and what remains
//! is a miss, a typed reason for a counter, and a repair at the next tick.

mod amendments;
mod applied;
mod census;
mod claim;
mod coverage;
mod demand;
mod directory;
mod epochs;
mod evict;
mod flights;
mod generation;
mod hot;
mod incarnation;
mod journal;
mod kv;
mod lease;
mod memory;
mod miniature;
mod name;
mod outcome;
mod progress;
mod random;
mod receipt;
mod record;
mod room;
mod round;
mod routes;
mod scan;
mod shared;
mod sketch;
mod slot;
mod standing;
mod sweep;
#[cfg(test)]
mod tests;
mod touches;
mod trust;
mod way;

pub use amendments::{Amendment, Amendments, MAX_AMENDMENT_BYTES};
pub use census::Counted;
pub use epochs::{ChangeHint, EpochLog, Unnoted};
pub use flights::{FlightTable, Landed, Member, Reach, Signal, Whom, Workers};
pub(crate) use hot::{Door, Knock};
pub use hot::{Kept, NameHash, Shelf, TellingFields, Unlearned};
pub use incarnation::Geometry;
pub use journal::{Applied, Bearings, Journal, Lead, LocalOrder, NotApplied, Noted, Unwritten};
pub use kv::{ByteGauge, Cas, Cell, KvError, SetError, SharedKv};
pub use memory::{MemoryGauge, MemoryKv};
pub use outcome::{AbsentReason, Candidate, Found, Lookup, Removed, Stored, UNCONCERNED, WhyNot};
pub use receipt::{Completeness, NoReceipt, Receipt};
pub use routes::{Passage, Route};
pub use scan::Scanned;
pub use shared::SharedTier;
pub use sweep::{GeometryNotice, Order, SweepPace, TickReport, Totals};
