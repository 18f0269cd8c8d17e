//! Larder's filter: it translates between the proxy and `larder-core`, and decides nothing.
//!
//! ```text
//! proxy callback ─▶ stream: Event ─▶ larder_core::Exchange ─▶ Step ─▶ stream: host calls
//!                                                   worker: the tiers, shared by all streams of this VM
//! ```
//!
//! `root` reads the configuration and keeps the worker's clock ticking; `stream` is one exchange; `host` is the only
//! file that talks to the proxy.

mod host;
mod metrics;
mod root;
mod shared_data;
mod stream;
mod worker;

#[allow(
    missing_docs,
    reason = "the SDK's macro exports `_initialize` without a word"
)]
mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(crate::root::Root::default()));
    }}
}
