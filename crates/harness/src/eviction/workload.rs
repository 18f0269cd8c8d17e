//! What is asked for: generated sequences of keys, the same in every run.
//!
//! A key is a number. Those below the key space are asked for by popularity; those above it are scanned, once each.

use super::random::Random;

/// A kind of demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Workload {
    /// Zipf's law with this exponent.
    Zipf(f64),
    /// Zipf's law, and in between bursts of keys that are asked for once: after every 20,000 requests 10,000 of them.
    Scans(f64),
    /// Zipf's law for seven requests in ten, the others for keys that are asked for once.
    OnceOnly(f64),
    /// All keys of a loop in turn, which is longer than the cache by this factor.
    Loop(f64),
    /// Every second request goes round a loop longer than the cache by this factor, the others follow Zipf's law.
    LoopAndZipf(f64, f64),
    /// Zipf's law, and after each of ten parts of the sequence other keys are the popular ones.
    Jumping(f64),
    /// Zipf's law, and with every 20th request the popularity of all keys moves by one rank.
    Drifting(f64),
    /// Zipf's law, but no key twice in 1,000 requests: what comes through where a worker keeps its most popular entries
    /// nearer, and asks for them here once a second.
    Deduplicated(f64),
}

impl Workload {
    /// All that are measured.
    pub(super) const ALL: [Workload; 11] = [
        Self::Zipf(0.7),
        Self::Zipf(0.9),
        Self::Zipf(1.1),
        Self::Scans(0.9),
        Self::OnceOnly(0.9),
        Self::Loop(1.25),
        Self::Loop(2.0),
        Self::LoopAndZipf(1.25, 0.9),
        Self::Jumping(0.9),
        Self::Drifting(0.9),
        Self::Deduplicated(0.9),
    ];

    /// Its name in a table.
    pub(super) fn name(self) -> String {
        match self {
            Self::Zipf(exponent) => format!("Zipf {exponent}"),
            Self::Scans(exponent) => format!("Zipf {exponent} and scans"),
            Self::OnceOnly(exponent) => format!("Zipf {exponent}, 30 % once only"),
            Self::Loop(factor) => format!("loop of {factor} caches"),
            Self::LoopAndZipf(factor, exponent) => {
                format!("loop of {factor} caches and Zipf {exponent}")
            }
            Self::Jumping(exponent) => format!("Zipf {exponent}, jumping"),
            Self::Drifting(exponent) => format!("Zipf {exponent}, drifting"),
            Self::Deduplicated(exponent) => format!("Zipf {exponent}, each once in 1,000"),
        }
    }

    /// So many requests over a key space, for a cache of so many entries.
    pub(super) fn requests(self, count: usize, keys: u32, capacity: u32, seed: u64) -> Vec<u32> {
        let mut source = Source {
            random: Random::new(seed),
            fresh: keys,
            turn: 0,
            keys,
        };
        match self {
            Self::Zipf(exponent) => {
                let zipf = Popularity::new(exponent, &mut source);
                collect(count, |_| zipf.draw(&mut source, 0))
            }
            Self::Scans(exponent) => {
                let zipf = Popularity::new(exponent, &mut source);
                collect(count, |at| match at % 30_000 {
                    0..20_000 => zipf.draw(&mut source, 0),
                    _ => source.fresh(),
                })
            }
            Self::OnceOnly(exponent) => {
                let zipf = Popularity::new(exponent, &mut source);
                collect(count, |_| match source.random.below(10) {
                    0..7 => zipf.draw(&mut source, 0),
                    _ => source.fresh(),
                })
            }
            Self::Loop(factor) => {
                let length = length(factor, capacity);
                collect(count, |_| source.next_of(length, 0))
            }
            Self::LoopAndZipf(factor, exponent) => {
                let zipf = Popularity::new(exponent, &mut source);
                let length = length(factor, capacity);
                collect(count, |at| match at % 2 {
                    0 => source.next_of(length, keys),
                    _ => zipf.draw(&mut source, 0),
                })
            }
            Self::Jumping(exponent) => {
                let zipf = Popularity::new(exponent, &mut source);
                let part = count.div_ceil(10);
                collect(count, |at| {
                    zipf.draw(&mut source, (at / part) as u32 * (keys / 10))
                })
            }
            Self::Drifting(exponent) => {
                let zipf = Popularity::new(exponent, &mut source);
                collect(count, |at| zipf.draw(&mut source, (at / 20) as u32))
            }
            Self::Deduplicated(exponent) => {
                let zipf = Popularity::new(exponent, &mut source);
                let mut next = vec![0; keys as usize];
                let asked = (0usize..).map(|at| (at, zipf.draw(&mut source, 0)));
                let passed = asked.filter(|&(at, key)| {
                    let due = &mut next[key as usize];
                    let passes = at >= *due;
                    if passes {
                        *due = at + 1_000;
                    }
                    passes
                });
                passed.map(|(_, key)| key).take(count).collect()
            }
        }
    }
}

fn length(factor: f64, capacity: u32) -> u32 {
    (f64::from(capacity) * factor) as u32
}

fn collect(count: usize, key: impl FnMut(usize) -> u32) -> Vec<u32> {
    (0..count).map(key).collect()
}

struct Source {
    random: Random,
    /// The next key that nobody has asked for.
    fresh: u32,
    turn: u32,
    keys: u32,
}

impl Source {
    fn fresh(&mut self) -> u32 {
        self.fresh += 1;
        self.fresh - 1
    }

    fn next_of(&mut self, length: u32, from: u32) -> u32 {
        self.turn = (self.turn + 1) % length;
        from + self.turn
    }
}

/// Which key has which rank, and how likely each rank is.
struct Popularity {
    /// The likelihood of this rank or a better one.
    up_to: Vec<f64>,
    ranked: Vec<u32>,
}

impl Popularity {
    fn new(exponent: f64, source: &mut Source) -> Self {
        let mut sum = 0.0;
        let mut up_to: Vec<f64> = (1..=source.keys)
            .map(|rank| {
                sum += f64::from(rank).powf(-exponent);
                sum
            })
            .collect();
        up_to.iter_mut().for_each(|share| *share /= sum);
        Self {
            up_to,
            ranked: source.random.permutation(source.keys),
        }
    }

    /// A key, where all ranks have moved on by so many keys.
    fn draw(&self, source: &mut Source, moved: u32) -> u32 {
        let share = source.random.fraction();
        let rank = self.up_to.partition_point(|&up_to| up_to <= share) as u32;
        let place = (rank + moved) % source.keys;
        self.ranked[place as usize]
    }
}
