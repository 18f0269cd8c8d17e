//! The service of a fleet.
//!
//! Any number of replicas stand over one store (Redis or Valkey; or, for one replica, its own memory) and keep nothing
//! themselves. Filters reach them through one of their proxy's clusters; people reach them through the management API
//! and the page. `docs/fleet.md` has the protocol.

#![forbid(unsafe_code)]

pub mod overview;
pub mod page;
pub mod store;
