//! The least a proxy-wasm filter can do to answer a request.
//!
//! It replies a constant body with the fields that a hit of Larder carries, from memory, without looking at the
//! request. `make bench` builds it and measures Larder, and each crossing between host and module, against it. What it
//! does besides is said by the words of its plugin configuration, so that their cost can be told apart:
//!
//! | word | what is done for each request |
//! |---|---|
//! | `body=N` | the reply has N bytes, at most 1 MiB |
//! | `fields=N` | it has the first N of the fields (at most all eight) |
//! | `pairs` | all request fields are read at once |
//! | `values=N` | `:path` is read N times by itself |
//! | `map-size` | the size of the request's fields is asked for |
//! | `clock`, `gauge`, `counter` | the clock is read, a gauge is read, a counter incremented |
//! | `shared=N` | a value of N bytes is read from shared data |
//! | `times=N` | all these calls are made N times |
//! | `pass` | the request passes, in place of the reply |
//!
//! Of its callbacks only `proxy_on_request_headers` is needed; `make bench` cuts the others out of the module's exports
//! where it does not want them called.

#![cfg(target_arch = "wasm32")]
#![no_std]
#![allow(
    unsafe_code,
    reason = "raw imports and one thread: there is nothing else in here"
)]

use core::panic::PanicInfo;
use core::ptr::{addr_of, addr_of_mut, null_mut};

const LARGEST_BODY: usize = 1 << 20;
const RECEIVED: usize = 2 << 20;
const PAIRS: usize = 1024;
const FIELDS: [(&str, &str); 8] = [
    ("date", "Wed, 25 Nov 2026 22:00:00 GMT"),
    ("content-type", "text/plain"),
    ("cache-control", "max-age=3600"),
    ("etag", "\"0123456789abcdef\""),
    ("age", "12"),
    ("x-cache", "HIT"),
    ("x-cache-age", "12"),
    ("cache-status", "Larder; hit; ttl=3588"),
];

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;
const PLUGIN_CONFIGURATION: u32 = 7;
const REQUEST: u32 = 0;
const COUNTER: u32 = 0;
const GAUGE: u32 = 1;
const SHARED_KEY: &str = "floor";
const PATH: &str = ":path";
const DETAILS: &str = "floor";

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_define_metric(kind: u32, name: *const u8, name_len: usize, id: *mut u32) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> u32;
    fn proxy_get_current_time_nanoseconds(nanos: *mut u64) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_get_header_map_size(map: u32, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> u32;
    fn proxy_get_metric(id: u32, value: *mut u64) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_len: usize,
        data: *mut *mut u8,
        len: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_len: usize,
        body: *const u8,
        body_len: usize,
        pairs: *const u8,
        pairs_len: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
        cas: u32,
    ) -> u32;
}

/// What the configuration asks for.
struct Plan {
    body: usize,
    pairs_len: usize,
    pairs: bool,
    values: usize,
    map_size: bool,
    clock: bool,
    gauge: Option<u32>,
    counter: Option<u32>,
    shared: bool,
    times: usize,
    pass: bool,
}

