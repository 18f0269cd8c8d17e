//! The module that is shipped: what it asks of the host, what it offers, how large it is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use wasmparser::{Parser, Payload};

/// The module may grow to this and no further without somebody deciding so.
const LARGEST: usize = 1024 * 1024;

/// What the filter calls (`src/host.rs`). One that appears here is a decision.
const OURS: &[&str] = &[
    "proxy_add_header_map_value",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_dequeue_shared_queue",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

/// What Rust's standard library calls on `wasm32-wasip1`; all of it is there in Envoy.
const OF_THE_STANDARD_LIBRARY: &[&str] = &[
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "random_get",
];

/// Without these the host refuses the module or never calls it; each one more costs every request a crossing
/// (`src/exports.rs`).
const EXPORTS: &[&str] = &[
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_log",
    "proxy_on_memory_allocate",
    "proxy_on_queue_ready",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_body",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

fn module() -> Vec<u8> {
    let path = std::env::var_os("LARDER_WASM").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dist/larder.wasm"),
        PathBuf::from,
    );
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; `make wasm` builds it", path.display()))
}

#[test]
fn it_is_small_enough() {
    let size = module().len();
    assert!(size <= LARGEST, "{size} bytes");
}

#[test]
fn it_asks_the_host_for_nothing_unexpected() {
    let wasm = module();
    let of = |module, names: &'static [&str]| names.iter().map(move |name| (module, *name));
    let expected: BTreeSet<(&str, &str)> = of("env", OURS)
        .chain(of("wasi_snapshot_preview1", OF_THE_STANDARD_LIBRARY))
        .collect();
    let mut found = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&wasm) {
        if let Payload::ImportSection(imports) = payload.unwrap() {
            for import in imports.into_imports() {
                let import = import.unwrap();
                found.insert((import.module, import.name));
            }
        }
    }
    let surprises: Vec<_> = found.difference(&expected).collect();
    assert!(surprises.is_empty(), "not in the list: {surprises:?}");
    let unused: Vec<_> = of("env", OURS)
        .filter(|import| !found.contains(import))
        .collect();
    assert!(unused.is_empty(), "no longer called: {unused:?}");
}

#[test]
fn it_offers_what_the_host_calls_and_no_more() {
    let wasm = module();
    let mut found = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&wasm) {
        if let Payload::ExportSection(exports) = payload.unwrap() {
            found.extend(exports.into_iter().map(|export| export.unwrap().name));
        }
    }
    let expected: BTreeSet<&str> = EXPORTS.iter().copied().collect();
    assert_eq!(found, expected);
}
