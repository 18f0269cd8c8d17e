//! The connections to the servers, and what becomes of them.
//!
//! Three: one for what is small and waited for (the log first of all), one for entries, which may be large, and one that only
//! listens. Each reconnects by itself, for ever. While one is away its calls fail at once, and nothing is sent twice behind
//! the caller's back: who asked knows best what to do about that.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fred::clients::{Client, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface};
use fred::types::config::{
    Config, Options, ReconnectPolicy, Server, ServerConfig, TlsConfig, TlsConnector,
    UnresponsiveConfig,
};
use fred::types::{Builder, ClientState, ClusterHash, CustomCommand, Value};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::address::{Servers, Topology};
use super::ears::Ears;
use super::script::Script;
use crate::store::bell::Bell;
use crate::store::{PATIENCE, StoreError};

/// How long one command may take: less than a second, also when the connection is only just found to be gone.
const COMMAND: Duration = Duration::from_millis(900);
/// How long one may take that sends a whole entry.
const BULK: Duration = Duration::from_millis(1800);
/// How long a connection may be silent while something is asked over it.
const SILENCE: Duration = Duration::from_secs(2);
/// How long it takes to connect at most, name and TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// Milliseconds between two attempts to connect: first, and at most.
const BACKOFF: (u32, u32) = (50, 1000);
/// How often somebody looks whether all is well.
pub(super) const ROUND: Duration = Duration::from_secs(1);

/// The connections; they end with it.
#[derive(Debug)]
pub(super) struct Link {
    control: Client,
    data: Client,
    listening: watch::Receiver<bool>,
    trouble: Arc<Trouble>,
    tasks: Vec<AbortHandle>,
}

/// Why there is no connection, as far as is known.
#[derive(Debug, Default)]
struct Trouble(Mutex<Option<String>>);

