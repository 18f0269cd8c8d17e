//! The only file that talks to the proxy: bytes in, bytes out, every status a `Result`.
//!
//! These are the raw imports of proxy-wasm ABI 0.2.1 (proxy-wasm-cpp-host `src/exports.cc`), none of which panics: a panic
//! takes the whole worker down.
//!
//! Data the host returns was allocated by calling back into this module (`proxy_on_memory_allocate` in
//! [`crate::exports`]), so it is taken over without a copy.

#![allow(unsafe_code)]

use std::ptr::null_mut;

use larder_core::time::{Seconds, Timestamp};

/// A status other than OK, as the host gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostError(u32);

impl HostError {
    /// What was asked for does not exist.
    pub(crate) const NOT_FOUND: HostError = HostError(1);
    /// There is nothing in the queue.
    pub(crate) const EMPTY: HostError = HostError(7);
    /// The compare-and-swap value was not the current one.
    pub(crate) const CAS_MISMATCH: HostError = HostError(8);
}

/// Which header map a call is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HeaderMap {
    /// The request's fields; not available in the response phase.
    Request = 0,
    /// The response's fields; not available after they were passed on.
    Response = 2,
    /// Those of the answer to a call, in its callback.
    CallResponse = 6,
}

/// How urgent a line in the proxy's log is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LogLevel {
    /// For the curious.
    Info = 2,
    /// Somebody should look at it.
    Warn = 3,
    /// Something does not work.
    Error = 4,
}

/// What a statistic can do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MetricKind {
    /// Only grow.
    Counter = 0,
    /// Go either way.
    Gauge = 1,
    /// Take in one value after the other.
    Histogram = 2,
}

/// A statistic of the process, by the number this VM knows it under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricId(u32);

/// A queue of the process, by the host's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queue(u32);

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const CALL_RESPONSE_BODY: u32 = 4;
const PLUGIN_CONFIGURATION: u32 = 7;
const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;
const NO_GRPC_STATUS: i32 = -1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_dequeue_shared_queue(queue: u32, data: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_enqueue_shared_queue(queue: u32, data: *const u8, len: usize) -> u32;
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
    fn proxy_get_metric(id: u32, value: *mut u64) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_len: usize,
        data: *mut *mut u8,
        len: *mut usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_len: usize,
        data: *mut *mut u8,
        len: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_len: usize,
        headers: *const u8,
        headers_len: usize,
        body: *const u8,
        body_len: usize,
        trailers: *const u8,
        trailers_len: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_log(level: u32, text: *const u8, text_len: usize) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_register_shared_queue(name: *const u8, name_len: usize, queue: *mut u32) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_len: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> u32;
    fn proxy_resolve_shared_queue(
        vm_id: *const u8,
        vm_id_len: usize,
        name: *const u8,
        name_len: usize,
        queue: *mut u32,
    ) -> u32;
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
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        max: usize,
        data: *const u8,
        len: usize,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
        cas: u32,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
}

fn check(status: u32) -> Result<(), HostError> {
    if status == 0 {
        Ok(())
    } else {
        Err(HostError(status))
    }
}

