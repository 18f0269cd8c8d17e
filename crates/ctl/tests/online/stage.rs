//! An Envoy with Larder and its management API, and larderctl to ask it.

use std::net::SocketAddr;
use std::process::Stdio;

use larder_harness::admin::TOKEN;
use larder_harness::client::{self, Answer, Request};
use larder_harness::envoy::{Cluster, Envoy, Listener, Wasm};
use larder_harness::origin::Origin;
use larder_harness::tools;
use serde_json::Value;
use tokio::process::Command;

/// The name of the listener with Larder.
pub(crate) const MAIN: &str = "main";
/// The host that clients ask for.
pub(crate) const HOST: &str = "api.example.com";

/// An origin and an Envoy with Larder in front of it.
pub(crate) struct Stage {
    pub(crate) origin: Origin,
    pub(crate) envoy: Envoy,
}

/// How larderctl ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Stage {
    /// With these rules, as JSON.
    pub(crate) async fn start(rules: &str) -> Self {
        Self::configured(&format!(r#"{{"management": {{}}, "rules": {rules}}}"#)).await
    }

    /// With this configuration, and the token.
    pub(crate) async fn configured(configuration: &str) -> Self {
        let origin = Origin::start().await.unwrap();
        let module = tools::module().unwrap_or_else(|missing| panic!("{missing}"));
        let filter = Wasm::new(module, configuration).environment("LARDER_TOKEN", TOKEN);
        let envoy = Envoy::builder()
            .workers(2)
            .cluster(Cluster::new("origin", origin.address()))
            .listener(Listener::to_cluster(MAIN, "origin").wasm(filter))
            .start()
            .await
            .unwrap();
        Self { origin, envoy }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.envoy.address(MAIN)
    }

    /// GETs on a connection of its own.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path)).await
    }

    /// Sends on a connection of its own.
    pub(crate) async fn send(&self, request: Request) -> Answer {
        client::send(self.address(), request.authority(HOST))
            .await
            .unwrap()
    }

    /// larderctl with these arguments, asking this Envoy as `HOST`, with the token.
    pub(crate) async fn ctl(&self, arguments: &[&str]) -> Ended {
        let at = format!("http://{}", self.address());
        let here = ["--at", &at, "--host", HOST];
        ctl(&[arguments, &here].concat()).await
    }
}

impl Ended {
    /// What was printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It ended with this code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }
}

/// larderctl as people have it, with the token.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larderctl"));
    command
        .args(arguments)
        .env_remove("LARDER_URL")
        .env("LARDER_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs larderctl to its end.
pub(crate) async fn ctl(arguments: &[&str]) -> Ended {
    ended(command(arguments)).await
}

/// Runs a command to its end.
pub(crate) async fn ended(mut command: Command) -> Ended {
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// What `x-cache` says.
pub(crate) fn x_cache(answer: &Answer) -> &str {
    answer.header("x-cache").unwrap_or("(none)")
}