impl Trouble {
    fn note(&self, error: &Error, server: Option<&Server>) {
        let place = server.map_or_else(String::new, |server| format!("{server}: "));
        let said = format!("{place}{}", plain(error.details()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }

    fn said(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Which connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lane {
    /// For what is small and waited for.
    Control,
    /// For what may be behind an entry.
    Data,
    /// The same, with an entry to send.
    Bulk,
}

impl Link {
    /// Begins to connect; whether that works is seen later.
    ///
    /// # Errors
    /// When there can be no connection as this machine is set up.
    pub(super) fn open(servers: &Servers, channel: String, bell: Bell) -> Result<Self, StoreError> {
        let refused = |error: Error| StoreError::Refused(error.details().to_owned());
        let builder = builder(servers).map_err(refused)?;
        let control = builder.build().map_err(refused)?;
        let data = builder.build().map_err(refused)?;
        let ears = builder.build_subscriber_client().map_err(refused)?;
        let ears = Ears::new(ears, channel, bell.clone());
        let listening = ears.listening();
        let trouble = Arc::new(Trouble::default());
        let tasks = vec![
            spawn(drive(control.clone())),
            spawn(drive(data.clone())),
            spawn(drive(ears.client())),
            spawn(look_after(
                control.clone(),
                Arc::clone(&trouble),
                bell.clone(),
            )),
            spawn(look_after(data.clone(), Arc::clone(&trouble), bell)),
            spawn(ears.listen(control.clone())),
        ];
        Ok(Self {
            control,
            data,
            listening,
            trouble,
            tasks,
        })
    }

    pub(super) fn client(&self, lane: Lane) -> WithOptions<Client> {
        self.plain(lane).with_options(&options(lane))
    }

    pub(super) fn plain(&self, lane: Lane) -> &Client {
        match lane {
            Lane::Control => &self.control,
            Lane::Data | Lane::Bulk => &self.data,
        }
    }

    /// Waits until there is a connection, and not longer than a call may take.
    pub(super) async fn settle(&self) {
        let mut listening = self.listening.clone();
        let settled = async {
            let _ = tokio::join!(
                self.control.wait_for_connect(),
                self.data.wait_for_connect(),
                listening.wait_for(|listening| *listening)
            );
        };
        // What does not come up in time comes up later; calls fail until then.
        let _ = timeout(PATIENCE, settled).await;
    }

    /// Has a script run, with `keys` and `arguments`.
    pub(super) async fn run(
        &self,
        lane: Lane,
        script: &Script,
        keys: Vec<String>,
        arguments: Vec<Value>,
    ) -> Result<Value, StoreError> {
        self.answer(self.try_run(lane, script, keys, arguments))
            .await
    }

    async fn try_run(
        &self,
        lane: Lane,
        script: &Script,
        keys: Vec<String>,
        arguments: Vec<Value>,
    ) -> Result<Value, Error> {
        let client = self.client(lane);
        let hash = match script.hash.get() {
            Some(hash) => hash.clone(),
            None => {
                let load = vec![Value::from("LOAD"), Value::from(script.text)];
                let hash: String = client
                    .custom(command("SCRIPT", ClusterHash::Random), load)
                    .await?;
                script.hash.get_or_init(|| hash).clone()
            }
        };
        // Its slot by name: of another kind of hash the client takes no notice in a custom command.
        let slot = keys
            .first()
            .map_or(ClusterHash::Random, |key| ClusterHash::from(key.as_str()));
        let mut words = vec![Value::from(hash), Value::from(keys.len().to_string())];
        words.extend(keys.into_iter().map(Value::from));
        words.extend(arguments);
        let outcome = client
            .custom(command("EVALSHA", slot.clone()), words.clone())
            .await;
        match outcome {
            // It was started anew, or is another one.
            Err(error) if error.details().starts_with("NOSCRIPT") => {
                if let Some(first) = words.first_mut() {
                    *first = Value::from(script.text);
                }
                client.custom(command("EVAL", slot), words).await
            }
            outcome => outcome,
        }
    }

    /// What the servers answer, in time and in our words.
    pub(super) async fn answer<T>(
        &self,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        match timeout(PATIENCE, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.explain(&error)),
            Err(_) => Err(StoreError::Unreachable("no answer in time".to_owned())),
        }
    }

    fn explain(&self, error: &Error) -> StoreError {
        let details = error.details();
        if is_servers(details) {
            self.look_for_another(details);
            return StoreError::Refused(details.to_owned());
        }
        if *error.kind() == ErrorKind::Timeout {
            return StoreError::Unreachable("no answer in time".to_owned());
        }
        // The client only says that there is no connection.
        let said = self.trouble.said();
        StoreError::Unreachable(said.unwrap_or_else(|| plain(details)))
    }
}

impl Link {
    /// A server that has become a replica keeps its connections; behind the same name may be another one by now.
    fn look_for_another(&self, details: &str) {
        if !details.starts_with("READONLY") {
            return;
        }
        for client in [&self.control, &self.data] {
            if client.is_connected() {
                let client = client.clone();
                tokio::spawn(async move { client.force_reconnection().await });
            }
        }
    }
}

/// Whether a server has said that, and not the client: its errors begin with a word in capitals.
fn is_servers(details: &str) -> bool {
    let word = details.split(' ').next().unwrap_or_default();
    word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

impl Drop for Link {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The client shows what the operating system says as Rust's debugger would: `Os { code: 111, …, message: "…" }`.
fn plain(details: &str) -> String {
    let quoted = ["message: \"", "error: \""].into_iter().find_map(|mark| {
        let (_, behind) = details.split_once(mark)?;
        behind.split_once('"').map(|(message, _)| message)
    });
    quoted.unwrap_or(details).to_owned()
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    tokio::spawn(task).abort_handle()
}

/// The client's own calls for scripts do without the options of a call (`WithOptions` has no `LuaInterface`, and passes on
/// to the client that has none): no time-out, and patience where there is no connection.
fn command(name: &'static str, hash: ClusterHash) -> CustomCommand {
    CustomCommand::new_static(name, hash, false)
}

pub(super) fn options(lane: Lane) -> Options {
    let patience = match lane {
        Lane::Control | Lane::Data => COMMAND,
        Lane::Bulk => BULK,
    };
    Options {
        // Not for what was lost with a connection (`fail_fast`), but for who has moved within a Cluster.
        max_attempts: Some(3),
        timeout: Some(patience),
        fail_fast: true,
        ..Options::default()
    }
}

fn builder(servers: &Servers) -> Result<Builder, Error> {
    let tls = if servers.tls {
        Some(TlsConfig::from(TlsConnector::default_rustls()?))
    } else {
        None
    };
    let mut builder = Builder::from_config(Config {
        fail_fast: false,
        username: servers.user.clone(),
        password: servers.password.clone(),
        server: server(servers),
        database: servers.database,
        tls,
        ..Config::default()
    });
    let (first, most) = BACKOFF;
    builder
        .set_policy(ReconnectPolicy::new_exponential(0, first, most, 2))
        .with_connection_config(|connection| {
            connection.connection_timeout = CONNECT;
            connection.internal_command_timeout = CONNECT;
            connection.max_command_attempts = 1;
            connection.tcp.nodelay = Some(true);
            connection.unresponsive = UnresponsiveConfig {
                max_timeout: Some(SILENCE),
                interval: Duration::from_millis(500),
            };
        })
        .with_performance_config(|performance| performance.broadcast_channel_capacity = 4096);
    Ok(builder)
}

fn server(servers: &Servers) -> ServerConfig {
    let hosts = servers.hosts.clone();
    match &servers.topology {
        Topology::Alone => match hosts.into_iter().next() {
            Some((host, port)) => ServerConfig::new_centralized(host, port),
            None => ServerConfig::default_centralized(),
        },
        Topology::Cluster => ServerConfig::new_clustered(hosts),
        Topology::Sentinel {
            service,
            user,
            password,
        } => ServerConfig::Sentinel {
            hosts: hosts.into_iter().map(Server::from).collect(),
            service_name: service.clone(),
            username: user.clone(),
            password: password.clone(),
        },
    }
}

/// Keeps a client connected. It gives up only where it takes its own settings for wrong, which a server that is being set up
/// can look like.
async fn drive(client: impl ClientLike) {
    loop {
        let _ = client.connect().await;
        sleep(ROUND).await;
    }
}

/// Notes what is wrong, and rings when a connection goes or comes.
async fn look_after(client: Client, trouble: Arc<Trouble>, bell: Bell) {
    let (mut errors, mut connected) = (client.error_rx(), client.reconnect_rx());
    let mut round = interval(ROUND);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = client.state();
    loop {
        tokio::select! {
            error = errors.recv() => if let Ok((error, server)) = error {
                trouble.note(&error, server.as_ref());
            },
            _ = connected.recv() => {
                let _ = timeout(ROUND, client.wait_for_connect()).await;
            }
            _ = round.tick() => {}
        }
        let state = client.state();
        if (state == ClientState::Connected) != (before == ClientState::Connected) {
            bell.ring_all();
        }
        before = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_said_plainly() {
        let os = r#"Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }"#;
        assert_eq!(plain(os), "Connection refused");
        let custom = r#"Custom { kind: Uncategorized, error: "no such name" }"#;
        assert_eq!(plain(custom), "no such name");
        let said = "NOAUTH Authentication required.";
        assert_eq!(plain(said), said);
    }

    #[test]
    fn servers_speak_in_capitals() {
        for said in ["NOAUTH Authentication required.", "ERR x", "OOM"] {
            assert!(is_servers(said), "{said}");
        }
        for said in ["", "Failed to route command.", "IO Error", "Os { }"] {
            assert!(!is_servers(said), "{said}");
        }
    }
}
