//! A child process that cannot outlive us.
//!
//! Beside each child runs a guard, a shell that waits on a pipe from us. It passes on the signals
//! we write to it, and when the pipe closes, because we dropped it or because this process died in
//! any way at all, it kills the child. That needs no unsafe code, and unlike `PR_SET_PDEATHSIG` it
//! does not fire when merely the *thread* that started the child ends, as test threads do.
//!
//! Both run in process groups of their own, so that a Ctrl-C in a terminal reaches us alone and
//! the child is stopped in order.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::wait;

const GUARD: &str = r#"while read -r signal; do kill -s "$signal" "$0"; done; kill -s KILL "$0""#;

/// A running child and its guard; killed on drop.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    guard: Child,
    line: Option<ChildStdin>,
}

impl Process {
    /// Starts `command` with an empty standard input.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::null()).process_group(0).spawn()?;
        let guard = Command::new("sh")
            .args(["-c", GUARD])
            .arg(child.id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match guard {
            Ok(mut guard) => Ok(Self {
                child,
                line: guard.stdin.take(),
                guard,
            }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

    /// The child's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's standard output, when the command piped it; once.
    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// How the child ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().ok().flatten();
        if status.is_some() {
            // Its id may be given to another process from now on, which is none of the guard's business.
            let _ = self.guard.kill();
        }
        status
    }

    /// Asks the child to end, and kills it when it has not within `patience`.
    pub(crate) async fn stop(mut self, patience: Duration) -> Option<ExitStatus> {
        self.signal("TERM");
        wait::poll(patience, async || self.ended()).await
    }

    /// Stands still from now on: it answers nobody, and its connections stay open.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) async fn pause(&mut self) -> io::Result<()> {
        self.signal("STOP");
        self.until(|state| state == 'T').await
    }

    /// Goes on where it stood still.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) async fn resume(&mut self) -> io::Result<()> {
        self.signal("CONT");
        self.until(|state| state != 'T').await
    }

    fn signal(&mut self, name: &str) {
        if let Some(line) = &mut self.line {
            // A guard that is gone cannot pass anything on; the kill in drop still works.
            let _ = line.write_all(format!("{name}\n").as_bytes());
        }
    }

    /// Waits for a state of the child as the kernel names it: a signal takes a moment to arrive.
    async fn until(&self, wanted: impl Fn(char) -> bool) -> io::Result<()> {
        let path = format!("/proc/{}/stat", self.id());
        let seen = wait::poll(wait::PATIENCE, async || match state(&path) {
            Ok(state) => wanted(state).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        });
        seen.await
            .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// What stands behind the name, which is in parentheses and may hold anything.
fn state(path: &str) -> io::Result<char> {
    let stat = fs::read_to_string(path)?;
    let behind = stat.rsplit_once(") ").map(|(_, behind)| behind);
    behind
        .and_then(|behind| behind.chars().next())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guard goes first, while the child's id cannot have been given to anybody else.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn it_stands_still_and_goes_on() {
        let mut sleeper = Process::spawn(Command::new("sleep").arg("60")).unwrap();
        let path = format!("/proc/{}/stat", sleeper.id());
        sleeper.pause().await.unwrap();
        assert_eq!(state(&path).unwrap(), 'T');
        sleeper.resume().await.unwrap();
        assert_ne!(state(&path).unwrap(), 'T');
        assert!(sleeper.ended().is_none());
        assert!(sleeper.stop(wait::PATIENCE).await.is_some());
    }
}
