//! One Envoy with a listener for each way to answer, an origin behind it, and what must be stored stored.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::drive::{self, Pace, Round, Work};
use super::floor::{CALLBACKS_OF_LARDER, Floor, UNAVOIDABLE};
use super::origin::{Origin, TAGGED};
use super::scenario::Scenario;
use super::wire::Wire;
use crate::Scratch;
use crate::envoy::{Cluster, Envoy, HttpFilter, Listener, Target, Wasm};
use crate::wait;

/// The origin, as a cluster.
pub const CLUSTER: &str = "origin";
/// So often in a row everything must be right before it is measured: each worker has a memory of its own.
const TIMES_RIGHT: usize = 8;
/// Connections that fill a cache.
const CONNECTIONS: usize = 16;
/// A compressed form may come some time after the first response.
const COMPRESSED_WITHIN: Duration = Duration::from_secs(20);
const RULES: usize = 50;

/// A way to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Envoy's `direct_response`.
    Direct,
    /// A filter that replies a constant from its request-headers callback, and does nothing else.
    Floor,
    /// One that is called back where Larder is, and makes the calls that a cache cannot avoid.
    FloorWithCalls,
    /// A filter that lets everything pass and does nothing, called back where Larder is.
    FloorPassing,
    /// Larder: the module of this number.
    Larder(usize),
    /// `envoy.filters.http.cache`.
    NativeV1,
    /// `envoy.filters.http.cache_v2`.
    NativeV2,
    /// No filter: everything comes from the origin.
    PassThrough,
}

impl Way {
    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct_response",
            Self::Floor => "wasm floor",
            Self::FloorWithCalls => "wasm floor with calls",
            Self::FloorPassing => "wasm floor that passes",
            Self::Larder(0) => "Larder",
            Self::Larder(_) => "the other Larder",
            Self::NativeV1 => "native cache",
            Self::NativeV2 => "native cache v2",
            Self::PassThrough => "pass-through",
        }
    }

    /// The listener that answers `scenario` in this way.
    fn listener(self, scenario: Scenario) -> String {
        match (self, scenario) {
            (Self::Direct, scenario) => format!("direct-{}", scenario.body()),
            (Self::Floor, scenario) => format!("floor-{}", scenario.body()),
            (Self::FloorWithCalls, scenario) => format!("calls-{}", scenario.body()),
            (Self::FloorPassing, _) => "floor-passing".to_owned(),
            (Self::Larder(module), Scenario::Bypass(_)) => larder(module, "bypass"),
            (Self::Larder(module), Scenario::Miss(_) | Scenario::TaggedMiss(_)) => {
                larder(module, "miss")
            }
            (Self::Larder(module), Scenario::RuleHit(_)) => larder(module, "rules"),
            (
                Self::Larder(module),
                Scenario::GzipHit(_)
                | Scenario::Hit(_)
                | Scenario::NotModified
                | Scenario::VariantHit(_),
            ) => larder(module, "one-rule"),
            (Self::NativeV1, _) => "native-v1".to_owned(),
            (Self::NativeV2, _) => "native-v2".to_owned(),
            (Self::PassThrough, _) => "pass-through".to_owned(),
        }
    }

    /// What must not, or must, be asked of the origin.
    fn fetches(self, scenario: Scenario) -> Fetches {
        match (self, scenario) {
            (Self::FloorPassing | Self::PassThrough, _)
            | (_, Scenario::Bypass(_) | Scenario::Miss(_) | Scenario::TaggedMiss(_)) => {
                Fetches::EachTime
            }
            _ => Fetches::Never,
        }
    }
}

fn larder(module: usize, configuration: &str) -> String {
    format!("larder-{module}-{configuration}")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fetches {
    EachTime,
    Never,
}

/// A scenario and who answers it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What people call who answers.
    pub name: String,
    listener: String,
    fetches: Fetches,
    /// How long it may take until what it answers from is stored.
    patience: Duration,
    work: Arc<Work>,
}

impl Subject {
    /// Answers `scenario` in this way.
    #[must_use]
    pub fn new(way: Way, scenario: Scenario) -> Self {
        let fetches = way.fetches(scenario);
        let lines = match (way, fetches) {
            (Way::Larder(_), _) => scenario.larder_lines(),
            (Way::NativeV1 | Way::NativeV2, Fetches::Never) => vec!["age: ".to_owned()],
            _ => Vec::new(),
        };
        Self {
            name: way.name().to_owned(),
            listener: way.listener(scenario),
            fetches,
            patience: match scenario {
                Scenario::GzipHit(_) => COMPRESSED_WITHIN,
                Scenario::Bypass(_)
                | Scenario::Hit(_)
                | Scenario::Miss(_)
                | Scenario::NotModified
                | Scenario::RuleHit(_)
                | Scenario::TaggedMiss(_)
                | Scenario::VariantHit(_) => wait::PATIENCE,
            },
            work: scenario.work(lines),
        }
    }

