//! The cache itself, without a proxy around it.
//!
//! ```text
//! request ─▶ http::RequestHead ─▶ config rule ─▶ key ─▶ tier lookup ─▶ policy::reuse ─▶ reply or forward
//! response ─▶ http::ResponseHead ─▶ policy::storable ─▶ exchange::capture ─▶ entry ─▶ tier store
//! ```
//!
//! Everything here is sans-IO: `now` is an argument, the host is a trait, the bytes are given. The filter, the tools
//! and the tests run the very same decisions. A module uses only those named before it in this list.

#![forbid(unsafe_code)]

mod digits;

pub mod logarithm;

pub mod sorting;

pub mod time;

pub mod http;

pub mod config;

pub mod key;

pub mod entry;

pub mod epoch;

pub mod flight;

pub mod fleet;

pub mod wire;

pub mod policy;

pub mod report;

pub mod tier;

pub mod transform;

pub mod exchange;

#[cfg(test)]
mod property;
