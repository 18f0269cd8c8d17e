//! Being asked to end: Ctrl-C in a terminal, SIGTERM from a supervisor.

use std::io;

use tokio::signal::unix::{SignalKind, signal as on};

/// Ready when this process is asked to end. From the call on, the signals no longer kill it.
///
/// # Errors
/// When the signals cannot be watched.
pub fn signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = on(SignalKind::interrupt())?;
    let mut terminate = on(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