    /// Answers in this way what comes next to `scenario`: others than Larder know no variants, rules or conditions.
    #[must_use]
    pub fn beside(way: Way, scenario: Scenario) -> Self {
        match way {
            Way::Larder(_) => Self::new(way, scenario),
            Way::Direct
            | Way::Floor
            | Way::FloorPassing
            | Way::FloorWithCalls
            | Way::NativeV1
            | Way::NativeV2
            | Way::PassThrough => Self::new(way, scenario.plainly()),
        }
    }

    /// Larder answers `scenario` on a listener of this name.
    #[must_use]
    pub fn larder(listener: &str, scenario: Scenario) -> Self {
        Self {
            listener: listener.to_owned(),
            ..Self::new(Way::Larder(0), scenario)
        }
    }

    /// The same, whether it comes from the cache or not.
    #[must_use]
    pub fn stored_or_not(listener: &str, scenario: Scenario) -> Self {
        Self {
            work: scenario.work(Vec::new()),
            ..Self::larder(listener, scenario)
        }
    }
}

/// Everything that runs.
#[derive(Debug)]
pub struct Stage {
    /// The proxy.
    pub envoy: Envoy,
    origin: Origin,
}

impl Stage {
    /// Starts an Envoy with these listeners; those that pass on pass to the cluster [`CLUSTER`].
    ///
    /// # Errors
    /// When Envoy does not start.
    pub async fn start(workers: usize, listeners: Vec<Listener>) -> Result<Self, Box<dyn Error>> {
        let origin = Origin::start().await?;
        let builder = Envoy::builder()
            .workers(workers)
            .cluster(Cluster::new(CLUSTER, origin.address()));
        let builder = listeners
            .into_iter()
            .fold(builder, |builder, listener| builder.listener(listener));
        Ok(Self {
            envoy: builder.start().await?,
            origin,
        })
    }

    /// Starts so many workers, these modules of Larder, and everything they are compared with.
    ///
    /// # Errors
    /// When a module is missing or Envoy does not start.
    pub async fn with_everything(
        workers: usize,
        modules: &[&Path],
    ) -> Result<Self, Box<dyn Error>> {
        // Envoy reads the modules when it starts.
        let directory = Scratch::new("bench")?;
        let floor = Floor::read(directory.path())?;
        let mut listeners = vec![
            Listener::to_cluster("pass-through", CLUSTER),
            Listener::to_cluster("native-v1", CLUSTER).filter(HttpFilter::NativeCache),
            Listener::to_cluster("native-v2", CLUSTER).filter(HttpFilter::NativeCacheV2),
            Listener::to_cluster("floor-passing", CLUSTER).wasm(floor.filter(
                "floor-passing",
                "pass",
                &CALLBACKS_OF_LARDER,
            )?),
        ];
        for (_, scenario) in Scenario::ALL {
            if let Scenario::Hit(body) = scenario {
                listeners.extend(constants(&floor, body)?);
            }
        }
        for (number, module) in modules.iter().enumerate() {
            for (name, configuration) in configurations() {
                let name = larder(number, name);
                listeners.push(larder_listener(module, &name, &configuration));
            }
        }
        Self::start(workers, listeners).await
    }

    /// Has everything stored that `subject` is to answer from. `false` when it does not answer so: what it does not do
    /// cannot be measured.
    ///
    /// # Errors
    /// When nobody answers at all.
    pub async fn prepare(&self, subject: &Subject) -> Result<bool, Box<dyn Error>> {
        if subject.fetches == Fetches::EachTime {
            return Ok(true);
        }
        let server = self.envoy.address(&subject.listener);
        let mut wrong = None;
        let mut times = 0;
        let stored = wait::poll(subject.patience, async || {
            let before = self.origin.fetches();
            // Another connection, and by chance another worker.
            let mut wire = Wire::connect(server).await.ok()?;
            let mut all_right = true;
            // All are asked each time: what is compressed is so after it was asked for.
            for ask in &subject.work.asks {
                if let Err(error) = wire.exchange(ask, 0, &subject.work.expect).await {
                    wrong = Some(error);
                    all_right = false;
                    wire = Wire::connect(server).await.ok()?;
                }
            }
            all_right &= self.origin.fetches() == before;
            times = if all_right { times + 1 } else { 0 };
            (times >= TIMES_RIGHT).then_some(())
        });
        let stored = stored.await.is_some();
        // Else all that is left to measure would seem not to be available.
        if !stored && self.envoy.stats().await.is_err() {
            return Err(format!("Envoy has died while {} was prepared", subject.name).into());
        }
        if let (false, Some(error)) = (stored, wrong) {
            eprintln!("{}: {error}", subject.name);
        }
        Ok(stored)
    }

