//! Whether a configuration does what it should.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cases::{Case, Miss, cases, junit, play};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Printer, Style};
use crate::shown::seen;
use crate::source::Source;

/// Play cases: what a configuration should do, with no Envoy
///
/// A file of cases names a configuration, what the origin answers, what clients ask, and what should come of it. The filter's
/// own code decides, with a clock that stands still until a step says how much later it is.
#[derive(Args, Debug)]
pub(crate) struct Test {
    /// Cases in YAML; `-` is standard input
    #[arg(required = true, value_name = "CASES")]
    files: Vec<PathBuf>,
    /// Write the results to this file too, as CI systems read them (JUnit's XML)
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// A file that has been played.
struct Played {
    name: String,
    cases: Vec<(Case, Vec<Miss>)>,
}

impl Test {
    pub(crate) fn run(&self, out: &mut Printer) -> Result<Exit, Failure> {
        let mut files = Vec::new();
        for file in &self.files {
            let source = Source::open(file)?;
            let played = cases(&source)?.into_iter().map(|case| {
                let misses = play(&case);
                (case, misses)
            });
            let cases = played.collect();
            let name = source.name;
            files.push(Played { name, cases });
        }
        if let Some(report) = &self.junit {
            let xml = junit(files.iter().map(|file| (&*file.name, &*file.cases)));
            std::fs::write(report, xml).map_err(|error| {
                Failure::usage(format!("{}: cannot be written: {error}", report.display()))
            })?;
        }
        match out.output() {
            Output::Json => out.json(&as_json(&files))?,
            Output::Table => show(&files, out)?,
        }
        Ok(match failed(&files) {
            0 => Exit::Fine,
            _ => Exit::No,
        })
    }
}

fn failed(files: &[Played]) -> usize {
    let cases = files.iter().flat_map(|file| &file.cases);
    cases.filter(|(_, misses)| !misses.is_empty()).count()
}

fn total(files: &[Played]) -> usize {
    files
        .iter()
        .map(|file| file.cases.len())
        .fold(0, usize::saturating_add)
}

fn as_json(files: &[Played]) -> Value {
    let cases = files.iter().flat_map(|file| {
        file.cases.iter().map(|(case, misses)| {
            let misses = misses.iter().map(|miss| {
                json!({
                    "line": miss.place.line, "column": miss.place.column, "step": miss.step,
                    "of": miss.subject, "expected": miss.expected, "got": miss.got,
                })
            });
            json!({
                "file": file.name, "line": case.place.line, "name": case.name,
                "passed": misses.len() == 0, "failures": misses.collect::<Vec<_>>(),
            })
        })
    });
    json!({
        "cases": cases.collect::<Vec<_>>(),
        "total": total(files),
        "failed": failed(files),
    })
}

fn show(files: &[Played], out: &mut Printer) -> Result<(), Failure> {
    for file in files {
        out.line(&out.styled(Style::Bold, &file.name))?;
        for (case, misses) in &file.cases {
            let verdict = match misses.is_empty() {
                true => out.styled(Style::Good, "ok    "),
                false => out.styled(Style::Bad, "FAILED"),
            };
            out.line(&format!("  {verdict} {}", seen(&case.name)))?;
            for miss in misses {
                out.line(&format!("    {}", seen(&miss.line(&file.name))))?;
            }
        }
    }
    let cases = match total(files) {
        1 => "1 case".to_owned(),
        total => format!("{total} cases"),
    };
    let verdict = match failed(files) {
        0 => "all as expected".to_owned(),
        failed => format!("{failed} failed"),
    };
    out.line(&format!("{cases}, {verdict}"))?;
    Ok(())
}
