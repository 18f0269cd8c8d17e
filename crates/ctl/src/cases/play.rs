//! A case, played.

use larder_core::config::{Config, Selection};
use larder_core::http::{Headers, RequestHead, Target};
use serde_json::Value;

use super::expect::Saw;
use super::{Action, Case, Step};
use crate::document::Place;
use crate::stage::{Origin, Said, Seen, Stage};

/// What was expected and is not so.
#[derive(Debug)]
pub(crate) struct Miss {
    pub(crate) place: Place,
    /// From 1 on.
    pub(crate) step: usize,
    /// Of what.
    pub(crate) subject: String,
    pub(crate) expected: Value,
    pub(crate) got: Value,
}

/// Plays a case, to its end: one miss may explain another.
pub(crate) fn play(case: &Case) -> Vec<Miss> {
    let Ok(mut stage) = Stage::new(&case.json, case.clock) else {
        return Vec::new(); // it has been tried when the case was read
    };
    let mut origin = Origin::of(case.origin.clone());
    let mut misses = Vec::new();
    for (number, step) in (1..).zip(&case.steps) {
        stage.wait(step.after);
        let asked_before = origin.asked.len();
        let (seen, rule) = act(step, &mut stage, &mut origin);
        let saw = Saw {
            seen: &seen,
            rule,
            asked: origin.asked.get(asked_before..).unwrap_or_default(),
        };
        let unmet = step.expected.iter().filter_map(|expected| {
            Some(Miss {
                place: expected.place,
                step: number,
                subject: expected.subject.name(),
                expected: expected.wanted.clone(),
                got: expected.unmet(&saw)?,
            })
        });
        misses.extend(unmet);
        misses.extend(unscripted(&mut origin, number, step));
    }
    misses
}

/// What the origin was asked that no script tells it.
fn unscripted(origin: &mut Origin, number: usize, step: &Step) -> Vec<Miss> {
    let unknown = origin.unknown.drain(..);
    let misses = unknown.map(|target| Miss {
        place: step.place,
        step: number,
        subject: "origin".to_owned(),
        expected: "to be asked for what it has, or for anything by `*`".into(),
        got: target.into(),
    });
    misses.collect()
}

fn act(step: &Step, stage: &mut Stage, origin: &mut Origin) -> (Seen, Option<String>) {
    match &step.action {
        Action::Wait => (Seen::default(), None),
        Action::Request(head, body) => {
            let rule = rule(stage.config(), head);
            (stage.request(head, body.as_deref(), origin), rule)
        }
        Action::Invalidate(what) => (said(stage.invalidate(what)), None),
        Action::Purge(head) => (said(stage.call(head.clone(), Vec::new())), None),
    }
}

fn said(said: Option<Said>) -> Seen {
    let Some(Said { status, body }) = said else {
        return Seen::default();
    };
    Seen {
        status,
        body: body.to_string().into_bytes(),
        ..Seen::default()
    }
}

/// The name of the rule that holds.
fn rule(config: &Config, head: &Headers) -> Option<String> {
    let head = RequestHead::parse(head.clone()).ok()?;
    let target = Target::parse(head.target()).ok()?;
    let index = match config.select(&head, &target) {
        Selection::Ambiguous | Selection::Unmatched => None,
        Selection::Bypass(index) | Selection::Refuse(index) | Selection::Writes(index) => {
            Some(index)
        }
        Selection::Cache(selected) => selected.id.rule(),
    };
    Some(config.rule(index?)?.name.clone())
}
