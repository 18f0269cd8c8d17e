//! How the service runs: flags win over the environment, the environment over a JSON file, the file over defaults.
//!
//! ```json
//! {"listen": "0.0.0.0:8090", "store": "redis://valkey:6379", "fleet": "shop", "secret_file": "/run/secrets/larder",
//!  "token_file": "/run/secrets/larder-token", "max_entry_bytes": 8388608, "max_waiting": 10000, "drain_seconds": 15}
//! ```
//!
//! The file is read as the filter's configuration is read: a field that is not known is a problem with its path, and all
//! problems are said at once. Secrets come from the environment or from files of their own, never from a flag, which anybody
//! on the machine can read; and nothing shows them.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use larder_core::config::reading::{self, Cursor, Fields, Given};
use tracing_subscriber::EnvFilter;

use crate::secret::Secret;
use crate::store::Store;

/// Where the secret of the fleet stands.
pub const SECRET_VARIABLE: &str = "LARDER_ADMIN_SECRET";
/// Where the token of the management API stands.
pub const TOKEN_VARIABLE: &str = "LARDER_TOKEN";

/// A secret that is shorter is none.
const SHORTEST: usize = 16;
/// One that is shorter may be guessed some day.
const LONG: usize = 32;

const DAY: u64 = 86_400;
const GIB: u64 = 1 << 30;

/// How the service runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Which store; may hold a password.
    pub store: StoreUrl,
    /// The name of the fleet, by which several share one store.
    pub fleet: String,
    /// What instances show; without one, everybody is let in.
    pub secret: Option<Secret>,
    /// Whether that is shorter than it should be.
    pub is_secret_short: bool,
    /// What people show; without one there is no management API.
    pub token: Option<Secret>,
    /// The same, as the reader of the management API wants it.
    pub token_text: Hidden,
    /// The longest entry, in bytes.
    pub max_entry_bytes: usize,
    /// So many requests may wait for something at a time.
    pub max_waiting: usize,
    /// So many requests may be answered at a time, beside those that wait.
    pub max_requests: usize,
    /// So many connections may be open.
    pub max_connections: usize,
    /// A head and a body each have so long to come.
    pub client_timeout: Duration,
    /// What is under way at a drain has so long to end.
    pub drain: Duration,
    /// What is logged, as `tracing` takes it.
    pub log: String,
}

/// The address of a store, shown without what stands in front of its `@`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(pub String);

/// A text that is not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(pub Option<String>);

/// What was asked for on the command line.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// The service.
    Run(Box<Settings>),
    /// A look at the settings, which are good.
    Check(Box<Settings>),
}

/// Why there is no service.
#[derive(Debug)]
pub enum SettingsError {
    /// The command line says so itself: help, or what is wrong with it.
    Usage(clap::Error),
    /// These settings are wrong, one a line.
    Problems(Vec<String>),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => error.fmt(out),
            Self::Problems(problems) => out.write_str(&problems.join("\n")),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.split_once("://"), self.0.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) => write!(out, "{scheme}://***@{place}"),
            (Some(_) | None, None) | (None, Some(_)) => out.write_str(&self.0),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.0 {
            Some(_) => "(set)",
            None => "(none)",
        })
    }
}

