//! What `make fleet` starts: a Valkey, two `larder-admin`, three Envoys with Larder, and the demo's API behind them, and a line
//! for each request, until Ctrl-C. Enter starts one more Envoy.
//!
//! It runs the files people run, `envoy/fleet.yaml` and `envoy/fleet.json`, with the marked values changed for this machine.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::thread;

use larder_harness::access_log::{follow, summary};
use larder_harness::admin::Admin;
use larder_harness::demo::Demo;
use larder_harness::envoy::Envoy;
use larder_harness::origin::Server;
use larder_harness::valkey::Valkey;
use larder_harness::{Port, shutdown, template, tools};
use tokio::sync::mpsc;

const WORKERS: usize = 2;
/// The replicas' ports come behind those that Envoys may have.
const MOST_ENVOYS: u16 = 10;
/// Opens the management API and the page, since only this machine reaches them.
const TOKEN: &str = "demo";
const SECRET: &str = "a-secret-for-a-demo-and-nothing-else";

type Failure = Box<dyn Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larder-fleet: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let shutdown = shutdown::signal()?;
    let mut fleet = Fleet::start(first_port()?).await?;
    fleet.welcome();
    let mut enter = entered();
    let mut shutdown = Box::pin(shutdown);
    let ended = loop {
        tokio::select! {
            () = &mut shutdown => break Ok(()),
            Some(()) = enter.recv() => fleet.one_more().await,
            Some(word) = fleet.words.recv() => match word {
                Word::Line(line) => println!("{line}"),
                Word::Gone(envoy) => break Err(fleet.post_mortem(envoy)),
            },
        }
    };
    fleet.stop().await;
    if ended.is_ok() {
        println!("stopped");
    }
    ended
}

/// What an Envoy has to say.
enum Word {
    /// A request.
    Line(String),
    /// Its last.
    Gone(usize),
}

/// Everything that runs. What is named first ends first.
struct Fleet {
    envoys: Vec<(Envoy, Port)>,
    admins: [Admin; 2],
    _valkey: Valkey,
    origin: Server,
    first: u16,
    words: mpsc::UnboundedReceiver<Word>,
    speaker: mpsc::UnboundedSender<Word>,
}

impl Fleet {
    async fn start(first: u16) -> Result<Self, Failure> {
        let origin = Server::start((Ipv4Addr::LOCALHOST, 0).into(), Demo::new(1.0)).await?;
        // All of them before anything starts, so that whatever is taken is told at once.
        let ports = [port(first, 0)?, port(first, 1)?, port(first, 2)?];
        let valkey = Valkey::builder().persistent().start().await?;
        let admins = [
            replica(&valkey, first, 0).await?,
            replica(&valkey, first, 1).await?,
        ];
        let (speaker, words) = mpsc::unbounded_channel();
        let mut fleet = Self {
            envoys: Vec::new(),
            admins,
            _valkey: valkey,
            origin,
            first,
            words,
            speaker,
        };
        for port in ports {
            fleet.start_envoy(port).await?;
        }
        Ok(fleet)
    }

    async fn start_envoy(&mut self, port: Port) -> Result<SocketAddr, Failure> {
        let number = self.envoys.len();
        let at = port.address();
        let config = render(at, self.origin.address(), &self.admins)?;
        let file = Envoy::of_file(&config, WORKERS)
            .node(&name(number))
            .environment("LARDER_ADMIN_SECRET", SECRET)
            .environment("LARDER_TOKEN", TOKEN);
        let (envoy, access_log) = file.start().await?;
        let mut lines = follow(access_log);
        let speaker = self.speaker.clone();
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                let line = format!("{}  {}", name(number), summary(&line));
                let _ = speaker.send(Word::Line(line));
            }
            let _ = speaker.send(Word::Gone(number));
        });
        self.envoys.push((envoy, port));
        Ok(at)
    }

    async fn one_more(&mut self) {
        let number = u16::try_from(self.envoys.len()).unwrap_or(u16::MAX);
        if number >= MOST_ENVOYS {
            println!("{MOST_ENVOYS} Envoys are enough");
            return;
        }
        let started = match port(self.first, number) {
            Ok(port) => self.start_envoy(port).await,
            Err(error) => Err(error),
        };
        match started {
            Ok(at) => println!(
                "{} is there. It has never asked the API, and need not:\n  curl -si '{}'",
                name(number.into()),
                analytics(at)
            ),
            Err(error) => println!("no further Envoy: {error}"),
        }
    }

    fn post_mortem(&self, envoy: usize) -> Failure {
        let log = self.envoys.get(envoy).map(|(envoy, _)| envoy.log());
        let log = log.and_then(|log| fs::read_to_string(log).ok());
        let log = log.unwrap_or_default();
        format!("{} ended by itself; its log:\n{log}", name(envoy)).into()
    }

    /// In the order in which they need each other; what was said until then is shown.
    async fn stop(mut self) {
        for (envoy, _) in self.envoys {
            envoy.stop().await;
        }
        for admin in &mut self.admins {
            admin.stop().await;
        }
        drop(self.speaker);
        while let Some(word) = self.words.recv().await {
            if let Word::Line(line) = word {
                println!("{line}");
            }
        }
    }

    fn welcome(&self) {
        let [page, other] = self.admins.each_ref().map(Admin::address);
        let at: Vec<SocketAddr> = self.envoys.iter().map(|(_, port)| port.address()).collect();
        let [a, b, c] = at.as_slice() else {
            return;
        };
        let bearer = format!("\"Authorization: Bearer {TOKEN}\"");
        let [first, second, third] = [a, b, c].map(|at| format!("'{}'", analytics(*at)));
        println!(
            "Three Envoys are one cache  (rules: envoy/fleet.json)

  the page   http://{page}/  and  http://{other}/, token: {TOKEN}
  Envoys     http://{a}  http://{b}  http://{c}
  logs       {logs}

Try these in another terminal, in this order:

  curl -si {first}
      x-cache: MISS, after the 300 ms the API takes
  curl -si {second}
      x-cache: HIT at another Envoy: it has what the first one fetched
  curl -s -X PURGE {third} -H {bearer}
      purged at the third: \"durable\": true, and an id
  curl -si {second}
      x-cache: MISS at the second, at once
  curl -si 'http://{b}/report'
      a report, kept from now on
  token=$(curl -si -X POST 'http://{a}/data/update' | sed -n 's/^larder-token: //p' | tr -d '\\r')
  curl -si 'http://{b}/report' -H \"larder-token: $token\"
      the report as it is after the update, however long the news of it takes to the second Envoy
  curl -s 'http://{page}/api/cache/stats' -H {bearer}
      what all of them did together (docs/fleet.md)

Enter starts one more Envoy, Ctrl-C stops everything. Requests:
",
            logs = self.logs(),
        );
    }

    fn logs(&self) -> String {
        let envoys = self.envoys.iter().map(|(envoy, _)| envoy.log());
        let admins = self.admins.iter().map(Admin::log_file);
        let all: Vec<String> = envoys
            .chain(admins)
            .map(|log| log.display().to_string())
            .collect();
        all.join("\n             ")
    }
}

