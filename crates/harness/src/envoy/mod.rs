//! A real Envoy: configured by types, started on ports of the kernel's choice, asked through its
//! admin interface, stopped by handle.
//!
//! Several run at once without knowing of each other (hot restart is off, no port is fixed). The
//! configuration and the log lie in a directory that stays when the test fails.

mod bootstrap;
mod dynamic;
mod error;
mod file;
mod listener;
mod measure;
mod release;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::client::{self, Answer, Client, ClientError, Protocol, Request};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::tools::Tool;
use crate::wait;
pub use bootstrap::{Cluster, Mode};
use dynamic::Pushes;
pub use dynamic::Update;
pub use error::StartError;
pub use file::File as ConfigurationFile;
pub use listener::{HttpFilter, Listener, Target, Wasm};
pub use measure::CpuMeter;
pub use release::Release;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(15);
const ATTEMPTS: usize = 256;

/// What an Envoy will be.
#[derive(Clone, Debug)]
pub struct Builder {
    node: String,
    workers: usize,
    mode: Mode,
    clusters: Vec<Cluster>,
    listeners: Vec<Listener>,
    arguments: Vec<String>,
}

impl Builder {
    /// What it calls itself, where there are several.
    #[must_use]
    pub fn node(mut self, id: &str) -> Self {
        id.clone_into(&mut self.node);
        self
    }

    /// The number of worker threads; 1 unless said otherwise.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Adds a cluster.
    #[must_use]
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// Adds a listener.
    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Takes the listeners from a watched file, so that [`Envoy::update`] can change them.
    #[must_use]
    pub fn dynamic(mut self) -> Self {
        self.mode = Mode::Dynamic;
        self
    }

    /// Adds a command line argument, for example a log level.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts it and waits until all workers serve.
    ///
    /// # Errors
    /// [`StartError`]; a configuration that Envoy refuses is [`StartError::Ended`]. In dynamic mode a
    /// refused listener is no error here, as it is none to Envoy: see [`Envoy::rejected`].
    pub async fn start(self) -> Result<Envoy, StartError> {
        let directory = Scratch::new("envoy")?;
        let pushes = Pushes::new(directory.path());
        if self.mode == Mode::Dynamic {
            pushes.write(&self.listeners)?;
        }
        let bootstrap = bootstrap::render(
            &self.node,
            self.mode,
            &self.clusters,
            &self.listeners,
            &pushes,
        );
        let config = directory.path().join("envoy.json");
        fs::write(&config, format!("{bootstrap:#}"))?;
        let mut command = command(&config, self.workers)?;
        command.args(&self.arguments).stdout(Stdio::null());
        Envoy::launch(&mut command, directory, self.workers, self.mode).await
    }
}

/// The command line that every Envoy here has.
fn command(config: &Path, workers: usize) -> Result<Command, StartError> {
    let mut command = Command::new(Tool::Envoy.find()?);
    command
        .args(["--disable-hot-restart", "--drain-strategy", "immediate"])
        .args(["--drain-time-s", "1", "--log-level", "info"])
        // At info this one lists every extension linked in.
        .args(["--component-log-level", "main:warning"])
        .args(["--concurrency", &workers.to_string()])
        .arg("--config-path")
        .arg(config);
    Ok(command)
}

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    // First, so that it has ended before its directory goes.
    process: Process,
    admin: SocketAddr,
    addresses: BTreeMap<String, SocketAddr>,
    workers: usize,
    mode: Mode,
    pushes: Pushes,
    directory: Scratch,
}

