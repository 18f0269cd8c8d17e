//! A real Valkey: started on a port that stays its own, killed, paused and started again.
//!
//! Its data survive a restart only where that was asked for: the empty store after a restart is what the plays of a lost log
//! are about. It runs alone, as a cluster, as the replica of another, or as a Sentinel.

mod builder;
mod cluster;
mod error;
mod reply;

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::port::Port;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait;

pub use builder::Builder;
pub use error::ValkeyError;
pub use reply::Reply;

use builder::Role;

const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(15);

/// One Valkey, running or not.
#[derive(Debug)]
pub struct Valkey {
    // First, so that it has ended before its directory goes.
    process: Option<Process>,
    binary: PathBuf,
    port: Port,
    /// Where the nodes of a cluster would talk.
    bus: Port,
    directory: Scratch,
    plan: Builder,
}

impl Valkey {
    /// One that runs alone and forgets, unless said otherwise.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One that runs alone and forgets.
    ///
    /// # Errors
    /// [`ValkeyError`].
    pub async fn start() -> Result<Self, ValkeyError> {
        Self::builder().start().await
    }

    /// Where it listens, or will.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// As `--store` takes it: `redis://127.0.0.1:port`, with the password, or `redis-cluster://…`, `redis-sentinel://…`.
    #[must_use]
    pub fn url(&self) -> String {
        let address = self.address();
        let user = self
            .plan
            .password
            .as_ref()
            .map_or_else(String::new, |password| format!(":{password}@"));
        match &self.plan.role {
            Role::Alone => format!("redis://{user}{address}"),
            Role::Cluster { .. } => format!("redis-cluster://{user}{address}"),
            Role::Sentinel { name, .. } => {
                format!("redis-sentinel://{user}{address}?service={name}")
            }
        }
    }

    fn configuration(&self) -> PathBuf {
        self.directory.path().join("valkey.conf")
    }

    fn lines(&self) -> String {
        let (address, directory) = (self.address(), self.directory.path().display());
        let mut lines = format!("bind {}\nport {}\n", address.ip(), address.port());
        lines.push_str(&format!("dir {directory}\nprotected-mode no\n"));
        match &self.plan.role {
            Role::Sentinel { name, primary } => lines.push_str(&format!(
                "sentinel monitor {name} {} {} 1\nsentinel down-after-milliseconds {name} 500\n\
                 sentinel failover-timeout {name} 5000\n",
                primary.ip(),
                primary.port()
            )),
            role @ (Role::Alone | Role::Cluster { .. }) => {
                let appendonly = if self.plan.persistent { "yes" } else { "no" };
                lines.push_str(&format!("save \"\"\nappendonly {appendonly}\n"));
                // By default it may answer two seconds before it writes, while the disk is busy.
                lines.push_str("appendfsync always\n");
                if matches!(role, Role::Cluster { .. }) {
                    let bus = self.bus.address().port();
                    lines.push_str(&format!("cluster-enabled yes\ncluster-port {bus}\n"));
                    // Otherwise a node learns its address when it meets another.
                    lines.push_str(&format!("cluster-announce-ip {}\n", address.ip()));
                }
            }
        }
        if let Some(password) = &self.plan.password {
            lines.push_str(&format!("requirepass {password}\nprimaryauth {password}\n"));
        }
        for (name, value) in &self.plan.settings {
            lines.push_str(&format!("{name} {value}\n"));
        }
        lines
    }

    /// Starts it where it was, and waits until it answers. It has its data again if it is persistent, none if not.
    ///
    /// # Errors
    /// [`ValkeyError`].
    pub async fn start_again(&mut self) -> Result<(), ValkeyError> {
        self.launch().await?;
        match self.plan.role {
            Role::Cluster { .. } => {
                self.take_slots().await?;
                let healthy =
                    |reply: &Reply| reply.text().is_some_and(|text| text.contains("state:ok"));
                self.until("CLUSTER INFO", healthy).await
            }
            Role::Alone | Role::Sentinel { .. } => Ok(()),
        }
    }