/// Calls `ask` with places for data and length, and takes over what the host allocated.
fn receive(ask: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, HostError> {
    let (mut data, mut len) = (null_mut::<u8>(), 0usize);
    check(ask(&mut data, &mut len))?;
    if data.is_null() || len == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the host asked our allocator for exactly `len` bytes, filled them, and handed the ownership back.
    Ok(unsafe { Vec::from_raw_parts(data, len, len) })
}

/// The system's clock; it can step in either direction.
pub(crate) fn now() -> Result<Timestamp, HostError> {
    let mut nanos = 0;
    // SAFETY: the pointer is valid for the call.
    check(unsafe { proxy_get_current_time_nanoseconds(&mut nanos) })?;
    Ok(Timestamp::from_nanos(nanos))
}

/// A whole header map as one block of pairs (see `larder_core::http::Headers`).
pub(crate) fn header_pairs(map: HeaderMap) -> Result<Vec<u8>, HostError> {
    // SAFETY: `receive` passes valid places.
    receive(|data, len| unsafe { proxy_get_header_map_pairs(map as u32, data, len) })
}

/// How many bytes the names and values of the response's head take (envoy `Context::getHeaderMapSize`, which is the
/// map's `byteSize`). Nothing is copied.
pub(crate) fn response_head_bytes() -> Result<usize, HostError> {
    let mut bytes = 0;
    // SAFETY: the pointer is valid for the call.
    check(unsafe { proxy_get_header_map_size(HeaderMap::Response as u32, &mut bytes) })?;
    Ok(bytes)
}

/// Adds a line to the response's head.
pub(crate) fn add_response_header(name: &[u8], value: &[u8]) -> Result<(), HostError> {
    let map = HeaderMap::Response as u32;
    // SAFETY: both strings outlive the call.
    check(unsafe {
        proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Puts one line in the place of all lines of that name in the response's head.
pub(crate) fn replace_response_header(name: &[u8], value: &[u8]) -> Result<(), HostError> {
    replace_header(HeaderMap::Response, name, value)
}

/// Puts one line in the place of all lines of that name in the request's head.
pub(crate) fn replace_request_header(name: &str, value: &[u8]) -> Result<(), HostError> {
    replace_header(HeaderMap::Request, name.as_bytes(), value)
}

fn replace_header(map: HeaderMap, name: &[u8], value: &[u8]) -> Result<(), HostError> {
    // SAFETY: name and value outlive the call; the host copies them.
    check(unsafe {
        proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Removes all lines of that name from the request's head.
pub(crate) fn remove_request_header(name: &str) -> Result<(), HostError> {
    remove_header(HeaderMap::Request, name.as_bytes())
}

/// Removes all lines of that name from the response's head.
pub(crate) fn remove_response_header(name: &[u8]) -> Result<(), HostError> {
    remove_header(HeaderMap::Response, name)
}

fn remove_header(map: HeaderMap, name: &[u8]) -> Result<(), HostError> {
    // SAFETY: the name outlives the call.
    check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// Up to `max` bytes of the response body's current chunk.
pub(crate) fn response_chunk(max: usize) -> Result<Vec<u8>, HostError> {
    buffer(RESPONSE_BODY, max)
}

/// Puts this in the place of the first `bytes` of the response body that is here; in front of it, where they are none. Beyond what
/// it buffers the proxy ends the stream at once ([`crate::exports::has_ended`]).
pub(crate) fn set_response_body(bytes: usize, body: &[u8]) -> Result<(), HostError> {
    // SAFETY: the body outlives the call; the host copies it.
    check(unsafe { proxy_set_buffer_bytes(RESPONSE_BODY, 0, bytes, body.as_ptr(), body.len()) })
}

/// Up to `max` bytes of the request's body: of all that a pause has kept of it.
pub(crate) fn request_body(max: usize) -> Result<Vec<u8>, HostError> {
    match buffer(REQUEST_BODY, max) {
        Err(HostError::NOT_FOUND) => Ok(Vec::new()), // nothing has come
        read => read,
    }
}

/// From here to the end of the current callback, calls are made in the name of that stream.
pub(crate) fn speak_for(stream: u32) -> Result<(), HostError> {
    // SAFETY: no pointers; a number that is no stream's is refused.
    check(unsafe { proxy_set_effective_context(stream) })
}

/// Lets a request go on that a callback of its stream has held; once for each time it is held. The host does it when the
/// current callback is over. Until then, other calls are made in the name of that stream.
pub(crate) fn resume_request(stream: u32) -> Result<(), HostError> {
    speak_for(stream)?;
    // SAFETY: no pointers.
    check(unsafe { proxy_continue_stream(REQUEST) })
}

/// The same of a response.
pub(crate) fn resume_response(stream: u32) -> Result<(), HostError> {
    speak_for(stream)?;
    // SAFETY: no pointers.
    check(unsafe { proxy_continue_stream(RESPONSE) })
}

/// Answers a request that a callback of its stream has held, from outside of that stream's callbacks. Until the current
/// callback is over, other calls are made in the name of that stream.
pub(crate) fn answer_request(
    stream: u32,
    status: u16,
    pairs: &[u8],
    body: &[u8],
    details: &str,
) -> Result<(), HostError> {
    speak_for(stream)?;
    send_response(status, pairs, body, details)
}

/// Sends a request of our own, without a body, through a cluster of the proxy; its answer comes with this number, and the
/// proxy makes one up when it takes too long. `pairs` is a block as of `larder_core::http::Headers::to_pairs`.
pub(crate) fn call(cluster: &str, pairs: &[u8], patience: Seconds) -> Result<u32, HostError> {
    call_with(cluster, pairs, &[], patience.get().saturating_mul(1000))
}

/// The same with a body, and a patience in milliseconds.
pub(crate) fn call_with(
    cluster: &str,
    pairs: &[u8],
    body: &[u8],
    patience: u32,
) -> Result<u32, HostError> {
    const NO_TRAILERS: [u8; 4] = [0; 4];
    let mut token = 0;
    // SAFETY: all slices outlive the call, and the host copies them; the place for the token is valid.
    check(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            pairs.as_ptr(),
            pairs.len(),
            body.as_ptr(),
            body.len(),
            NO_TRAILERS.as_ptr(),
            NO_TRAILERS.len(),
            patience,
            &mut token,
        )
    })?;
    Ok(token)
}

/// The body of the answer to a call, in its callback.
pub(crate) fn call_response_body(bytes: usize) -> Result<Vec<u8>, HostError> {
    match bytes {
        0 => Ok(Vec::new()),
        bytes => buffer(CALL_RESPONSE_BODY, bytes),
    }
}

/// The plugin's configuration.
pub(crate) fn configuration(len: usize) -> Result<Vec<u8>, HostError> {
    if len == 0 {
        Ok(Vec::new())
    } else {
        buffer(PLUGIN_CONFIGURATION, len)
    }
}

fn buffer(buffer: u32, max: usize) -> Result<Vec<u8>, HostError> {
    // SAFETY: `receive` passes valid places.
    receive(|data, len| unsafe { proxy_get_buffer_bytes(buffer, 0, max, data, len) })
}

/// Answers the request here. `pairs` is a block as of `larder_core::http::Headers::to_pairs`, without `:status`;
/// `details` shows up as the proxy's response code details.
///
/// An empty body makes the proxy drop content-type and content-length, and one without content-type gets `text/plain`;
/// for HEAD it sends the body's length without
/// the body (envoy `source/common/http/utility.cc`, `prepareLocalReply`).
pub(crate) fn send_response(
    status: u16,
    pairs: &[u8],
    body: &[u8],
    details: &str,
) -> Result<(), HostError> {
    // SAFETY: all slices outlive the call; the host copies them.
    check(unsafe {
        proxy_send_local_response(
            status.into(),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            pairs.as_ptr(),
            pairs.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// An attribute of the request, the response or the proxy; `None` when there is none.
pub(crate) fn property(path: &[&str]) -> Result<Option<Vec<u8>>, HostError> {
    let path = path.join("\0");
    // SAFETY: the path outlives the call and `receive` passes valid places.
    match receive(|data, len| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, len) }) {
        Ok(value) => Ok(Some(value)),
        Err(HostError::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The value under a key that all workers share, and its compare-and-swap value.
pub(crate) fn shared_data(key: &str) -> Result<(Vec<u8>, u32), HostError> {
    let mut cas = 0;
    // SAFETY: the key outlives the call, `receive` passes valid places.
    let value = receive(|data, len| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, len, &mut cas)
    })?;
    Ok((value, cas))
}

/// Sets the value under a key that all workers share; 0 for `cas` writes whatever is there.
pub(crate) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> Result<(), HostError> {
    // SAFETY: key and value outlive the call; the host copies them.
    check(unsafe {
        proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)
    })
}

/// A queue of this worker's own, made where there is none. What is put into it calls back to the root context of the current
/// callback, on this thread.
pub(crate) fn register_queue(name: &str) -> Result<Queue, HostError> {
    let mut queue = 0;
    // SAFETY: name and place outlive the call.
    check(unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &mut queue) })?;
    Ok(Queue(queue))
}

/// The queue of this name that another worker has made.
pub(crate) fn queue(name: &str) -> Result<Queue, HostError> {
    // Without an id the host takes this VM's (proxy-wasm-cpp-host `src/context.cc`, `lookupSharedQueue`).
    let (own, mut queue) = ("", 0);
    // SAFETY: all strings and the place outlive the call.
    check(unsafe {
        proxy_resolve_shared_queue(own.as_ptr(), 0, name.as_ptr(), name.len(), &mut queue)
    })?;
    Ok(Queue(queue))
}

/// Puts something into a queue; the host copies it.
pub(crate) fn enqueue(queue: Queue, item: &[u8]) -> Result<(), HostError> {
    // SAFETY: the item outlives the call.
    check(unsafe { proxy_enqueue_shared_queue(queue.0, item.as_ptr(), item.len()) })
}

/// Takes the first out of a queue; [`HostError::EMPTY`] where there is none.
pub(crate) fn dequeue(queue: Queue) -> Result<Vec<u8>, HostError> {
    // SAFETY: `receive` passes valid places.
    receive(|data, len| unsafe { proxy_dequeue_shared_queue(queue.0, data, len) })
}

/// Defines a statistic of the process. Each call makes a new number for it, so it is called once and kept.
pub(crate) fn define_metric(kind: MetricKind, name: &str) -> Result<MetricId, HostError> {
    let mut id = 0;
    // SAFETY: name and place outlive the call.
    check(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) })?;
    Ok(MetricId(id))
}

/// Adds to a statistic.
pub(crate) fn increment_metric(id: MetricId, by: i64) -> Result<(), HostError> {
    // SAFETY: no pointers.
    check(unsafe { proxy_increment_metric(id.0, by) })
}

/// Sets a gauge, or gives a histogram one more value.
pub(crate) fn record_metric(id: MetricId, value: u64) -> Result<(), HostError> {
    // SAFETY: no pointers.
    check(unsafe { proxy_record_metric(id.0, value) })
}

/// The value of a statistic over all workers.
pub(crate) fn metric(id: MetricId) -> Result<u64, HostError> {
    let mut value = 0;
    // SAFETY: the pointer is valid for the call.
    check(unsafe { proxy_get_metric(id.0, &mut value) })?;
    Ok(value)
}

/// Asks to be called every `milliseconds` on this worker; 0 stops it.
pub(crate) fn set_tick_period(milliseconds: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    check(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Writes a line to the proxy's log. A log that cannot be written is nobody's request's problem.
pub(crate) fn log(level: LogLevel, text: &str) {
    // SAFETY: the text outlives the call.
    let _ = unsafe { proxy_log(level as u32, text.as_ptr(), text.len()) };
}