fn name(number: usize) -> String {
    format!("envoy-{}", number.saturating_add(1))
}

fn analytics(at: SocketAddr) -> String {
    format!("http://{at}/api/analytics/aggregate?days=7")
}

/// The first of the ports that people asked for: Envoys from it on, the service ten behind it. 0 leaves it to the kernel.
fn first_port() -> Result<u16, Failure> {
    let asked = env::var("LARDER_PORT").unwrap_or_default();
    match asked.as_str() {
        "" => Ok(8080),
        text => {
            let port = text.parse().ok();
            let last = |port: &u16| port.checked_add(MOST_ENVOYS + 2).is_some();
            port.filter(last).ok_or_else(|| {
                format!("LARDER_PORT is {text:?}, which is not a port with room for the others behind it; for example: LARDER_PORT=9080 make fleet").into()
            })
        }
    }
}

/// A port that must not be in use: Envoy would share it with another Envoy without a word, and each would get half of the
/// requests.
fn port(first: u16, number: u16) -> Result<Port, Failure> {
    let port = if first == 0 {
        0
    } else {
        first.saturating_add(number)
    };
    match Port::at((Ipv4Addr::LOCALHOST, port).into()) {
        Ok(port) => Ok(port),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(format!(
            "port {port} is taken; choose others, for example: LARDER_PORT=9080 make fleet"
        )
        .into()),
        Err(error) => Err(format!(
            "cannot listen on port {port}: {error}; choose others by LARDER_PORT"
        )
        .into()),
    }
}

async fn replica(valkey: &Valkey, first: u16, number: u16) -> Result<Admin, Failure> {
    // Seen to be free, and by whom it is taken where it is not.
    let address = port(first, MOST_ENVOYS.saturating_add(number))?.address();
    let admin = Admin::over(&valkey.url())
        .environment("LARDER_ADMIN_SECRET", SECRET)
        .environment("LARDER_TOKEN", TOKEN)
        .at(address);
    Ok(admin.start().await?)
}

fn render(listen: SocketAddr, origin: SocketAddr, admins: &[Admin; 2]) -> Result<String, Failure> {
    let directory = tools::checkout().join("envoy");
    let read = |name: &str| {
        let path = directory.join(name);
        fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let [one, two] = admins.each_ref().map(Admin::address);
    let values = [
        ("LARDER_ADMIN_PORT", "0".to_owned()),
        ("LARDER_ADDRESS", listen.ip().to_string()),
        ("LARDER_PORT", listen.port().to_string()),
        ("LARDER_WASM", tools::module()?.display().to_string()),
        ("LARDER_CONFIG", read("fleet.json")?),
        ("ORIGIN_ADDRESS", origin.ip().to_string()),
        ("ORIGIN_PORT", origin.port().to_string()),
        ("ADMIN_1_ADDRESS", one.ip().to_string()),
        ("ADMIN_1_PORT", one.port().to_string()),
        ("ADMIN_2_ADDRESS", two.ip().to_string()),
        ("ADMIN_2_PORT", two.port().to_string()),
    ];
    let rendered = template::render(&read("fleet.yaml")?, &values);
    Ok(rendered.map_err(|error| format!("envoy/fleet.yaml: {error}"))?)
}

/// One for each line that is typed; none where nobody can type.
fn entered() -> mpsc::UnboundedReceiver<()> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for _ in io::stdin().lines().map_while(Result::ok) {
            if sender.send(()).is_err() {
                break;
            }
        }
    });
    receiver
}
