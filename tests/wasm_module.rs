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

/// What the filter calls, and what Rust's standard library calls on `wasm32-wasip1`. The SDK's other imports are not
/// reached and so not linked; one that appears here is a decision.
const IMPORTS: &[(&str, &str)] = &[
    ("env", "proxy_add_header_map_value"),
    ("env", "proxy_define_metric"),
    ("env", "proxy_get_buffer_bytes"),
    ("env", "proxy_get_current_time_nanoseconds"),
    ("env", "proxy_get_header_map_pairs"),
    ("env", "proxy_get_metric"),
    ("env", "proxy_get_property"),
    ("env", "proxy_get_shared_data"),
    ("env", "proxy_increment_metric"),
    ("env", "proxy_log"),
    ("env", "proxy_record_metric"),
    ("env", "proxy_remove_header_map_value"),
    ("env", "proxy_replace_header_map_value"),
    ("env", "proxy_send_local_response"),
    ("env", "proxy_set_effective_context"),
    ("env", "proxy_set_shared_data"),
    ("env", "proxy_set_tick_period_milliseconds"),
    ("wasi_snapshot_preview1", "environ_get"),
    ("wasi_snapshot_preview1", "environ_sizes_get"),
    ("wasi_snapshot_preview1", "fd_write"),
    ("wasi_snapshot_preview1", "proc_exit"),
    ("wasi_snapshot_preview1", "random_get"),
];

/// Without these the host refuses the module or never calls it.
const EXPORTS: &[&str] = &[
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_log",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_response_body",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
    "proxy_on_tick",
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
    let expected: BTreeSet<(&str, &str)> = IMPORTS.iter().copied().collect();
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
}

#[test]
fn it_offers_what_the_host_calls() {
    let wasm = module();
    let mut found = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&wasm) {
        if let Payload::ExportSection(exports) = payload.unwrap() {
            found.extend(exports.into_iter().map(|export| export.unwrap().name));
        }
    }
    let missing: Vec<_> = EXPORTS
        .iter()
        .filter(|name| !found.contains(*name))
        .collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
}
