//! The service of a fleet.
//!
//! Any number of replicas stand over one store (Redis or Valkey; or, for one replica, its own memory) and keep nothing
//! themselves. Filters reach them through one of their proxy's clusters; people reach them through the management API
//! and the page. `docs/fleet.md` has the protocol.
//!
//! ```text
//! main ─▶ settings ─▶ run ─▶ server ─▶ routes ─┬▶ v1: instances ─┬▶ store
//!                                              │                 └▶ follower ─▶ judge
//!                                              └▶ management: people
//! ```

#![forbid(unsafe_code)]

pub mod fleet;
pub mod follower;
pub mod glance;
pub mod judge;
pub mod management;
pub mod metrics;
pub mod overview;
pub mod page;
pub mod prompt;
pub mod refusal;
pub mod roster;
pub mod routes;
pub mod run;
pub mod secret;
pub mod server;
pub mod service;
pub mod settings;
pub mod store;
pub mod v1;
