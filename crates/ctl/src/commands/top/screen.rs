//! A terminal as a screen: drawn over, never cleared, and left as it was found.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::output::{Printer, Style};

/// The other screen, without a cursor.
const BEGIN: &str = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J";
/// The first one again, with its cursor.
const END: &str = "\x1b[?25h\x1b[?1049l";

/// A terminal as a screen.
pub(super) struct Screen {
    /// How its keys were, where there are any.
    before: Option<Termios>,
    /// Somebody wants it to end.
    ended: Arc<AtomicBool>,
    size: (usize, usize),
}

/// What was seen of whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing.
    Nothing,
    /// The terminal has another size.
    Resized,
    /// They have seen enough.
    Enough,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn begin() -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&ended))?;
        }
        let before = match io::stdin().is_terminal() {
            true => Some(keys_at_once()?),
            false => None,
        };
        let screen = Self {
            before,
            ended,
            size: size(),
        };
        say(BEGIN)?;
        Ok(screen)
    }

    /// Draws over what is there, so much of it as there is room for.
    pub(super) fn draw(
        &mut self,
        lines: &[(String, Option<Style>)],
        out: &Printer,
    ) -> io::Result<()> {
        self.size = size();
        let (width, height) = self.size;
        // What comes between these two is shown at once, by terminals that know them.
        let mut text = "\x1b[?2026h\x1b[H".to_owned();
        for (number, (line, style)) in lines.iter().take(height).enumerate() {
            if number > 0 {
                text.push_str("\r\n");
            }
            let line: String = line.chars().take(width).collect();
            match style {
                Some(style) => text.push_str(&out.styled(*style, &line)),
                None => text.push_str(&line),
            }
            text.push_str("\x1b[K");
        }
        text.push_str("\x1b[J\x1b[?2026l");
        say(&text)
    }

    /// Waits a little for a key.
    pub(super) fn look(&self, patience: Duration) -> io::Result<Seen> {
        let is_enough = match self.before {
            Some(_) => key(patience)?,
            None => {
                std::thread::sleep(patience);
                false
            }
        };
        Ok(match is_enough || self.ended.load(Ordering::Relaxed) {
            true => Seen::Enough,
            false if size() != self.size => Seen::Resized,
            false => Seen::Nothing,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where the terminal has gone, there is nothing to be put in order.
        let _ = say(END);
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}

/// Keys come at once and are not shown; those that make signals still do.
fn keys_at_once() -> io::Result<Termios> {
    let before = tcgetattr(stdin())?;
    let mut now = before.clone();
    now.local_modes
        .remove(LocalModes::ICANON | LocalModes::ECHO);
    now.special_codes[SpecialCodeIndex::VMIN] = 0;
    now.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(stdin(), OptionalActions::Now, &now)?;
    Ok(before)
}

/// Whether a key said that it is enough, or there are no keys any more.
fn key(patience: Duration) -> io::Result<bool> {
    let stdin = stdin();
    let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
    let patience = Timespec::try_from(patience).map_err(|_| io::ErrorKind::InvalidInput)?;
    match poll(&mut waiting, Some(&patience)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(false),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut keys = [0; 64];
    match rustix::io::read(stdin, &mut keys) {
        Ok(0) | Err(rustix::io::Errno::IO) => Ok(true),
        Ok(read) => Ok(keys
            .iter()
            .take(read)
            .any(|key| b"qQ\x03\x04".contains(key))),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Columns and lines; what nobody says is what terminals have always had.
fn size() -> (usize, usize) {
    let size = tcgetwinsize(stdout()).ok();
    let size = size.map(|size| (usize::from(size.ws_col), usize::from(size.ws_row)));
    size.filter(|(width, height)| *width > 0 && *height > 0)
        .unwrap_or((80, 24))
}

fn say(text: &str) -> io::Result<()> {
    // The printer holds the lock of standard output, and this thread may take it again.
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
