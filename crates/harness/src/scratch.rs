//! A directory of one's own for the files of a run.
//!
//! It disappears with its handle, except when the test that owns it is failing: then it stays and
//! its path is printed, because Envoy's log is in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A fresh temporary directory, removed on drop unless the thread is panicking.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Creates the directory; `purpose` becomes part of its name.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn new(purpose: &str) -> io::Result<Self> {
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("larder-{purpose}-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                // Left behind by an earlier process with our id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept for you to look at: {}", self.path.display());
        } else {
            // Nothing to be done about it, and nothing depends on it.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
