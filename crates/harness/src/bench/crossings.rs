//! What each crossing between host and module costs: callbacks that are exported, calls that are made, fields and
//! bytes that are sent. Each is the difference between the floor with it and the floor without.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::drive::{DriveError, Pace, Round, Work, drive};
use super::floor::{CALLBACKS, Floor, UNAVOIDABLE};
use super::machine;
use super::pairs::Pairs;
use super::wire::{Ask, Expect};
use crate::Scratch;
use crate::envoy::{Envoy, Listener, Target};

const BASE: &str = "base";
const BASE_WORDS: &str = "body=1024 fields=8";
const KIBIBYTE: usize = 1024;
const PACE: Pace = Pace {
    connections: 16,
    warm: Duration::from_millis(50),
    time: Duration::from_millis(200),
};
/// A call costs less than the noise between two rounds, so it is made this often.
const OFTEN: f64 = 20.0;

/// One difference to the base.
struct Variant {
    name: String,
    words: String,
    callbacks: Vec<&'static str>,
    body: usize,
    times: f64,
}

impl Variant {
    fn new(name: &str, words: &str) -> Self {
        Self {
            name: name.to_owned(),
            words: words.to_owned(),
            callbacks: Vec::new(),
            body: KIBIBYTE,
            times: 1.0,
        }
    }

    fn callbacks(callbacks: &[&'static str]) -> Self {
        Self {
            callbacks: callbacks.to_vec(),
            ..Self::new(&callbacks.join(" + "), BASE_WORDS)
        }
    }

    fn call(name: &str, word: &str) -> Self {
        Self {
            times: OFTEN,
            ..Self::new(name, &format!("{BASE_WORDS} {word} times={OFTEN}"))
        }
    }

    fn body(kibibytes: usize) -> Self {
        let body = kibibytes * KIBIBYTE;
        Self {
            body,
            ..Self::new(
                &format!("{kibibytes} KiB instead of one"),
                &format!("body={body}"),
            )
        }
    }
}

fn variants() -> Vec<Variant> {
    let all: Vec<&'static str> = CALLBACKS.to_vec();
    let mut variants: Vec<Variant> = CALLBACKS
        .iter()
        .map(|callback| Variant::callbacks(&[callback]))
        .collect();
    variants.push(Variant {
        name: "all six".to_owned(),
        ..Variant::callbacks(&all)
    });
    let calls = [
        ("the header map, at once", "pairs"),
        ("one field", "values=1"),
        ("the header map's size", "map-size"),
        ("the clock", "clock"),
        ("a gauge, read", "gauge"),
        ("a counter, incremented", "counter"),
        ("shared data, 1 KiB", "shared=1024"),
        ("shared data, 100 KiB", "shared=102400"),
    ];
    variants.extend(calls.map(|(name, word)| Variant::call(name, word)));
    variants.push(Variant::new(
        "header map, clock, gauge and counter",
        &format!("{BASE_WORDS} {UNAVOIDABLE}"),
    ));
    variants.push(Variant::new(
        "no field instead of eight",
        "body=1024 fields=0",
    ));
    variants.extend([10, 100, 1024].map(Variant::body));
    variants
}

/// Measures all of them, each in so many pairs; a table.
///
/// # Errors
/// When the floor is not built, Envoy does not start, or an answer is wrong.
pub async fn run(pairs: usize) -> Result<String, Box<dyn Error>> {
    let directory = Scratch::new("floor")?;
    let floor = Floor::read(directory.path())?;
    let variants = variants();
    let mut builder = Envoy::builder();
    builder = builder.listener(listener(&floor, BASE, &Variant::new(BASE, BASE_WORDS))?);
    for (number, variant) in variants.iter().enumerate() {
        builder = builder.listener(listener(&floor, &format!("v{number}"), variant)?);
    }
    let envoy = builder.start().await?;
    let mut table = machine::describe(&envoy).await;
    let _ = write!(
        table,
        " {pairs} pairs of rounds of {} ms.\n\n\
         | the floor and | µs more for a request | middle half |\n|---|---|---|\n",
        PACE.time.as_millis()
    );
    let base = subject(BASE, KIBIBYTE);
    for (number, variant) in variants.iter().enumerate() {
        eprintln!("{} of {}: {}", number + 1, variants.len(), variant.name);
        let subject = subject(&format!("v{number}"), variant.body);
        let measure = async |subject: &Subject| subject.measure(&envoy).await;
        let measured = Pairs::measure((&subject, &base), pairs, measure).await?;
        let more = measured.difference().ok_or("no pairs")?;
        let _ = writeln!(
            table,
            "| {} | {:.2} | {:.2} to {:.2} |",
            variant.name,
            more.median / variant.times,
            more.lower / variant.times,
            more.upper / variant.times,
        );
    }
    envoy.stop().await;
    Ok(table)
}

fn listener(floor: &Floor, name: &str, variant: &Variant) -> Result<Listener, Box<dyn Error>> {
    let filter = floor.filter(name, &variant.words, &variant.callbacks)?;
    let unused = Target::Direct {
        status: 500,
        body: "the floor did not answer".to_owned(),
    };
    Ok(Listener::new(name, unused).wasm(filter))
}

struct Subject {
    listener: String,
    work: Arc<Work>,
}

impl Subject {
    async fn measure(&self, envoy: &Envoy) -> Result<Round, DriveError> {
        let meter = envoy.cpu_meter();
        let server = envoy.address(&self.listener);
        drive(server, Arc::clone(&self.work), PACE, move || meter.read()).await
    }
}

fn subject(listener: &str, body: usize) -> Subject {
    let expect = Expect {
        status: 200,
        body: Some(body),
        lines: Vec::new(),
    };
    let asks = vec![Ask::get("/object")];
    Subject {
        listener: listener.to_owned(),
        work: Arc::new(Work { asks, expect }),
    }
}
