//! The table, and whether the targets are met.

use std::fmt;

use super::row::Row;

/// Larder may be behind the best reference by so much, in points of the hit ratio.
const BEHIND_BEST: f64 = 2.0;

/// And behind LRU by so much.
const BEHIND_LRU: f64 = 1.0;

/// In how many rows the targets are missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// By one worker.
    pub alone: usize,
    /// By four workers.
    pub together: usize,
}

/// All rows.
#[derive(Clone, Debug)]
pub struct Report(Vec<Row>);

impl Report {
    /// Of these rows.
    pub fn new(rows: Vec<Row>) -> Self {
        Self(rows)
    }

    /// How often the targets are missed.
    pub fn missed(&self) -> Missed {
        let count = |missed: fn(&Row) -> bool| self.0.iter().filter(|row| missed(row)).count();
        Missed {
            alone: count(|row| row.misses(row.alone)),
            together: count(|row| row.misses(row.together)),
        }
    }
}

impl Row {
    fn misses(&self, larder: [f64; 2]) -> bool {
        let worst = worst(larder);
        worst < self.best() - BEHIND_BEST || worst < self.lru - BEHIND_LRU
    }

    fn verdict(&self) -> &'static str {
        match (self.misses(self.alone), self.misses(self.together)) {
            (false, false) => "met",
            (false, true) => "missed by 4",
            (true, false) => "missed by 1",
            (true, true) => "missed",
        }
    }
}

fn worst(larder: [f64; 2]) -> f64 {
    larder.into_iter().fold(f64::INFINITY, f64::min)
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "| workload | cache | LRU | S3-FIFO | W-TinyLFU | Belady | 1 worker: slots | bytes | to best | to LRU \
             | 4 workers: slots | bytes | to best | to LRU | |"
        )?;
        writeln!(out, "|{}", "---|".repeat(15))?;
        for row in &self.0 {
            write!(out, "| {} | {} % |", row.workload(), row.percent())?;
            for share in [row.lru, row.s3_fifo, row.tiny_lfu, row.belady] {
                write!(out, " {share:.1} |")?;
            }
            for larder @ [slots, bytes] in [row.alone, row.together] {
                let (best, lru) = (worst(larder) - row.best(), worst(larder) - row.lru);
                write!(out, " {slots:.1} | {bytes:.1} | {best:+.1} | {lru:+.1} |")?;
            }
            writeln!(out, " {} |", row.verdict())?;
        }
        let (Missed { alone, together }, rows) = (self.missed(), self.0.len());
        writeln!(
            out,
            "\nThe targets are missed in {alone} of {rows} rows by one worker, and in {together} by four."
        )
    }
}
