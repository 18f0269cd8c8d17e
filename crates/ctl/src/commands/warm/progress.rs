//! How far it is: a bar where people watch, and a line for each URL where nobody does.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::fetch::Asked;
use super::tally::Tally;
use crate::exit::Failure;
use crate::output::{Output, Printer};
use crate::shown::{count, seen};

const WIDTH: usize = 24;
/// A bar that changes more often is not seen to.
const PAUSE: Duration = Duration::from_millis(100);

/// How far it is.
#[derive(Debug)]
pub(super) enum Progress {
    /// A bar at standard error.
    Bar {
        /// When it began.
        begun: Instant,
        /// When it was drawn last.
        drawn: Option<Instant>,
        /// URLs.
        total: usize,
    },
    /// A line for each.
    Lines,
    /// For programs, which are told in the end.
    Nothing,
}

impl Progress {
    /// The one that fits whoever looks.
    pub(super) fn begin(total: usize, out: &Printer) -> Self {
        match (
            out.output(),
            io::stderr().is_terminal() && out.is_terminal(),
        ) {
            (Output::Json, _) => Self::Nothing,
            (Output::Table, false) => Self::Lines,
            (Output::Table, true) => Self::Bar {
                begun: Instant::now(),
                drawn: None,
                total,
            },
        }
    }

    /// One more is done.
    ///
    /// # Errors
    /// Where it cannot be printed.
    pub(super) fn note(
        &mut self,
        asked: &Asked,
        tally: &Tally,
        out: &mut Printer,
    ) -> Result<(), Failure> {
        match self {
            Self::Nothing => {}
            Self::Lines => out.line(&line(asked))?,
            Self::Bar {
                begun,
                drawn,
                total,
            } => {
                let failed = match &asked.answer {
                    Ok(answered) => answered.status >= 400,
                    Err(_) => true,
                };
                let mut text = String::new();
                if failed {
                    text = format!("\r\x1b[K{}\n", line(asked));
                }
                let is_last = tally.done >= *total as u64;
                if failed || is_last || drawn.is_none_or(|drawn| drawn.elapsed() >= PAUSE) {
                    *drawn = Some(Instant::now());
                    text.push_str(&format!(
                        "\r\x1b[K{}",
                        bar(tally, *total as u64, begun.elapsed())
                    ));
                    let mut screen = io::stderr().lock();
                    screen.write_all(text.as_bytes())?;
                    screen.flush()?;
                }
            }
        }
        Ok(())
    }

    /// All are done.
    pub(super) fn end(self) {
        if let Self::Bar { .. } = self {
            eprintln!();
        }
    }
}

fn line(asked: &Asked) -> String {
    let ms = asked.took.as_millis();
    let url = seen(&asked.url);
    match &asked.answer {
        Ok(answered) => {
            let word = match answered.x_cache.as_str() {
                "" => "-".to_owned(),
                word => seen(word),
            };
            format!("{word:<11} {} {ms:>6} ms  {url}", answered.status)
        }
        Err(why) => format!("{:<11}   - {ms:>6} ms  {url} ({})", "failed", seen(why)),
    }
}

fn bar(tally: &Tally, total: u64, elapsed: Duration) -> String {
    let share = tally.done as f64 / total.max(1) as f64;
    let full = ((share * WIDTH as f64) as usize).min(WIDTH);
    let rate = tally.done as f64 / elapsed.max(PAUSE).as_secs_f64();
    let outcomes = tally.outcomes.iter();
    let outcomes: Vec<String> = outcomes
        .map(|(word, number)| format!("{} {}", seen(word), count(*number)))
        .collect();
    format!(
        "[{}{}] {}/{} {:>3.0}% {rate:.0}/s  {}  failed {}",
        "#".repeat(full),
        "-".repeat(WIDTH.saturating_sub(full)),
        count(tally.done),
        count(total),
        share * 100.0,
        outcomes.join("  "),
        count(tally.failed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_as_full_as_the_work_is_done() {
        let mut tally = Tally {
            done: 250,
            failed: 1,
            ..Tally::default()
        };
        tally.outcomes.insert("MISS".to_owned(), 249);
        let shown = bar(&tally, 1000, Duration::from_secs(10));
        assert_eq!(
            shown,
            "[######------------------] 250/1,000  25% 25/s  MISS 249  failed 1"
        );
        let none = bar(&Tally::default(), 0, Duration::ZERO);
        assert!(none.contains("0/0   0%"), "{none}");
    }
}
