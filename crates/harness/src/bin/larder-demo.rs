//! What `make run` starts: the demo's API, Envoy with Larder in front of it, and a line for each
//! request, until Ctrl-C.
//!
//! It runs the files people run, `envoy/envoy.yaml` and `envoy/larder.json` (or what `LARDER_CONFIG` names), with the
//! marked values changed for this machine.

use std::env;
use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use larder_core::config::Config;
use larder_harness::access_log::{follow, summary};
use larder_harness::demo::Demo;
use larder_harness::envoy::Envoy;
use larder_harness::origin::Server;
use larder_harness::{shutdown, template, tools};
use serde_json::{Map, Value, json};

const WORKERS: usize = 2;

type Failure = Box<dyn Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larder-demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let shutdown = shutdown::signal()?;
    let listen = free_address()?;
    let origin = Server::start((Ipv4Addr::LOCALHOST, 0).into(), Demo::new(1.0)).await?;
    let config = render(listen, origin.address())?;
    let (envoy, access_log) = Envoy::from_yaml(&config, WORKERS).await?;
    welcome(listen, &envoy);
    let mut lines = follow(access_log);
    let print = async {
        while let Some(line) = lines.recv().await {
            println!("{}", summary(&line));
        }
    };
    tokio::select! {
        () = shutdown => {
            envoy.stop().await;
            while let Some(line) = lines.recv().await {
                println!("{}", summary(&line));
            }
            println!("stopped");
            Ok(())
        }
        () = print => {
            let log = fs::read_to_string(envoy.log()).unwrap_or_default();
            Err(format!("Envoy ended by itself; its log:\n{log}").into())
        }
    }
}

/// The port people asked for, which must not be in use: Envoy would share it with another Envoy
/// without a word, and each would get half of the requests.
fn free_address() -> Result<SocketAddr, Failure> {
    let asked = env::var("LARDER_PORT").unwrap_or_default();
    let port = match asked.as_str() {
        "" => 8080,
        text => text.parse().map_err(|_| {
            format!("LARDER_PORT is {text:?}, which is not a port; for example: LARDER_PORT=8081 make run")
        })?,
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(address) {
        Ok(free) => Ok(free.local_addr()?),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(format!(
            "port {port} is taken; choose another, for example: LARDER_PORT=8081 make run"
        )
        .into()),
        Err(error) => Err(format!(
            "cannot listen on port {port}: {error}; choose another by LARDER_PORT"
        )
        .into()),
    }
}

fn render(listen: SocketAddr, origin: SocketAddr) -> Result<String, Failure> {
    let directory = tools::checkout().join("envoy");
    let read = |name: &str| {
        let path = directory.join(name);
        fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let values = [
        ("LARDER_ADMIN_PORT", "0".to_owned()),
        ("LARDER_ADDRESS", listen.ip().to_string()),
        ("LARDER_PORT", listen.port().to_string()),
        ("LARDER_WASM", tools::module()?.display().to_string()),
        ("LARDER_CONFIG", configuration()?),
        ("ORIGIN_ADDRESS", origin.ip().to_string()),
        ("ORIGIN_PORT", origin.port().to_string()),
    ];
    let rendered = template::render(&read("envoy.yaml")?, &values);
    Ok(rendered.map_err(|error| format!("envoy/envoy.yaml: {error}"))?)
}

/// Where the rules are.
fn rules() -> PathBuf {
    let asked = env::var_os("LARDER_CONFIG").map(PathBuf::from);
    asked.unwrap_or_else(|| tools::checkout().join("envoy/larder.json"))
}

/// The rules, and the management API. The word `demo` opens it, since only this machine reaches it.
///
/// What is wrong with them is said here, before Envoy says it among a hundred lines.
fn configuration() -> Result<String, Failure> {
    let path = rules();
    let said = |problem: &dyn Display| format!("{}: {problem}", path.display());
    let text = fs::read_to_string(&path).map_err(|error| said(&error))?;
    if let Err(problems) = Config::parse(text.as_bytes()) {
        let problems: Vec<String> = problems.iter().map(|problem| said(problem)).collect();
        return Err(problems.join("\n").into());
    }
    let mut config: Map<String, Value> = serde_json::from_str(&text)?;
    let token = "2a97516c354b68848cdbd8f54a226a0a55b21ed138e207ad6c5cbb9c00aa5aea";
    config.insert("management".to_owned(), json!({ "token_sha256": token }));
    Ok(format!("{:#}\n", Value::Object(config)))
}

fn welcome(listen: SocketAddr, envoy: &Envoy) {
    let cached = format!("'http://{listen}/api/analytics/aggregate?days=7'");
    let never = format!("'http://{listen}/api/predictive/churn?customer=42'");
    let own = format!("'http://{listen}/report'");
    let api = |path: &str| format!("'http://{listen}/api/cache/{path}'");
    let (stats, config, tag) = (api("stats"), api("config"), api("invalidate/tag/reports"));
    let rule = r#"'{"rules": {"reports": {"match": {"path": "/report"}, "ttl_seconds": 600, "tags": ["reports"]}}}'"#;
    let token = "\"Authorization: Bearer demo\"";
    println!(
        "Larder is at http://{listen}  (rules: {rules}, Envoy's log: {log})

Try these in another terminal, in this order:

  curl -si {cached}
      x-cache: MISS, after the 300 ms the API takes
  curl -si {cached}
      x-cache: HIT with x-cache-age and an etag, at once, the same generated_at
  curl -si {cached} -H \"If-None-Match: $(curl -sI {cached} | sed -n 's/^etag: //p' | tr -d '\\r')\"
      304 Not Modified, no body
  curl -si {never}
      x-cache: BYPASS, a new generated_at each time: never cached
  curl -s -X PURGE {cached} -H {token}
      purged: the next one is a MISS again
  curl -si {own}
      x-cache: MISS, detail=no-freshness, after 800 ms: no rule names it
  curl -s -X PUT {config} -H {token} -d {rule}
      a rule of your own, at once: the report is a MISS once more, and a HIT from then on (to stay, it goes into that file)
  curl -s -X POST {tag} -H {token}
      all that has that tag is purged
  curl -s {stats} -H {token}
      what is stored, and how often that was of use (docs/management.md)

Ctrl-C stops everything. Requests:
",
        rules = rules().display(),
        log = envoy.log().display(),
    );
}