/// The service of a fleet of Larders: invalidations, shared entries, management and a page.
#[derive(Debug, Parser)]
#[command(name = "larder-admin", version)]
struct Flags {
    /// A JSON file with settings of the names below, with `_` for `-`
    #[arg(long, env = "LARDER_ADMIN_CONFIG")]
    config: Option<PathBuf>,
    /// Reads the settings, says what is wrong with them, and ends
    #[arg(long)]
    check: bool,
    /// Where to listen [default: 127.0.0.1:8090]
    #[arg(long, env = "LARDER_ADMIN_LISTEN")]
    listen: Option<SocketAddr>,
    /// redis://host:port, redis-sentinel://…, redis-cluster://…, or memory for one replica [default: memory]
    #[arg(long, env = "LARDER_ADMIN_STORE", hide_env_values = true)]
    store: Option<String>,
    /// The name of the fleet; several may share one store [default: default]
    #[arg(long, env = "LARDER_ADMIN_FLEET")]
    fleet: Option<String>,
    /// A file with the secret of the fleet, in place of LARDER_ADMIN_SECRET
    #[arg(long, env = "LARDER_ADMIN_SECRET_FILE")]
    secret_file: Option<PathBuf>,
    /// A file with the token of the management API, in place of LARDER_TOKEN
    #[arg(long, env = "LARDER_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Lets everybody in where there is no secret
    #[arg(long)]
    insecure: bool,
    /// The longest entry that is taken [default: 8388608]
    #[arg(long, env = "LARDER_ADMIN_MAX_ENTRY_BYTES", value_parser = clap::value_parser!(u64).range(MAX_ENTRY.0..=MAX_ENTRY.1))]
    max_entry_bytes: Option<u64>,
    /// Requests that may wait for something at a time [default: 10000]
    #[arg(long, env = "LARDER_ADMIN_MAX_WAITING", value_parser = clap::value_parser!(u64).range(MANY.0..=MANY.1))]
    max_waiting: Option<u64>,
    /// Requests that may be answered at a time [default: 1024]
    #[arg(long, env = "LARDER_ADMIN_MAX_REQUESTS", value_parser = clap::value_parser!(u64).range(MANY.0..=MANY.1))]
    max_requests: Option<u64>,
    /// Connections that may be open [default: 20000]
    #[arg(long, env = "LARDER_ADMIN_MAX_CONNECTIONS", value_parser = clap::value_parser!(u64).range(MANY.0..=MANY.1))]
    max_connections: Option<u64>,
    /// How long a head or a body may take to come [default: 10]
    #[arg(long, env = "LARDER_ADMIN_CLIENT_TIMEOUT_SECONDS", value_parser = clap::value_parser!(u64).range(SPAN.0..=SPAN.1))]
    client_timeout_seconds: Option<u64>,
    /// How long what is under way may take to end [default: 15]
    #[arg(long, env = "LARDER_ADMIN_DRAIN_SECONDS", value_parser = clap::value_parser!(u64).range(SPAN.0..=SPAN.1))]
    drain_seconds: Option<u64>,
    /// What is logged: error, warn, info, debug, or more exactly as `tracing` takes it [default: info]
    #[arg(long, env = "LARDER_ADMIN_LOG")]
    log: Option<String>,
}

const MAX_ENTRY: (u64, u64) = (1024, GIB);
const MANY: (u64, u64) = (1, 1_000_000);
const SPAN: (u64, u64) = (1, DAY);

/// What a file says.
#[derive(Debug, Default)]
struct File {
    listen: Option<SocketAddr>,
    store: Option<String>,
    fleet: Option<String>,
    secret_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    insecure: Option<bool>,
    max_entry_bytes: Option<u64>,
    max_waiting: Option<u64>,
    max_requests: Option<u64>,
    max_connections: Option<u64>,
    client_timeout_seconds: Option<u64>,
    drain_seconds: Option<u64>,
    log: Option<String>,
}

impl File {
    fn read(fields: &mut Fields<'_>) -> Self {
        let mut text = |name| fields.optional(name, |cursor| cursor.text(1..=4096));
        let (store, fleet, log) = (text("store"), text("fleet"), text("log"));
        let (secret_file, token_file) = (text("secret_file"), text("token_file"));
        let mut number = |name, (least, most): (u64, u64)| {
            fields
                .optional(name, |cursor: Cursor<'_>| cursor.number(least..=most))
                .value()
        };
        Self {
            max_entry_bytes: number("max_entry_bytes", MAX_ENTRY),
            max_waiting: number("max_waiting", MANY),
            max_requests: number("max_requests", MANY),
            max_connections: number("max_connections", MANY),
            client_timeout_seconds: number("client_timeout_seconds", SPAN),
            drain_seconds: number("drain_seconds", SPAN),
            listen: fields.optional("listen", address).value(),
            store: store.map(str::to_owned).value(),
            fleet: fleet.map(str::to_owned).value(),
            secret_file: secret_file.map(PathBuf::from).value(),
            token_file: token_file.map(PathBuf::from).value(),
            insecure: fields.optional("insecure", Cursor::flag).value(),
            log: log.map(str::to_owned).value(),
        }
    }
}

fn address(cursor: Cursor<'_>) -> Given<SocketAddr> {
    match cursor.value.as_str().map(str::parse) {
        Some(Ok(address)) => Given::Value(address),
        Some(Err(_)) | None => cursor.refuse("must be an address with a port, as `127.0.0.1:8090`"),
    }
}

/// What the process has around it.
pub trait Surroundings {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;

    /// The text of a file.
    ///
    /// # Errors
    /// Why there is none, for people.
    fn file(&self, path: &std::path::Path) -> Result<String, String>;
}

/// The real ones.
#[derive(Clone, Copy, Debug)]
pub struct Process;

impl Surroundings for Process {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &std::path::Path) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }
}

