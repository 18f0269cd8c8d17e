//! What is allowed: pure decisions, each with its reason.
//!
//! A request is judged before its lookup ([`request`]), a stored response before its use ([`reuse`], then
//! [`validation`] for what the client already has, then [`range`] for the parts it asks for, with [`partial`] for what
//! goes with them), the origin's response before it is stored ([`storable`], with [`freshness`] for how long,
//! [`staleness`] for what may come after it and [`stale`] for how long, [`fields`] for what of it, [`store_if`] for what the operator asks of it, and
//! [`incomplete`] for what is only a part). What a write makes invalid is told by [`invalidation`],
//! and what a response can be invalidated by, beside its URL, by [`tags`]. When an origin is not asked at all tells [`breaker`]. [`deception`] sees through pages under false names, and
//! [`template`] tells what pages are made of.

pub mod breaker;
pub mod deception;
pub mod fields;
pub mod freshening;
pub mod freshness;
pub mod incomplete;
pub mod invalidation;
pub mod jitter;
mod orders;
pub mod partial;
#[cfg(test)]
mod properties;
pub mod range;
mod reason;
pub mod request;
pub mod reuse;
#[cfg(test)]
mod sample;
mod sharing;
pub mod stale;
pub mod staleness;
pub mod storable;
pub mod store_if;
pub mod tags;
pub mod template;
pub mod validation;

pub use reason::Reason;
