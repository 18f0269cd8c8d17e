//! What is printed: tables for people, JSON for programs.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::Global;
use crate::shown::seen;

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
}

/// Whether it is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// How a piece of text looks in a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// What matters.
    Bold,
    /// What matters less.
    Dim,
    /// What is well.
    Good,
    /// What is wrong.
    Bad,
    /// What may be wrong.
    Doubtful,
}

/// Prints.
pub(crate) struct Printer {
    out: Box<dyn Write>,
    output: Output,
    colored: bool,
    terminal: bool,
}

impl Printer {
    /// To standard output, as asked.
    pub(crate) fn of(global: &Global) -> Self {
        let terminal = io::stdout().is_terminal();
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            out: Box::new(io::stdout().lock()),
            output: global.output,
            colored: match global.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => terminal && wanted,
            },
            terminal,
        }
    }

    /// For whom.
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    /// Whether people watch.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// A piece of text in this style.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Bad => "31",
            Style::Doubtful => "33",
        };
        match self.colored && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    /// One line.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Text that ends its lines itself.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// All that was printed is on its way.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// A value, for programs.
    pub(crate) fn json(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.out, "{value:#}")
    }

    /// The value for programs, or the table that shows it to people.
    pub(crate) fn show(&mut self, value: &Value, table: &Table) -> io::Result<()> {
        match self.output {
            Output::Json => self.json(value),
            Output::Table => self.table(table),
        }
    }

    /// A table.
    pub(crate) fn table(&mut self, table: &Table) -> io::Result<()> {
        for (number, row) in table.lines().enumerate() {
            let row = match number {
                0 => self.styled(Style::Bold, &row),
                _ => row,
            };
            self.line(&row)?;
        }
        Ok(())
    }
}

/// Rows below a head, in columns as wide as what stands in them.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Which columns are numbers, and stand at their right edge.
    numbers: Vec<bool>,
}

impl Table {
    /// One with these columns; the name of one that has numbers begins with `#`, which is not shown.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let names = columns.iter().map(|name| name.trim_start_matches('#'));
        Self {
            rows: vec![names.map(str::to_owned).collect()],
            numbers: columns.iter().map(|name| name.starts_with('#')).collect(),
        }
    }

    /// Another row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| seen(&cell)).collect());
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }

    /// What it looks like.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let columns = self.numbers.iter().enumerate();
        let columns: Vec<_> = columns
            .map(|(column, number)| (self.width(column), *number))
            .collect();
        self.rows.iter().map(move |row| {
            let cells = row.iter().zip(&columns);
            let cells = cells.map(|(cell, (width, number))| match number {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            line.trim_end().to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table = Table::new(&["rule", "#hits", "why"]);
        table.row(["analytics", "7", ""].map(str::to_owned));
        table.row(["ä", "1200", "fresh"].map(str::to_owned));
        let lines: Vec<_> = table.lines().collect();
        let expected = [
            "rule       hits  why",
            "analytics     7",
            "ä          1200  fresh",
        ];
        assert_eq!(lines, expected);
    }
}
