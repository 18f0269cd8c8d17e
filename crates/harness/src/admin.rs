//! A real `larder-admin`: started on a port that stays its own, killed, paused and started again.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::client::{self, Answer, ClientError, Request};
use crate::port::Port;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::tools::{self, MissingService};
use crate::wait;

/// The secret between filters and service, unless said otherwise.
pub const SECRET: &str = "between-filter-and-service-and-nobody-else";
/// The token of the management API, unless said otherwise.
pub const TOKEN: &str = "correct-horse-battery-staple";

const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(30);

/// What a replica will be.
#[derive(Clone, Debug)]
pub struct Builder {
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    at: Option<SocketAddr>,
}

impl Builder {
    /// Where it listens, in place of a port of the kernel's choice.
    #[must_use]
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.at = Some(address);
        self
    }

    /// Adds an argument of the command line.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of its environment; the last one of a name counts.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it, and waits until it says that it is ready.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn start(self) -> Result<Admin, AdminError> {
        let mut admin = self.prepare()?;
        admin.start_again().await?;
        Ok(admin)
    }

    /// What it will be, and where; started by [`Admin::start_again`].
    ///
    /// # Errors
    /// When there is no port, no directory, or nothing to start.
    pub fn prepare(self) -> Result<Admin, AdminError> {
        Ok(Admin {
            process: None,
            binary: tools::service()?,
            port: self.at.map_or_else(Port::reserve, Port::at)?,
            plan: self,
            directory: Scratch::new("admin")?,
        })
    }
}

/// One replica of the service, running or not.
#[derive(Debug)]
pub struct Admin {
    // First, so that it has ended before its directory goes.
    process: Option<Process>,
    binary: PathBuf,
    port: Port,
    plan: Builder,
    directory: Scratch,
}

impl Admin {
    /// Over `store`, as `--store` takes it, with [`SECRET`] and [`TOKEN`].
    #[must_use]
    pub fn over(store: &str) -> Builder {
        let builder = Builder {
            arguments: Vec::new(),
            environment: Vec::new(),
            at: None,
        };
        builder
            .argument("--store")
            .argument(store)
            .environment("LARDER_ADMIN_SECRET", SECRET)
            .environment("LARDER_TOKEN", TOKEN)
    }

    /// Where it listens, or will.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Starts it where it was, and waits until it says that it is ready.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn start_again(&mut self) -> Result<(), AdminError> {
        self.launch()?;
        self.until_it_answers("/readyz").await
    }

    /// Starts it where it was, and waits only until it answers at all: its store may be away.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn start_unready(&mut self) -> Result<(), AdminError> {
        self.launch()?;
        self.until_it_answers("/healthz").await
    }

    fn launch(&mut self) -> Result<(), AdminError> {
        self.process = None;
        let mut command = Command::new(&self.binary);
        command
            .arg("--listen")
            .arg(self.address().to_string())
            .args(&self.plan.arguments)
            .envs(self.plan.environment.iter().cloned())
            .stdout(File::create(self.directory.path().join("stdout"))?)
            .stderr(
                OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(self.log_file())?,
            );
        self.process = Some(Process::spawn(&mut command)?);
        Ok(())
    }

    async fn until_it_answers(&mut self, path: &str) -> Result<(), AdminError> {
        let ready = wait::poll(START, async || {
            if let Some(status) = self.process.as_mut().and_then(Process::ended) {
                return Some(Err(AdminError::Ended {
                    status,
                    log: self.log(),
                }));
            }
            let answer = client::get(self.address(), path).await.ok()?;
            (answer.status == 200).then_some(Ok(()))
        });
        match ready.await {
            Some(outcome) => outcome,
            None => Err(AdminError::NotReady { log: self.log() }),
        }
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end, and waits until it has finished what it was at; tells how it ended, `None` when it had to be killed or
    /// was not there.
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
        let gone = || io::Error::other("larder-admin is not running");
        self.process.as_mut().ok_or_else(gone)
    }

    /// Whether it is still there.
    pub fn is_alive(&mut self) -> bool {
        let running = self.process.as_mut();
        running.is_some_and(|process| process.ended().is_none())
    }

    /// Sends a request, as it is.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn send(&self, request: Request) -> Result<Answer, ClientError> {
        client::send(self.address(), request).await
    }

    /// What it has written to its log so far, over all starts; for messages to people.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where its log is, while this lives.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.directory.path().join("stderr")
    }
}

/// A request of the protocol between filters and service.
#[must_use]
pub fn wire(method: &str, path: &str) -> Request {
    Request::new(method, path)
        .header("authorization", format!("Bearer {SECRET}"))
        .header("larder-wire", "1")
}

/// A request of the management API.
#[must_use]
pub fn call(method: &str, path: &str) -> Request {
    Request::new(method, path).header("authorization", format!("Bearer {TOKEN}"))
}

/// The service did not come up.
pub enum AdminError {
    /// It ended by itself.
    Ended {
        /// How.
        status: ExitStatus,
        /// Its whole log.
        log: String,
    },
    /// Files, ports or processes could not be had.
    Io(io::Error),
    /// There is nothing to start.
    Missing(MissingService),
    /// It runs but never became ready.
    NotReady {
        /// Its whole log.
        log: String,
    },
}

impl From<io::Error> for AdminError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<MissingService> for AdminError {
    fn from(error: MissingService) -> Self {
        Self::Missing(error)
    }
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { status, log } => {
                write!(f, "larder-admin ended at start ({status}); its log:\n{log}")
            }
            Self::Io(error) => write!(f, "cannot start larder-admin: {error}"),
            Self::Missing(error) => error.fmt(f),
            Self::NotReady { log } => {
                write!(f, "larder-admin is not ready in time; its log:\n{log}")
            }
        }
    }
}

/// As readable as for users, because tests unwrap it.
impl fmt::Debug for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for AdminError {}