static mut PLAN: Plan = Plan {
    body: 0,
    pairs_len: 0,
    pairs: false,
    values: 0,
    map_size: false,
    clock: false,
    gauge: None,
    counter: None,
    shared: false,
    times: 1,
    pass: false,
};
static mut BODY: [u8; LARGEST_BODY] = [0; LARGEST_BODY];
/// The reply's fields, in the host's form.
static mut REPLY: [u8; PAIRS] = [0; PAIRS];
/// Where everything that the host returns is put, the new over the old.
static mut HANDED: [u8; RECEIVED] = [0; RECEIVED];

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// A module that calls nothing of the constructors need not be initialised; the host wants the ABI's name alone.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    if size > RECEIVED {
        core::arch::wasm32::unreachable()
    }
    addr_of_mut!(HANDED).cast()
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_configure(_root: u32, size: usize) -> u32 {
    let (mut data, mut len) = (null_mut(), 0);
    // SAFETY: the places are valid for the call; one thread.
    let text = unsafe {
        if proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &mut data, &mut len) != 0 {
            return 0;
        }
        core::slice::from_raw_parts(data, len)
    };
    let Ok(text) = core::str::from_utf8(text) else {
        return 0;
    };
    // SAFETY: one thread, and no callback runs inside another one.
    let plan = unsafe { &mut *addr_of_mut!(PLAN) };
    let mut fields = FIELDS.len();
    let mut shared = 0;
    for word in text.split_ascii_whitespace() {
        let (name, number) = word.split_once('=').unwrap_or((word, "0"));
        let Ok(number) = number.parse::<usize>() else {
            return 0;
        };
        match name {
            "body" if number <= LARGEST_BODY => plan.body = number,
            "fields" if number <= FIELDS.len() => fields = number,
            "pairs" => plan.pairs = true,
            "values" => plan.values = number,
            "map-size" => plan.map_size = true,
            "clock" => plan.clock = true,
            "gauge" => plan.gauge = metric(GAUGE, "floor_gauge"),
            "counter" => plan.counter = metric(COUNTER, "floor_counter"),
            "shared" if number <= LARGEST_BODY => shared = number,
            "times" => plan.times = number,
            "pass" => plan.pass = true,
            _ => return 0,
        }
    }
    plan.pairs_len = write_fields(fields);
    plan.shared = shared > 0;
    let body: *mut u8 = addr_of_mut!(BODY).cast();
    // SAFETY: both lengths are at most the array's; one thread.
    unsafe {
        body.write_bytes(b'x', plan.body.max(shared));
        if plan.shared {
            proxy_set_shared_data(SHARED_KEY.as_ptr(), SHARED_KEY.len(), body, shared, 0);
        }
    }
    1
}

fn metric(kind: u32, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the name and the place outlive the call.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) };
    (status == 0).then_some(id)
}

/// Writes the first `count` fields as the host reads them: how many, the lengths of each, the texts with a NUL behind.
fn write_fields(count: usize) -> usize {
    // SAFETY: one thread.
    let out = unsafe { &mut *addr_of_mut!(REPLY) };
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        out[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    let number = |length: usize| (length as u32).to_le_bytes();
    put(&number(count));
    for (name, value) in &FIELDS[..count] {
        put(&number(name.len()));
        put(&number(value.len()));
    }
    for (name, value) in &FIELDS[..count] {
        put(name.as_bytes());
        put(&[0]);
        put(value.as_bytes());
        put(&[0]);
    }
    at
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_request_headers(_context: u32, _count: u32, _end: u32) -> u32 {
    // SAFETY: one thread.
    let plan = unsafe { &*addr_of!(PLAN) };
    for _ in 0..plan.times {
        make_calls(plan);
    }
    if plan.pass {
        return CONTINUE;
    }
    // SAFETY: the statics live for ever, and the lengths are at most theirs.
    unsafe {
        proxy_send_local_response(
            200,
            DETAILS.as_ptr(),
            DETAILS.len(),
            addr_of!(BODY).cast(),
            plan.body,
            addr_of!(REPLY).cast(),
            plan.pairs_len,
            -1,
        );
    }
    PAUSE
}

fn make_calls(plan: &Plan) {
    let (mut data, mut len, mut cas, mut number) = (null_mut(), 0, 0, 0);
    // SAFETY: all places are valid for the calls, and names live for ever.
    unsafe {
        if plan.pairs {
            proxy_get_header_map_pairs(REQUEST, &mut data, &mut len);
        }
        for _ in 0..plan.values {
            proxy_get_header_map_value(REQUEST, PATH.as_ptr(), PATH.len(), &mut data, &mut len);
        }
        if plan.map_size {
            proxy_get_header_map_size(REQUEST, &mut len);
        }
        if plan.clock {
            proxy_get_current_time_nanoseconds(&mut number);
        }
        if let Some(gauge) = plan.gauge {
            proxy_get_metric(gauge, &mut number);
        }
        if let Some(counter) = plan.counter {
            proxy_increment_metric(counter, 1);
        }
        if plan.shared {
            proxy_get_shared_data(
                SHARED_KEY.as_ptr(),
                SHARED_KEY.len(),
                &mut data,
                &mut len,
                &mut cas,
            );
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_context_create(_context: u32, _root: u32) {}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_headers(_context: u32, _count: u32, _end: u32) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_body(_context: u32, _size: usize, _end: u32) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_log(_context: u32) {}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_done(_context: u32) -> u32 {
    1
}

#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_delete(_context: u32) {}
