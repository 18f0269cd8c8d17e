//! A terminal: larderctl on one side of it, and a screen that can be read on the other.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use larder_harness::wait::{self, PATIENCE};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// A terminal, and who runs in it.
pub(crate) struct Terminal {
    keys: File,
    line: OwnedFd,
    screen: Arc<Mutex<vt100::Parser>>,
    child: Child,
}

impl Terminal {
    /// One of so many columns and lines, in which a command runs.
    pub(crate) fn run(command: &mut Command, columns: u16, lines: u16) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let line = ioctl_tiocgptpeer(&master, flags).unwrap();
        resize(&master, columns, lines);
        let end = || Stdio::from(line.try_clone().unwrap());
        let child = command
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(
            whole(lines),
            whole(columns),
            0,
        )));
        let keys = File::from(master);
        let mut shown = keys.try_clone().unwrap();
        let drawn = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // When the last one who has it open is gone, reading fails.
            while let Ok(read) = shown.read(&mut bytes) {
                drawn.lock().unwrap().process(&bytes[..read]);
            }
        });
        Self {
            keys,
            line,
            screen,
            child,
        }
    }

    /// What stands on the screen.
    pub(crate) fn shown(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until the screen is as wanted, and says what stands on it.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let seen = wait::poll(PATIENCE, async || {
            let shown = self.shown();
            wanted(&shown).then_some(shown)
        });
        seen.await
            .unwrap_or_else(|| panic!("{what} is not seen:\n{}", self.shown()))
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Has another size from now on.
    pub(crate) fn resize(&self, columns: u16, lines: u16) {
        self.screen
            .lock()
            .unwrap()
            .screen_mut()
            .set_size(whole(lines), whole(columns));
        resize(&self.keys, columns, lines);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits until the command has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = wait::poll(PATIENCE, async || self.child.try_wait().unwrap());
        ended
            .await
            .unwrap_or_else(|| panic!("it goes on:\n{}", self.shown()))
    }

    /// Whether the terminal is as shells want it: the first screen with its cursor, and keys that are shown.
    pub(crate) fn is_in_order(&self) -> bool {
        let modes = tcgetattr(&self.line).unwrap().local_modes;
        let screen = self.screen.lock().unwrap();
        let screen = screen.screen();
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
            && !screen.alternate_screen()
            && !screen.hide_cursor()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn whole(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

fn resize(terminal: impl std::os::fd::AsFd, columns: u16, lines: u16) {
    let size = Winsize {
        ws_col: columns,
        ws_row: lines,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}
