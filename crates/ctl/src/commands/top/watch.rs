//! Who asks, again and again.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::sample::Sample;
use crate::exit::Failure;
use crate::remote::Client;

/// Asks every so often, the first time after as long, and ends when nobody listens any more.
pub(super) fn begin(
    client: Client,
    every: Duration,
    began: Instant,
) -> Receiver<Result<Sample, Failure>> {
    let (said, heard) = sync_channel(4);
    thread::spawn(move || {
        let mut asked = Instant::now();
        loop {
            // Where answers take longer than that, it is asked at once, and never twice to catch up.
            thread::sleep(every.saturating_sub(asked.elapsed()));
            asked = Instant::now();
            if said.send(Sample::take(&client, began)).is_err() {
                return;
            }
        }
    });
    heard
}
