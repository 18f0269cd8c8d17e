//! What the proxy calls: each callback of proxy-wasm ABI 0.2.1 that the filter needs, and no other.
//!
//! The host skips a callback that a module does not export, and each one that it does not skip is a way into the VM and
//! back for every request, hits included. So a stream's end is told once (`proxy_on_delete`), and nothing is exported for
//! symmetry's sake. `tests/wasm_module.rs` has the list.
//!
//! A callback cannot be entered while another one of this VM is: what it asks of the host that would call back (a reply, a
//! resumption) waits until it is over (proxy-wasm-cpp-host `src/context.cc`, `DeferAfterCallActions`). Memory is asked for in
//! between, and that touches no context; and a body that is larger than the proxy buffers makes it end the stream at once, which is
//! noted, and taken in when the callback is over.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc};
use std::cell::RefCell;
use std::mem::take;
use std::ptr::null_mut;

use crate::contexts::Contexts;
use crate::host::{self, LogLevel};
use crate::stream::{Action, Part, Stream};
use larder_core::exchange::ResponseBody;
use larder_core::policy::request::RequestBody;

thread_local! {
    // A VM has one thread, so these are the VM's.
    static CONTEXTS: RefCell<Contexts> = RefCell::new(Contexts::default());
    /// Those that have ended while another callback was under way.
    static ENDED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Whether something ends here, as the host writes it.
type Ended = u32;

fn with_contexts<T>(otherwise: T, then: impl FnOnce(&mut Contexts) -> T) -> T {
    CONTEXTS.with(|contexts| match contexts.try_borrow_mut() {
        Ok(mut contexts) => {
            let result = then(&mut contexts);
            let ended = ENDED.with(|ended| ended.try_borrow_mut().map(|mut it| take(&mut *it)));
            for id in ended.unwrap_or_default() {
                contexts.delete(id);
            }
            result
        }
        Err(_) => otherwise, // but for the end of a stream, no callback is entered in another
    })
}

/// Whether the proxy has ended a stream in the callback that is under way.
pub(crate) fn has_ended(id: u32) -> bool {
    ENDED.with(|ended| ended.try_borrow().is_ok_and(|ended| ended.contains(&id)))
}

/// A stream that is not known passes.
fn with_stream(id: u32, then: impl FnOnce(&mut Stream) -> Action) -> u32 {
    let action = with_contexts(Action::Continue, |contexts| {
        contexts.stream(id).map_or(Action::Continue, then)
    });
    action as u32
}

/// The version of the interface, told by the name.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Called first; makes statics ready.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    #[cfg(target_os = "wasi")]
    {
        unsafe extern "C" {
            fn __wasm_call_ctors();
        }
        // SAFETY: the linker makes it, and the host calls this once, before anything else.
        unsafe { __wasm_call_ctors() };
    }
}

/// Memory for what a host call returns; [`host`] takes it over as a `Vec` of just this length. Null when there is none,
/// and then the host call fails.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the layout has a size.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        Ok(_) | Err(_) => null_mut(),
    }
}

/// The VM starts.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _configuration_bytes: usize) -> u32 {
    host::log(
        LogLevel::Info,
        concat!("larder ", env!("CARGO_PKG_VERSION")),
    );
    1
}

/// A plugin configuration comes to hold for a root context; 0 refuses it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, configuration_bytes: usize) -> u32 {
    with_contexts(0, |contexts| {
        contexts.configure(root, configuration_bytes).into()
    })
}

/// A root context begins, whose parent is 0, or a stream of a root context.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(id: u32, parent: u32) {
    with_contexts((), |contexts| contexts.create(id, parent));
}

/// A stream is logged, which is the last time that its request's head can be read.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(id: u32) {
    with_contexts((), |contexts| contexts.log(id));
}

/// A context is over.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: u32) {
    let is_gone = with_contexts(false, |contexts| {
        contexts.delete(id);
        true
    });
    if !is_gone {
        ENDED.with(|ended| {
            if let Ok(mut ended) = ended.try_borrow_mut() {
                ended.push(id);
            }
        });
    }
}

/// The timer of a root context.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    with_contexts((), |contexts| contexts.tick(root));
}

/// Something has come into a queue of this worker.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(_root: u32, _queue: u32) {
    with_contexts((), Contexts::queue_ready);
}

/// The answer to a call of our own.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root: u32,
    token: u32,
    lines: usize,
    bytes: usize,
    _trailers: usize,
) {
    with_contexts((), |contexts| {
        contexts.answered(root, token, (lines, bytes))
    });
}

/// A request's head.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: u32, _lines: usize, ended: Ended) -> u32 {
    let body = match ended {
        0 => RequestBody::Follows,
        _ => RequestBody::None,
    };
    with_stream(id, |stream| stream.on_request(body))
}

/// Some of a request's body.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: u32, bytes: usize, ended: Ended) -> u32 {
    let part = match ended {
        0 => Part::Another,
        _ => Part::Last,
    };
    with_stream(id, |stream| stream.on_request_body(bytes, part))
}

/// A request's trailers.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(id: u32, _lines: usize) -> u32 {
    with_stream(id, |stream| stream.on_request_body(0, Part::Last))
}

/// A response's head, our own reply's too.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(id: u32, lines: usize, ended: Ended) -> u32 {
    let body = match ended {
        0 => ResponseBody::Follows,
        _ => ResponseBody::None,
    };
    with_stream(id, |stream| stream.on_response(lines, body))
}

/// Some of a response's body.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(id: u32, bytes: usize, ended: Ended) -> u32 {
    let part = match ended {
        0 => Part::Another,
        _ => Part::Last,
    };
    with_stream(id, |stream| stream.on_response_body(bytes, part))
}

/// A response's trailers.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(id: u32, _lines: usize) -> u32 {
    with_stream(id, Stream::on_response_trailers)
}