impl Envoy {
    /// One worker, no listeners, no clusters.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            node: "larder-harness".to_owned(),
            workers: 1,
            mode: Mode::Static,
            clusters: Vec::new(),
            listeners: Vec::new(),
            arguments: Vec::new(),
        }
    }

    async fn launch(
        command: &mut Command,
        directory: Scratch,
        workers: usize,
        mode: Mode,
    ) -> Result<Self, StartError> {
        command
            .arg("--admin-address-path")
            .arg(directory.path().join("admin.address"))
            .stderr(File::create(directory.path().join("envoy.log"))?);
        let mut process = Process::spawn(command)?;
        let admin = wait_for_admin(&mut process, &directory).await?;
        let mut envoy = Self {
            process,
            admin,
            addresses: BTreeMap::new(),
            workers,
            mode,
            pushes: Pushes::new(directory.path()),
            directory,
        };
        envoy.wait_until_serving().await?;
        envoy.read_addresses().await?;
        Ok(envoy)
    }

    /// Where the listener of this name listens.
    ///
    /// # Panics
    /// When there is none, naming those that are.
    #[must_use]
    pub fn address(&self, listener: &str) -> SocketAddr {
        let known = || {
            self.addresses
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self.addresses.get(listener) {
            Some(address) => *address,
            None => panic!("no listener {listener:?}, only: {}", known()),
        }
    }

    /// Where the admin interface listens.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// How many workers it has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Where its log is, while it runs.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.directory.path().join("envoy.log")
    }

    /// Whether the process is still there. A worker that crashes takes the process along.
    pub fn is_alive(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Sends a request to the admin interface.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask(&self, method: &str, path: &str) -> Result<Answer, ClientError> {
        client::send(self.admin, Request::new(method, path)).await
    }

    /// All counters and gauges that have been used, by name.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub async fn stats(&self) -> Result<BTreeMap<String, u64>, ClientError> {
        let answer = self.ask("GET", "/stats?usedonly").await?;
        Ok(parse_stats(&answer.text()))
    }

    /// One counter or gauge; 0 when it has not been used.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub async fn stat(&self, name: &str) -> Result<u64, ClientError> {
        let path = format!("/stats?usedonly&filter={}", name.replace('.', "\\."));
        let stats = parse_stats(&self.ask("GET", &path).await?.text());
        Ok(stats.get(name).copied().unwrap_or_default())
    }

    /// Opens a connection that is served by worker number `worker` (from 0) of `listener`.
    ///
    /// The kernel picks the worker, so connections are opened until Envoy counts one on the wanted
    /// worker. While this runs nobody else may open connections to this listener.
    ///
    /// # Errors
    /// When a connection fails.
    ///
    /// # Panics
    /// When none of 256 connections went there.
    pub async fn connect_to_worker(
        &self,
        listener: &str,
        worker: usize,
        protocol: Protocol,
    ) -> Result<Client, ClientError> {
        assert!(worker < self.workers, "there is no worker {worker}");
        for _ in 0..ATTEMPTS {
            let before = self.accepted(listener).await?;
            let client = Client::connect(self.address(listener), protocol).await?;
            if self.next_accepted(listener, &before).await? == worker {
                return Ok(client);
            }
        }
        panic!("none of {ATTEMPTS} connections went to worker {worker} of {listener}");
    }

    /// Which worker counted the connection just opened.
    async fn next_accepted(&self, listener: &str, before: &[u64]) -> Result<usize, ClientError> {
        let moved = wait::poll(wait::PATIENCE, async || {
            let now = self.accepted(listener).await;
            now.map(|now| now.iter().zip(before).position(|(now, then)| now > then))
                .transpose()
        });
        moved.await.expect("a worker accepts the connection")
    }

    /// Connections accepted so far, by worker.
    async fn accepted(&self, listener: &str) -> Result<Vec<u64>, ClientError> {
        let path = format!("/stats?filter=listener\\.{listener}\\.worker_");
        let stats = parse_stats(&self.ask("GET", &path).await?.text());
        let of = |worker| format!("listener.{listener}.worker_{worker}.downstream_cx_total");
        let count = |worker| stats.get(&of(worker)).copied().unwrap_or_default();
        Ok((0..self.workers).map(count).collect())
    }

    /// Ends it in order, and by force when that takes too long; tells how it ended.
    pub async fn stop(self) -> Option<ExitStatus> {
        self.process.stop(STOP).await
    }

    async fn wait_until_serving(&mut self) -> Result<(), StartError> {
        let ready = wait::poll(START, async || {
            if let Some(status) = self.process.ended() {
                return Some(Err(self.ended(status)));
            }
            let ready = self.ask("GET", "/ready").await.ok()?;
            let started = self.stat("listener_manager.workers_started").await.ok()?;
            (ready.status == 200 && started == 1).then_some(Ok(()))
        });
        match ready.await {
            Some(outcome) => outcome,
            None => Err(StartError::NotReady {
                log: self.read_log(),
            }),
        }
    }

    async fn read_addresses(&mut self) -> Result<(), ClientError> {
        let answer = self.ask("GET", "/listeners?format=json").await?;
        let listing: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let listeners = listing["listener_statuses"].as_array();
        let entry = |listener: &Value| {
            let socket = &listener["local_address"]["socket_address"];
            let host = socket["address"].as_str()?.parse().ok()?;
            let port = socket["port_value"].as_u64()?.try_into().ok()?;
            let name = listener["name"].as_str()?.to_owned();
            Some((name, SocketAddr::new(host, port)))
        };
        self.addresses = listeners.into_iter().flatten().filter_map(entry).collect();
        Ok(())
    }

    fn ended(&self, status: ExitStatus) -> StartError {
        let log = self.read_log();
        StartError::Ended { status, log }
    }

    fn read_log(&self) -> String {
        read_lossy(&self.log())
    }
}

async fn wait_for_admin(
    process: &mut Process,
    directory: &Scratch,
) -> Result<SocketAddr, StartError> {
    let log = || read_lossy(&directory.path().join("envoy.log"));
    let address = wait::poll(START, async || {
        if let Some(status) = process.ended() {
            return Some(Err(StartError::Ended { status, log: log() }));
        }
        let written = fs::read_to_string(directory.path().join("admin.address")).ok()?;
        written.parse().ok().map(Ok)
    });
    match address.await {
        Some(address) => address,
        None => Err(StartError::NotReady { log: log() }),
    }
}

fn read_lossy(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Lines of `name: number`; histograms and text are left out.
fn parse_stats(text: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let (name, value) = line.rsplit_once(": ")?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}