    /// Sends `count` requests of `subject`.
    ///
    /// # Errors
    /// When an answer is not the one expected.
    pub async fn send(&self, subject: &Subject, count: u64) -> Result<(), Box<dyn Error>> {
        let server = self.envoy.address(&subject.listener);
        let work = Arc::clone(&subject.work);
        Ok(drive::send(server, work, CONNECTIONS, count).await?)
    }

    /// Measures one round.
    ///
    /// # Errors
    /// When an answer is not the one to be measured, or the origin was asked where it should not be.
    pub async fn round(&self, subject: &Subject, pace: Pace) -> Result<Round, Box<dyn Error>> {
        let meter = self.envoy.cpu_meter();
        let server = self.envoy.address(&subject.listener);
        let before = self.origin.fetches();
        let work = Arc::clone(&subject.work);
        let driven = drive::drive(server, work, pace, move || meter.read()).await;
        let name = &subject.name;
        let round = driven.map_err(|error| format!("{name}: {error}"))?;
        let fetched = self.origin.fetches().saturating_sub(before);
        match subject.fetches {
            Fetches::EachTime if fetched < round.answers => Err(format!(
                "{name}: {} answers, but the origin was asked {fetched} times only",
                round.answers
            )
            .into()),
            Fetches::Never if fetched > 0 => {
                Err(format!("{name}: the origin was asked {fetched} times: no hits").into())
            }
            Fetches::EachTime | Fetches::Never => Ok(round),
        }
    }

    /// Ends everything.
    pub async fn stop(self) {
        self.envoy.stop().await;
    }
}

/// Larder with this configuration, sharing nothing with others, before the origin.
#[must_use]
pub fn larder_listener(module: &Path, name: &str, configuration: &str) -> Listener {
    let filter = Wasm::new(module, configuration).vm_id(name);
    Listener::to_cluster(name, CLUSTER).wasm(filter)
}

/// What replies a constant of `body` bytes.
fn constants(floor: &Floor, body: usize) -> Result<[Listener; 3], Box<dyn Error>> {
    let target = |text: String| Target::Direct {
        status: 200,
        body: text,
    };
    let wasm = |name: String, words: String, callbacks: &[&str]| {
        let filter = floor.filter(&name, &words, callbacks)?;
        Ok::<_, Box<dyn Error>>(Listener::new(&name, target(String::new())).wasm(filter))
    };
    Ok([
        Listener::new(&format!("direct-{body}"), target("x".repeat(body))),
        wasm(format!("floor-{body}"), format!("body={body}"), &[])?,
        wasm(
            format!("calls-{body}"),
            format!("body={body} {UNAVOIDABLE}"),
            &CALLBACKS_OF_LARDER,
        )?,
    ])
}

/// The configurations of Larder, by what they are called in the names of listeners.
fn configurations() -> [(&'static str, String); 4] {
    let one_rule =
        r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":3600}]}"#.to_owned();
    let bypass = r#"{"rules":[{"name":"none","match":{"path":"/.*"},"cache":false}]}"#.to_owned();
    [
        ("one-rule", one_rule.clone()),
        ("miss", one_rule),
        ("bypass", bypass),
        ("rules", many_rules()),
    ]
}

/// Many rules of which a late one takes the tagged paths; all begin alike, as the paths of one interface do, and none can do
/// without its regular expression.
fn many_rules() -> String {
    let prefix = TAGGED.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let rules: Vec<String> = (0..RULES)
        .map(|number| {
            let path = format!("{prefix}{number}/(?:[0-9]+|none)/[a-z0-9-]+");
            format!(r#"{{"name":"r{number}","match":{{"path":"{path}"}},"ttl_seconds":3600}}"#)
        })
        .collect();
    format!(r#"{{"rules":[{}]}}"#, rules.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_rules_is_for_the_tagged_paths() {
        let path = format!("{TAGGED}/(?:[0-9]+|none)/[a-z0-9-]+");
        assert!(many_rules().contains(&path));
    }
}
