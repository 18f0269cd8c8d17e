//! What is wrong with a configuration, all of it, each with its place.

use std::path::{Path, PathBuf};

use clap::Args;
use larder_core::config::Config;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::findings::{Finding, Severity, findings};
use crate::output::{Output, Printer, Style};
use crate::shown::{is_seen, seen};
use crate::source::{Missing, Source};

/// Say everything that is wrong with configurations
///
/// Each problem with its line and column: `file:line:column: path: problem`, as editors and CI read it. Warnings are about
/// what is certainly not meant, and do not count for the exit code unless --strict is given.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The plugin's JSON; or YAML or JSON of an Envoy, of an Istio WasmPlugin or of an EnvoyExtensionPolicy, in which it is
    /// found; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Warnings count too
    #[arg(long)]
    strict: bool,
}

/// A file that has been checked.
struct Checked {
    source: Source,
    rules: usize,
    findings: Vec<Finding>,
}

impl Check {
    pub(crate) fn run(&self, out: &mut Printer) -> Result<Exit, Failure> {
        let checked: Result<Vec<_>, _> = self.files.iter().map(|file| checked(file)).collect();
        let checked = checked?;
        match out.output() {
            Output::Json => {
                let files: Vec<_> = checked.iter().map(Checked::json).collect();
                out.json(&json!({ "files": files }))?;
            }
            Output::Table => {
                for checked in &checked {
                    checked.show(out)?;
                }
            }
        }
        let counts = |finding: &Finding| self.strict || finding.severity == Severity::Error;
        let bad = checked
            .iter()
            .flat_map(|checked| &checked.findings)
            .any(counts);
        Ok(if bad { Exit::No } else { Exit::Fine })
    }
}

fn checked(file: &Path) -> Result<Checked, Failure> {
    let source = Source::open(file)?;
    let mut checked = Checked {
        source,
        rules: 0,
        findings: Vec::new(),
    };
    match checked.source.configurations() {
        Ok(configurations) => {
            for configuration in &configurations {
                let config = Config::parse(configuration.json.as_bytes());
                let rules = config.map_or(0, |config| config.rules.len());
                checked.rules = checked.rules.saturating_add(rules);
                checked.findings.extend(findings(configuration));
            }
        }
        Err(Missing::Broken(broken)) => checked.findings.push(broken.into()),
        Err(missing @ (Missing::None | Missing::Unnamed(_))) => {
            return Err(missing.failure(&checked.source.name));
        }
    }
    Ok(checked)
}

impl Checked {
    fn json(&self) -> Value {
        let problems = self.findings.iter().map(|finding| {
            json!({
                "severity": finding.severity.word(),
                "line": finding.place.line,
                "column": finding.place.column,
                "path": finding.path,
                "problem": finding.problem,
            })
        });
        json!({
            "file": self.source.name,
            "rules": self.rules,
            "problems": problems.collect::<Vec<_>>(),
        })
    }

    fn show(&self, out: &mut Printer) -> Result<(), Failure> {
        for finding in &self.findings {
            self.show_one(finding, out)?;
        }
        if self
            .findings
            .iter()
            .all(|finding| finding.severity == Severity::Warning)
        {
            let rules = match self.rules {
                1 => "1 rule".to_owned(),
                rules => format!("{rules} rules"),
            };
            let good = out.styled(Style::Good, "good");
            out.line(&format!("{}: {good}, {rules}", self.source.name))?;
        }
        Ok(())
    }

    fn show_one(&self, finding: &Finding, out: &mut Printer) -> Result<(), Failure> {
        let (severity, style) = match finding.severity {
            Severity::Error => ("", Style::Bad),
            Severity::Warning => ("warning: ", Style::Doubtful),
        };
        let path = match finding.path.as_str() {
            "" => "configuration",
            path => path,
        };
        let place = finding.place;
        let at = format!("{}:{}:{}:", self.source.name, place.line, place.column);
        let (at, severity) = (out.styled(Style::Bold, &at), out.styled(style, severity));
        let said = seen(&format!("{path}: {}", finding.problem));
        out.line(&format!("{at} {severity}{said}"))?;
        if out.is_terminal() {
            self.excerpt(finding, style, out)?;
        }
        Ok(())
    }

    /// The line, and a mark below the place.
    fn excerpt(&self, finding: &Finding, style: Style, out: &mut Printer) -> Result<(), Failure> {
        const WIDEST: usize = 100;
        let mut lines = self.source.text.lines();
        let Some(line) = lines.nth(finding.place.line.saturating_sub(1)) else {
            return Ok(());
        };
        let before = finding.place.column.saturating_sub(1);
        let skipped = before.saturating_sub(WIDEST / 2);
        let shown = line.chars().skip(skipped).take(WIDEST);
        let shown = shown.map(|letter| match letter {
            '\t' => ' ',
            letter if is_seen(letter) => letter,
            _ => char::REPLACEMENT_CHARACTER, // as wide as it was, for the mark below
        });
        let shown: String = shown.collect();
        let number = finding.place.line.to_string();
        let margin = " ".repeat(number.len());
        let caret = out.styled(style, "^");
        let indent = " ".repeat(before.saturating_sub(skipped));
        out.line(&out.styled(Style::Dim, &format!("  {number} | {shown}")))?;
        out.line(&format!("  {margin} | {indent}{caret}"))?;
        Ok(())
    }
}
