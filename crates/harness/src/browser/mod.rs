//! A real Chromium without a window, driven as its own developer tools drive it.
//!
//! Commands and events go through two pipes (`--remote-debugging-pipe`), JSON with a zero byte behind each message, so there
//! is no port, and nobody else can listen. A page sees what a person's would: keys are pressed, not functions called.
//!
//! Chromium is not fetched by anybody here. Where there is none, [`is_there`] says that what wanted it was not run.

mod base64;
mod page;
mod pipe;

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::process::Process;
use crate::scratch::Scratch;
pub use page::{Key, Page};
use pipe::Line;

/// The names under which it is installed.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Chromium reads from descriptor 3 and writes to 4. A child gets only the first three from us, so the command's pipe comes
/// as its standard error, and a shell puts each in its place.
const PLACE: &str = r#"log="$1"; shift; exec "$@" 3<&2 4>&1 >"$log" 2>&1"#;

/// What it is told: nothing of its own to do, nothing to ask of the network.
const SETTINGS: [&str; 14] = [
    "--headless=new",
    "--remote-debugging-pipe",
    // Tests run as root in containers, where its sandbox cannot.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--mute-audio",
];

/// Where Chromium is: `CHROMIUM_BIN`, or else one of its names in `PATH`.
///
/// # Panics
/// When the variable names no file: that is no reason to run something else, or nothing.
#[must_use]
pub fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM_BIN").filter(|value| !value.is_empty()) {
        let path = PathBuf::from(named);
        assert!(
            path.is_file(),
            "CHROMIUM_BIN names {}, which is not a file",
            path.display()
        );
        return Some(path);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .flat_map(|directory| NAMES.map(|name| directory.join(name)))
        .find(|path| path.is_file())
}

/// Whether there is one; where there is none, it is said that this play was not run, even where the runner of tests shows
/// nothing of those that pass.
#[must_use]
pub fn is_there() -> bool {
    let is_there = find().is_some();
    if !is_there {
        let play = std::thread::current().name().unwrap_or("a play").to_owned();
        // Not through the macros, whose output is kept back. Where nobody reads it there is nothing to be done.
        let _ = writeln!(
            io::stderr(),
            "NOT RUN: {play}: there is no Chromium (CHROMIUM_BIN, or chromium in PATH)"
        );
    }
    is_there
}

/// A browser; it ends with its handle.
#[derive(Debug)]
pub struct Browser {
    // First, so that it has ended before its directory goes.
    _process: Process,
    line: Line,
    _directory: Scratch,
}

impl Browser {
    /// Starts the one that [`find`] finds.
    ///
    /// # Errors
    /// When there is none, or it does not answer.
    pub async fn start() -> Result<Self, BrowserError> {
        let binary = find().ok_or(BrowserError::Missing)?;
        let directory = Scratch::new("browser")?;
        let mut profile = std::ffi::OsString::from("--user-data-dir=");
        profile.push(directory.path().join("profile"));
        let (commands, to_browser) = io::pipe()?;
        let mut command = Command::new("sh");
        command
            .args(["-c", PLACE, "sh"])
            .arg(directory.path().join("log"))
            .arg(binary)
            .args(SETTINGS)
            .arg(profile)
            .arg("about:blank")
            .stdout(std::process::Stdio::piped())
            .stderr(commands);
        let mut process = Process::spawn(&mut command)?;
        // Ours of its end of the pipe, or we would never see it close.
        drop(command);
        let from_browser = process.take_stdout().ok_or(BrowserError::Gone)?;
        let line = Line::new(to_browser, from_browser);
        let browser = Self {
            _process: process,
            line,
            _directory: directory,
        };
        browser
            .line
            .send(None, "Browser.getVersion", json!({}))
            .await?;
        Ok(browser)
    }

    /// Opens a page in a window of its own, which knows nothing of what others keep.
    ///
    /// # Errors
    /// When the browser does not do it.
    pub async fn open(&self, url: &str) -> Result<Page, BrowserError> {
        let send = |method, parameters| self.line.send(None, method, parameters);
        let context = send("Target.createBrowserContext", json!({})).await?;
        let target = send(
            "Target.createTarget",
            json!({ "url": "about:blank", "browserContextId": context["browserContextId"] }),
        )
        .await?;
        let attached = send(
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        )
        .await?;
        let session = attached["sessionId"].as_str().ok_or(BrowserError::Gone)?;
        let page = Page::new(self.line.clone(), session.to_owned());
        for domain in ["Log", "Network", "Page", "Runtime"] {
            page.send(&format!("{domain}.enable"), json!({})).await?;
        }
        page.go_to(url).await?;
        Ok(page)
    }
}

/// The browser did not do its part.
pub enum BrowserError {
    /// It has ended, or says what cannot be understood.
    Gone,
    /// A process or a file could not be had.
    Io(io::Error),
    /// There is none.
    Missing,
    /// It refuses a command.
    Refused {
        /// Which.
        method: String,
        /// What it says.
        error: Value,
    },
    /// It has not answered.
    Unanswered {
        /// What.
        method: String,
    },
}

impl From<io::Error> for BrowserError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for BrowserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the browser has ended"),
            Self::Io(error) => write!(f, "cannot start a browser: {error}"),
            Self::Missing => {
                f.write_str("there is no Chromium: install one, or set CHROMIUM_BIN to its path")
            }
            Self::Refused { method, error } => write!(f, "the browser refuses {method}: {error}"),
            Self::Unanswered { method } => write!(f, "the browser does not answer {method}"),
        }
    }
}

/// As readable as for users, because tests unwrap it.
impl fmt::Debug for BrowserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for BrowserError {}
