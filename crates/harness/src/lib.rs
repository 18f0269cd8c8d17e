//! Real Envoys, origins, clients and load, started and stopped by handle.
//!
//! The tests of the built module, `make run` and `make bench` all stand on this crate. Three
//! rules hold everywhere in it: ports are chosen by the kernel and read back, readiness is waited
//! for and never slept for, and whatever was started ends with its handle (or with this process,
//! however that ends).
//!
//! A test reads from left to right:
//!
//! ```no_run
//! # async fn play() -> Result<(), Box<dyn std::error::Error>> {
//! use larder_harness::client::{Client, Protocol};
//! use larder_harness::envoy::{Cluster, Envoy, Listener, Wasm};
//! use larder_harness::origin::{Origin, Reply};
//!
//! let origin = Origin::start().await?;
//! origin.on("/report", Reply::ok("forty-two"));
//! let envoy = Envoy::builder()
//!     .cluster(Cluster::new("origin", origin.address()))
//!     .listener(Listener::to_cluster("main", "origin").wasm(Wasm::new("dist/larder.wasm", "{}")))
//!     .start()
//!     .await?;
//! let mut client = Client::connect(envoy.address("main"), Protocol::Http1).await?;
//! assert_eq!(client.get("/report").await?.status, 200);
//! envoy.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! It is test tooling: what only a programming error of a test can reach may panic, with a message.
//! What a user of `make run` can meet is an error that says what to do next.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test tooling: a panic is how a test reports that its stage is broken"
)]

pub mod access_log;
pub mod admin;
pub mod bench;
mod body;
pub mod browser;
pub mod client;
pub mod demo;
pub mod envoy;
pub mod eviction;
pub mod fleet;
pub mod origin;
mod port;
mod process;
pub mod prometheus;
mod scratch;
pub mod shutdown;
pub mod template;
pub mod tools;
pub mod valkey;
pub mod wait;

pub use port::Port;
pub use scratch::Scratch;
