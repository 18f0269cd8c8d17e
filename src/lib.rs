//! Larder's filter: it translates between the proxy and `larder-core`, and decides nothing.
//!
//! ```text
//! proxy callback ─▶ stream: Event ─▶ larder_core::Exchange ─▶ Step ─▶ stream: host calls
//!                                                   worker: the tiers, shared by all streams of this VM
//! ```
//!
//! `exports` is what the proxy calls, `host` what it is asked; no other file touches either. `root` reads the configuration
//! and keeps the worker's clock ticking; `stream` is one exchange.

mod callout;
mod compose;
mod contexts;
mod desk;
mod exports;
mod fleet;
mod host;
mod ledger;
mod live;
mod metrics;
mod refresh;
mod root;
mod shared_data;
mod stream;
mod warm;
mod worker;
