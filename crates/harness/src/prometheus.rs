//! A real Prometheus that looks at what was started, and its `promtool`, where they are installed: nobody here fetches them.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::client::{self, ClientError};
use crate::port::Port;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait;

const START: Duration = Duration::from_secs(30);

/// Where the program is; where it is not, what wanted it says that it was not run.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&on_path).map(|directory| directory.join(program));
    let found = places.find(|path| path.is_file());
    if found.is_none() {
        let play = std::thread::current().name().unwrap_or("a play").to_owned();
        // Not through the macros, whose output is kept back. Where nobody reads it there is nothing to be done.
        let _ = writeln!(
            io::stderr(),
            "NOT RUN: {play}: there is no {program} in PATH (on Debian: apt-get install prometheus)"
        );
    }
    found
}

/// Runs `promtool` with these arguments in `directory`, where it is installed.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn promtool(directory: &Path, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(find("promtool")?);
    let output = command.current_dir(directory).args(arguments).output();
    Some(output.expect("it starts"))
}

/// What is asked for its numbers.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The job it belongs to.
    pub job: &'a str,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its numbers are.
    pub path: &'a str,
}

/// A running Prometheus; it ends with its handle.
#[derive(Debug)]
pub struct Prometheus {
    // First, so that it has ended before its directory goes.
    _process: Process,
    port: Port,
    _directory: Scratch,
}

impl Prometheus {
    /// Asks each of `targets` every second, and evaluates the rules of a file as often.
    ///
    /// # Errors
    /// When it cannot be started, or does not come up.
    pub async fn start(
        program: &Path,
        targets: &[Target<'_>],
        rules: &Path,
    ) -> io::Result<Prometheus> {
        let (directory, port) = (Scratch::new("prometheus")?, Port::reserve()?);
        let config = directory.path().join("prometheus.yaml");
        fs::write(&config, configuration(targets, rules))?;
        let mut command = Command::new(program);
        command
            .arg(argument("config.file", &config))
            .arg(argument(
                "storage.tsdb.path",
                &directory.path().join("data"),
            ))
            .arg(format!("--web.listen-address={}", port.address()))
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.path().join("log"))?);
        let prometheus = Self {
            _process: Process::spawn(&mut command)?,
            port,
            _directory: directory,
        };
        let ready = wait::poll(START, async || {
            let answer = prometheus.ask("/-/ready").await.ok()?;
            (answer.status == 200).then_some(())
        });
        ready.await.ok_or(io::ErrorKind::TimedOut)?;
        Ok(prometheus)
    }

    async fn ask(&self, path: &str) -> Result<client::Answer, ClientError> {
        client::get(self.port.address(), path).await
    }

    /// What an expression comes to now.
    ///
    /// # Errors
    /// What Prometheus has against it.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let path = format!("/api/v1/query?query={}", escaped(expression));
        let answer = self.ask(&path).await.map_err(|error| error.to_string())?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let result = said["data"]["result"].as_array().cloned();
        result.ok_or_else(|| answer.text())
    }

    /// The name and the health of each of its alerts: `ok`, or what is wrong.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn alerts(&self) -> Result<Vec<(String, String)>, ClientError> {
        let answer = self.ask("/api/v1/rules?type=alert").await?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let groups = said["data"]["groups"].as_array().into_iter().flatten();
        let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
        let text = |rule: &Value, member: &str| rule[member].as_str().unwrap_or("").to_owned();
        Ok(rules
            .map(|rule| {
                (
                    text(rule, "name"),
                    text(rule, "health") + &text(rule, "lastError"),
                )
            })
            .collect())
    }
}

fn argument(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

fn configuration(targets: &[Target<'_>], rules: &Path) -> String {
    let mut text = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{:?}]\nscrape_configs:\n",
        rules.display().to_string()
    );
    for Target { job, address, path } in targets {
        let _ = writeln!(
            text,
            "- {{ job_name: {job}, metrics_path: {path}, static_configs: [{{ targets: [\"{address}\"] }}] }}"
        );
    }
    text
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02X}");
        out
    })
}