    async fn launch(&mut self) -> Result<(), ValkeyError> {
        self.process = None;
        let mut command = Command::new(&self.binary);
        command.arg(self.configuration());
        if matches!(self.plan.role, Role::Sentinel { .. }) {
            command.arg("--sentinel");
        }
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.log_file())?;
        command.stdout(log.try_clone()?).stderr(log);
        self.process = Some(Process::spawn(&mut command)?);
        let pong = |reply: &Reply| *reply == Reply::Status("PONG".to_owned());
        self.until("PING", pong).await
    }

    /// Waits until it answers a command as `expected`.
    async fn until(
        &mut self,
        command: &str,
        expected: impl Fn(&Reply) -> bool,
    ) -> Result<(), ValkeyError> {
        let words: Vec<&str> = command.split(' ').collect();
        let ready = wait::poll(START, async || {
            if let Some(status) = self.process.as_mut().and_then(Process::ended) {
                let log = self.log();
                return Some(Err(ValkeyError::Ended { status, log }));
            }
            let reply = self.command(&words).await.ok()?;
            expected(&reply).then_some(Ok(()))
        });
        match ready.await {
            Some(outcome) => outcome,
            None => Err(ValkeyError::NotReady { log: self.log() }),
        }
    }

    /// Says a command on a connection of its own, and hears the answer.
    ///
    /// # Errors
    /// When it does not answer. What it refuses is a [`Reply::Error`].
    pub async fn command(&self, words: &[&str]) -> io::Result<Reply> {
        let mut stream = BufReader::new(TcpStream::connect(self.address()).await?);
        if let Some(password) = &self.plan.password {
            stream
                .write_all(&reply::request(&["AUTH", password]))
                .await?;
            reply::read(&mut stream).await?;
        }
        stream.write_all(&reply::request(words)).await?;
        reply::read(&mut stream).await
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end, and waits until it has; tells how it ended, `None` when it had to be killed or was not there.
    pub async fn stop(&mut self) -> Option<ExitStatus> {
        self.process.take()?.stop(STOP).await
    }

    /// Has it stand still: it answers nobody, and its connections stay open.
    ///
    /// # Errors
    /// When it is not running.
    pub async fn pause(&mut self) -> io::Result<()> {
        self.running()?.pause().await
    }

    /// Has it go on.
    ///
    /// # Errors
    /// When it is not running.
    pub async fn resume(&mut self) -> io::Result<()> {
        self.running()?.resume().await
    }

    fn running(&mut self) -> io::Result<&mut Process> {
        let gone = || io::Error::other("Valkey is not running");
        self.process.as_mut().ok_or_else(gone)
    }

    /// Whether it is still there.
    pub fn is_alive(&mut self) -> bool {
        let running = self.process.as_mut();
        running.is_some_and(|process| process.ended().is_none())
    }

    /// What it has written to its log so far, over all starts; for messages to people.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn set(valkey: &Valkey) {
        let reply = valkey.command(&["SET", "a", "ä b"]).await.unwrap();
        assert_eq!(reply, Reply::Status("OK".to_owned()));
    }

    async fn get(valkey: &Valkey) -> Option<String> {
        let reply = valkey.command(&["GET", "a"]).await.unwrap();
        reply.text().map(str::to_owned)
    }

    #[tokio::test]
    async fn it_comes_back_where_it_was_with_nothing() {
        let mut valkey = Valkey::start().await.unwrap();
        set(&valkey).await;
        assert_eq!(get(&valkey).await.as_deref(), Some("ä b"));
        valkey.kill();
        assert!(valkey.command(&["PING"]).await.is_err());
        valkey.start_again().await.unwrap();
        assert_eq!(get(&valkey).await, None);
        assert!(valkey.stop().await.unwrap().success());
    }

    #[tokio::test]
    async fn a_persistent_one_has_its_data_again_after_a_kill() {
        let mut valkey = Valkey::builder().persistent().start().await.unwrap();
        set(&valkey).await;
        valkey.kill();
        valkey.start_again().await.unwrap();
        assert_eq!(get(&valkey).await.as_deref(), Some("ä b"));
    }

    #[tokio::test]
    async fn one_that_stands_still_goes_on() {
        let mut valkey = Valkey::start().await.unwrap();
        set(&valkey).await;
        valkey.pause().await.unwrap();
        assert!(valkey.is_alive());
        valkey.resume().await.unwrap();
        assert_eq!(get(&valkey).await.as_deref(), Some("ä b"));
    }

    #[tokio::test]
    async fn a_cluster_of_one_answers_for_all_slots() {
        let mut valkey = Valkey::builder().cluster().start().await.unwrap();
        set(&valkey).await;
        valkey.kill();
        valkey.start_again().await.unwrap();
        assert_eq!(get(&valkey).await, None);
        assert!(valkey.url().starts_with("redis-cluster://127.0.0.1:"));
    }

    #[tokio::test]
    async fn nodes_of_a_cluster_share_the_slots() {
        let cluster = Valkey::cluster(3).await.unwrap();
        let mut took = 0;
        for node in &cluster {
            let reply = node.command(&["SET", "a", "1"]).await.unwrap();
            took += usize::from(reply == Reply::Status("OK".to_owned()));
        }
        assert_eq!((cluster.len(), took), (3, 1));
    }

    #[tokio::test]
    async fn a_sentinel_knows_its_primary() {
        let primary = Valkey::start().await.unwrap();
        let builder = Valkey::builder().sentinel_of(&primary, "larder");
        let sentinel = builder.start().await.unwrap();
        let command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "larder"];
        let reply = sentinel.command(&command).await.unwrap();
        let port = primary.address().port().to_string();
        let expected = ["127.0.0.1", &port].map(|text| Reply::Text(text.to_owned()));
        assert_eq!(reply, Reply::List(expected.into()));
    }

    #[tokio::test]
    async fn one_with_a_password_wants_it() {
        let valkey = Valkey::builder().password("pw").start().await.unwrap();
        set(&valkey).await;
        assert!(valkey.url().starts_with("redis://:pw@127.0.0.1:"));
    }
}