impl Settings {
    /// Reads the command line and what it names.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn read(
        arguments: impl IntoIterator<Item = OsString>,
        around: &dyn Surroundings,
    ) -> Result<Wanted, SettingsError> {
        let flags = Flags::try_parse_from(arguments).map_err(SettingsError::Usage)?;
        let file = match &flags.config {
            None => File::default(),
            Some(path) => read_file(path, around)?,
        };
        let check = flags.check;
        let settings = Box::new(together(flags, file, around)?);
        Ok(match check {
            true => Wanted::Check(settings),
            false => Wanted::Run(settings),
        })
    }
}

fn read_file(path: &std::path::Path, around: &dyn Surroundings) -> Result<File, SettingsError> {
    let shown = path.display();
    let text = around.file(path);
    let text = text.map_err(|problem| wrong(format!("{shown}: {problem}")))?;
    let read = reading::read(text.as_bytes(), |cursor| cursor.object(File::read));
    read.map_err(|errors| {
        let lines = errors.iter().map(|error| format!("{shown}: {error}"));
        SettingsError::Problems(lines.collect())
    })
}

fn wrong(problem: String) -> SettingsError {
    SettingsError::Problems(vec![problem])
}

fn together(
    flags: Flags,
    file: File,
    around: &dyn Surroundings,
) -> Result<Settings, SettingsError> {
    let secret = hidden(
        flags.secret_file.or(file.secret_file),
        SECRET_VARIABLE,
        around,
    )?;
    let token = hidden(flags.token_file.or(file.token_file), TOKEN_VARIABLE, around)?;
    let length = secret.as_deref().map_or(LONG, str::len);
    if length < SHORTEST {
        return Err(wrong(format!(
            "the secret of the fleet has {length} bytes, and whoever guesses it owns the cache: take at least {SHORTEST}, better {LONG} \
             that nobody has made up (openssl rand -hex 32)"
        )));
    }
    let secret = secret.as_deref().and_then(Secret::of);
    let is_insecure = flags.insecure || file.insecure.unwrap_or(false);
    if secret.is_none() && !is_insecure {
        return Err(wrong(format!(
            "there is no secret of the fleet: set {SECRET_VARIABLE} or --secret-file, the same for all Envoys and replicas \
             (or --insecure, which lets everybody purge and read what is stored)"
        )));
    }
    let fleet = flags.fleet.or(file.fleet).unwrap_or("default".to_owned());
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if fleet.is_empty() || fleet.len() > 64 || !fleet.bytes().all(is_name) {
        return Err(wrong(
            "fleet: must be 1 to 64 letters, digits and `-_.`".to_owned(),
        ));
    }
    let store = flags.store.or(file.store).unwrap_or("memory".to_owned());
    Store::check(&store, &fleet).map_err(|error| wrong(format!("store: {error}")))?;
    let log = flags.log.or(file.log).unwrap_or("info".to_owned());
    if let Err(error) = EnvFilter::try_new(&log) {
        return Err(wrong(format!("log: {error}")));
    }
    let size = |number: Option<u64>, default: usize| {
        number.map_or(default, |number| usize::try_from(number).unwrap_or(default))
    };
    let span = |number: Option<u64>, default| Duration::from_secs(number.unwrap_or(default));
    Ok(Settings {
        is_secret_short: length < LONG,
        listen: flags
            .listen
            .or(file.listen)
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8090))),
        store: StoreUrl(store),
        fleet,
        secret,
        token: token.as_deref().and_then(Secret::of),
        token_text: Hidden(token),
        max_entry_bytes: size(flags.max_entry_bytes.or(file.max_entry_bytes), 8 << 20),
        max_waiting: size(flags.max_waiting.or(file.max_waiting), 10_000),
        max_requests: size(flags.max_requests.or(file.max_requests), 1024),
        max_connections: size(flags.max_connections.or(file.max_connections), 20_000),
        client_timeout: span(
            flags.client_timeout_seconds.or(file.client_timeout_seconds),
            10,
        ),
        drain: span(flags.drain_seconds.or(file.drain_seconds), 15),
        log,
    })
}

/// A secret from its file, or else from the environment.
fn hidden(
    file: Option<PathBuf>,
    variable: &str,
    around: &dyn Surroundings,
) -> Result<Option<String>, SettingsError> {
    let text = match file {
        None => around.variable(variable).unwrap_or_default(),
        Some(path) => around
            .file(&path)
            .map_err(|problem| wrong(format!("{}: {problem}", path.display())))?,
    };
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests;
