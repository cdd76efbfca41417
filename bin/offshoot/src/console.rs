//! What the user sees: data on standard output, everything else on standard error.
//!
//! A closed or full output is an error, never a panic. Texts from functions and from the daemon are
//! shown with their control characters escaped, so that they cannot steer a terminal.

mod progress;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde::Serialize;

pub use progress::Step;

/// Standard output did not take what was written.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
pub struct OutputError(#[from] io::Error);

impl OutputError {
    /// Whether the reader went away, as `| head` does: no fault of ours.
    pub fn reader_is_gone(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// How to talk.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    json: bool,
    quiet: bool,
    colour: bool,
    terminal: bool,
    progress: bool,
}

impl Console {
    /// A console for the process's own streams.
    pub fn new(json: bool, quiet: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let (terminal, progress) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            json,
            quiet,
            colour: !no_colour && !dumb,
            terminal,
            progress,
        }
    }

    /// Whether data is to be JSON: it was asked for, or no person is watching.
    pub fn wants_json(&self) -> bool {
        self.json || !self.terminal
    }

    /// Whether `--json` was given.
    pub fn json_was_asked_for(&self) -> bool {
        self.json
    }

    /// Whether standard output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether standard output is a pipe or socket that nobody reads any more (`POLLERR` of poll(2)).
    pub fn reader_is_gone(&self) -> bool {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let stdout = io::stdout();
        let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
        matches!(rustix::event::poll(&mut polled, Some(&now)), Ok(1..))
            && polled[0]
                .revents()
                .intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// Writes bytes as they are.
    pub fn data(&self, bytes: &[u8]) -> Result<(), OutputError> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        Ok(stdout.flush()?)
    }

    /// Writes a line.
    pub fn line(&self, text: &str) -> Result<(), OutputError> {
        self.data(format!("{text}\n").as_bytes())
    }

    /// Writes a value as JSON: on one line for a program, indented for a person.
    pub fn json(&self, value: &impl Serialize) -> Result<(), OutputError> {
        let text = if self.terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        self.line(&text.map_err(io::Error::from)?)
    }

    /// Writes a table.
    pub fn table(&self, header: &[&str], rows: Vec<Vec<String>>) -> Result<(), OutputError> {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic);
        if !self.terminal {
            table.force_no_tty();
        }
        table.set_header(header.iter().map(|name| {
            let cell = Cell::new(name.to_uppercase());
            if self.colour && self.terminal {
                cell.add_attribute(Attribute::Bold)
            } else {
                cell
            }
        }));
        for row in rows {
            table.add_row(row.iter().map(|text| visible(text)));
        }
        self.line(&table.trim_fmt())
    }

    /// Says what happens, unless asked to be quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            say(&visible(text));
        }
    }

    /// Says what the user should know even when asked to be quiet.
    pub fn warn(&self, text: &str) {
        say(&format!("{}: {}", self.paint("warning", 33), visible(text)));
    }

    /// Says why a command failed.
    pub fn error(&self, text: &str) {
        say(&format!("{}: {}", self.paint("error", 31), visible(text)));
    }

    /// Says what to do about it.
    pub fn hint(&self, text: &str) {
        say(&format!("{}: {}", self.paint("hint", 36), visible(text)));
    }

    /// Starts a step that takes a while.
    pub fn step(&self, text: &str) -> Step {
        Step::start(text, self.progress && !self.quiet)
    }

    fn paint(&self, text: &str, code: u8) -> String {
        if self.colour && self.progress {
            format!("\x1b[1;{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A line on standard error; when nobody takes it, that is their choice.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// `text` with control characters escaped; newlines and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let steers = |character: char| character.is_control() && character != '\n' && character != '\t';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if steers(character) {
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// A length for people, such as `1.5 MB`; powers of ten, as AWS counts.
pub fn bytes_for_people(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_of_others_do_not_reach_the_terminal() {
        assert_eq!(visible("a\x1b[2Jb\r\u{9b}"), "a\\u{1b}[2Jb\\r\\u{9b}");
        assert_eq!(visible("plain ä\tx"), "plain ä\tx");
    }
}
