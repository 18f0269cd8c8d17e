//! `larderctl top`: how the cache does at this moment, by differences of its counters, again and again.
//!
//! ```text
//! watch: asks every few seconds ─▶ sample: what is counted ─▶ rates: what has come since ─▶ frame: lines ─▶ screen, or lines
//! ```
//!
//! Who asks stands beside who draws, so keys are answered while an answer is awaited. An Envoy that starts anew counts from
//! zero, and an instance of a fleet that goes takes its counts along; so differences are taken of each by itself.

mod frame;
mod rates;
mod sample;
mod screen;
mod watch;

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Printer, Style};
use crate::remote::seconds;
use crate::shown::seen;
use frame::Frame;
use rates::Rates;
use sample::Sample;
use screen::{Screen, Seen};

/// Watch how the cache does: requests by second and by rule, hit rates, why responses are not stored
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Top {
    /// How often it is asked
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    every: Duration,
    /// Print so many frames, one after the other, and end
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// The same as --count 1
    #[arg(long, conflicts_with = "count")]
    once: bool,
}

/// Instances of a fleet say their numbers every five seconds, so a rate is known by then.
const UNTIL_RATES: Duration = Duration::from_secs(12);
/// How often it is looked for keys, and whether the terminal has another size.
const TICK: Duration = Duration::from_millis(100);

impl Top {
    /// Shows frames until somebody has seen enough.
    ///
    /// # Errors
    /// Where nobody is there when it begins, or, where frames are printed one after the other, at any time.
    pub(crate) fn run(&self, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        let count = self.count.or(self.once.then_some(1));
        let client = global.reach.client()?;
        let began = Instant::now();
        let first = Sample::take(&client, began)?;
        let samples = watch::begin(client.clone(), self.every, began);
        let mut watched = Watched {
            place: client.place(),
            every: self.every,
            rates: Rates::default(),
            trouble: None,
        };
        watched.rates.note(first);
        match count.is_none() && out.is_terminal() && out.output() == Output::Table {
            true => on_a_screen(watched, &samples, out),
            false => one_after_the_other(watched, &samples, count, out),
        }
    }
}

/// What is known, and how it is with the other side.
struct Watched {
    place: String,
    every: Duration,
    rates: Rates,
    trouble: Option<String>,
}

impl Watched {
    fn note(&mut self, taken: Result<Sample, Failure>) {
        match taken {
            Ok(sample) => {
                self.trouble = None;
                self.rates.note(sample);
            }
            Err(Failure::Said { message, .. }) => self.trouble = Some(message),
            Err(Failure::NobodyReads) => {}
        }
    }

    fn frame(&self) -> Frame<'_> {
        Frame {
            place: &self.place,
            every: self.every,
            rates: &self.rates,
            trouble: self.trouble.as_deref(),
        }
    }
}

fn on_a_screen(
    mut watched: Watched,
    samples: &Receiver<Result<Sample, Failure>>,
    out: &mut Printer,
) -> Result<Exit, Failure> {
    let mut screen = Screen::begin()?;
    loop {
        let lines = watched.frame().lines();
        let styled: Vec<(String, Option<Style>)> = lines
            .into_iter()
            .map(|line| (seen(&line.text), line.style))
            .collect();
        screen.draw(&styled, out)?;
        loop {
            match screen.look(TICK)? {
                Seen::Nothing => {}
                Seen::Resized => break,
                Seen::Enough => return Ok(Exit::Fine),
            }
            let mut is_new = false;
            while let Ok(taken) = samples.try_recv() {
                watched.note(taken);
                is_new = true;
            }
            if is_new {
                break;
            }
        }
    }
}

fn one_after_the_other(
    mut watched: Watched,
    samples: &Receiver<Result<Sample, Failure>>,
    count: Option<u32>,
    out: &mut Printer,
) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let mut printed = 0_u32;
    while count.is_none_or(|count| printed < count) {
        match samples.recv_timeout(Duration::from_secs(3600)) {
            Ok(taken) => watched.note(taken),
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Fine),
        }
        if let (Some(trouble), true) = (&watched.trouble, count.is_some()) {
            return Err(Failure::said(Exit::Unreachable, trouble.clone()));
        }
        // What is printed once is to say something.
        if !watched.rates.is_known() && watched.trouble.is_none() && begun.elapsed() < UNTIL_RATES {
            continue;
        }
        if out.output() == Output::Json {
            out.text(&format!("{}\n", watched.frame().json()))?;
        } else {
            for line in watched.frame().lines() {
                out.line(&seen(&line.text))?;
            }
            out.line("")?;
        }
        out.flush()?;
        printed = printed.saturating_add(1);
    }
    Ok(Exit::Fine)
}
