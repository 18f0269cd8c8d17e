//! Waiting for something to become true, with an end and a message.
//!
//! The only place in this crate where time is slept away: a condition is looked at every
//! few milliseconds until it holds or the deadline passes. Nothing else may wait "long enough".

use std::time::Duration;

use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(5);

/// How long tests wait for what should happen at once; long, because CI machines are slow and
/// nobody waits that long when things work.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until `probe` answers `Some`, and returns that; `None` when `deadline` has passed.
pub async fn poll<T>(deadline: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = probe().await {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        sleep(POLL).await;
    }
}

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within `deadline`, naming `what` was waited for.
pub async fn eventually(what: &str, deadline: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let held = poll(deadline, async || condition().await.then_some(())).await;
    assert!(held.is_some(), "waited {deadline:?} in vain for: {what}");
}
