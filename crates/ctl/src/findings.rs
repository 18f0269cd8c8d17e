//! What is wrong with a configuration, each with its place in the file.

use larder_core::config::Config;

use crate::document::{Broken, Part, Place, Places};
use crate::shadowed::{Shadowed, shadowed};
use crate::source::Configuration;

/// One thing that is wrong, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) place: Place,
    /// Of the value in the configuration; empty for all of it.
    pub(crate) path: String,
    pub(crate) problem: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The filter does not start with it.
    Error,
    /// It is certainly not what was meant.
    Warning,
}

impl Severity {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl From<Broken> for Finding {
    fn from(Broken { place, problem }: Broken) -> Self {
        Self {
            severity: Severity::Error,
            place,
            path: String::new(),
            problem,
        }
    }
}

/// Everything that is wrong with a configuration, in the order of the file.
pub(crate) fn findings(configuration: &Configuration) -> Vec<Finding> {
    let places = configuration.document.as_ref().map(Places::of);
    let find = |path: &str, part| {
        let places = places.as_ref();
        places.map_or(Place::START, |places| places.find(path, part))
    };
    let mut findings: Vec<Finding> = Vec::new();
    let Err(errors) = Config::parse(configuration.json.as_bytes()) else {
        return warnings(configuration, find);
    };
    for error in errors {
        let (path, problem) = (error.path, error.problem);
        let part = match problem.as_str() {
            "stands twice" => Part::Name(repeated(&findings, &path).saturating_add(1)),
            problem if problem.starts_with("is unknown") => Part::Name(0),
            _ => Part::Value,
        };
        findings.push(Finding {
            severity: Severity::Error,
            place: find(&path, part),
            path,
            problem,
        });
    }
    findings.sort_by_key(|finding| (finding.place.line, finding.place.column));
    findings
}

/// How often it has been said of a field already that it stands there again.
fn repeated(findings: &[Finding], path: &str) -> usize {
    let same = findings.iter().filter(|finding| finding.path == path);
    same.filter(|finding| finding.problem == "stands twice")
        .count()
}

fn warnings(configuration: &Configuration, find: impl Fn(&str, Part) -> Place) -> Vec<Finding> {
    let document = configuration.document.iter();
    let rules = document.flat_map(|document| shadowed(&document.value()));
    let warning = |Shadowed { rule, by }| {
        let path = format!("rules[{rule}]");
        Finding {
            severity: Severity::Warning,
            place: find(&path, Part::Value),
            path,
            problem: format!(
                "never holds: `rules[{by}]` before it takes every request that it would; put it before that one"
            ),
        }
    };
    rules.map(warning).collect()
}
