//! The configuration in force, and changing it while it holds.
//!
//! A change is a JSON Merge Patch (RFC 7396) to the configuration in force: what it names takes the place of what stands
//! there, and `null` takes it out. One thing more: `rules` may be an object, whose fields change the rules of those names; a
//! name that is new is a new rule, behind the others. What comes of it is read like any configuration, and refused whole if
//! there is anything wrong with it. Else it stands, as a whole, in a cell where all workers find it, and lasts until the
//! plugin's configuration is another one.
//!
//! `management` is no part of that: configurations that differ in nothing else share their changes, and each keeps its own.

use serde_json::{Map, Value};

use larder_core::config::Config;
use larder_core::config::reading::{self, Given, written};
use larder_core::exchange::Call;
use larder_core::report::{Counter, Reload};
use larder_core::tier::{Amendments, MAX_AMENDMENT_BYTES, SetError, SharedKv};

use crate::answer::Desk;
use crate::fleet::Change;
use crate::json::Json;
use crate::outcome::Outcome;

/// As often is a change tried that others come before.
const TRIES: usize = 100;

const UNWRITTEN: &str = "the proxy's shared memory cannot be written";

/// Names without a place, as people know them, and where they stand.
const ALIASES: [(&str, &str); 2] = [
    ("compression_threshold_bytes", "threshold_bytes"),
    ("enable_compression", "enabled"),
];

/// The plugin's configuration, and where changes to it stand.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Without `management`.
    base: Value,
    management: Value,
    /// Where changes stand.
    pub amendments: Amendments,
}

impl Settings {
    /// Of the plugin's configuration, which has been read without a problem.
    pub fn new(text: &[u8]) -> Self {
        let mut base = value(text).unwrap_or_else(|_| Value::Object(Map::new()));
        let management = take_management(&mut base);
        Self {
            amendments: Amendments::of(written(&base).as_bytes()),
            base,
            management,
        }
    }

    /// The text of the configuration in force, when this stands in the cell.
    pub fn in_force(&self, amendment: &[u8]) -> Vec<u8> {
        written(&self.whole(self.document(amendment))).into_bytes()
    }

    /// What is to stand in the cell where the fleet changes the plugin's configuration so: nothing for `{}`.
    ///
    /// # Errors
    /// What is wrong with the change, or with what comes of it, for people.
    pub fn patched(&self, patch: &[u8]) -> Result<Vec<u8>, String> {
        let change = read(patch)?;
        match change.as_object() {
            Some(fields) if fields.is_empty() => Ok(Vec::new()),
            Some(_) | None => amend(self, &[], &change),
        }
    }

    /// The plugin's configuration without `management`, in JSON.
    pub fn plugin(&self) -> String {
        written(&self.base)
    }

    /// Has this patch to the plugin's configuration hold, in place of all changes so far; says whether that is another
    /// configuration than held before.
    ///
    /// # Errors
    /// A sentence: what comes of it is no configuration, or cannot be written. Then nothing has changed.
    pub fn follow(&self, patch: &str, kv: &dyn SharedKv) -> Result<bool, String> {
        let text = self.patched(patch.as_bytes())?;
        for _ in 0..TRIES {
            let before = self.amendments.read(kv);
            let before = before.map_err(|_| UNWRITTEN.to_owned())?;
            if before.text == text {
                return Ok(false);
            }
            match self.amendments.write(kv, &text, before.version) {
                Ok(()) => return Ok(true),
                Err(SetError::Lost) => {}
                Err(SetError::Failed) => break,
            }
        }
        Err(UNWRITTEN.to_owned())
    }

    /// The configuration as it is now.
    pub(crate) fn now(&self, kv: &dyn SharedKv) -> Value {
        let amendment = self.amendments.read(kv);
        self.whole(self.document(amendment.as_ref().map_or(&[], |amendment| &amendment.text)))
    }

    /// That configuration, without `management`. What stands in the cell may be anybody's.
    fn document(&self, amendment: &[u8]) -> Value {
        let mut amended = match amendment {
            [] => return self.base.clone(),
            text => value(text).unwrap_or_else(|_| self.base.clone()),
        };
        take_management(&mut amended);
        amended
    }

    /// With what is this one's own.
    fn whole(&self, mut document: Value) -> Value {
        if let (Value::Object(fields), false) = (&mut document, self.management.is_null()) {
            fields.insert("management".to_owned(), self.management.clone());
        }
        document
    }
}

fn take_management(document: &mut Value) -> Value {
    let fields = document.as_object_mut();
    let taken = fields.and_then(|fields| fields.remove("management"));
    taken.unwrap_or(Value::Null)
}

/// `GET config`.
pub(crate) fn show(desk: &Desk<'_>) -> Outcome {
    let Ok(amendment) = desk.settings.amendments.read(desk.kv) else {
        return Outcome::unnoted();
    };
    Outcome::ok(shown(desk.settings, &amendment.text))
}

fn shown(settings: &Settings, amendment: &[u8]) -> Json {
    let mut document = settings.whole(settings.document(amendment));
    if let Some(digest) = document.pointer_mut("/management/token_sha256")
        && digest.is_string()
    {
        *digest = Value::String("(set)".to_owned());
    }
    let text = |path: &str, default: &str| match document.pointer(path) {
        Some(value) => written(value),
        None => default.to_owned(),
    };
    Json::object()
        .raw("default_ttl_seconds", &text("/default_ttl_seconds", "null"))
        .raw(
            "compression_threshold_bytes",
            &text("/compression/threshold_bytes", "1024"),
        )
        .raw("enable_compression", &text("/compression/enabled", "true"))
        .raw("configuration", &written(&document))
        .flag("changed", !amendment.is_empty())
}

/// `DELETE config`: the plugin's configuration as it is.
pub(crate) fn reset(desk: &Desk<'_>) -> Outcome {
    let outcome = write(desk, |_| Ok(Vec::new()));
    tell(desk, &outcome, Change::Reset);
    outcome
}

/// `PUT config`.
pub(crate) fn put(call: &Call, desk: &Desk<'_>) -> Outcome {
    let outcome = match read(&call.content) {
        Err(problem) => Err(problem),
        Ok(change) => {
            let outcome = write(desk, |before| amend(desk.settings, before, &change));
            tell(desk, &outcome, Change::Patch(&written(&change)));
            Ok(outcome)
        }
    };
    outcome.unwrap_or_else(|problem| {
        (desk.count)(Counter::Reloaded(Reload::Refused));
        Outcome::bad_request(&problem)
    })
}

/// Has the others told of a change that holds here.
fn tell(desk: &Desk<'_>, outcome: &Outcome, change: Change<'_>) {
    if let (200, Some(fleet)) = (outcome.status, desk.fleet) {
        fleet.configured(change);
    }
}

/// Reads JSON as the configuration is read: nothing stands twice.
pub(crate) fn value(json: &[u8]) -> Result<Value, String> {
    let read = reading::read(json, |cursor| Given::Value(cursor.value.clone()));
    read.map_err(|errors| {
        let problems: Vec<_> = errors.iter().map(ToString::to_string).collect();
        problems.join("; ").replace("configuration: ", "")
    })
}

/// Reads a change, under the names that stand in the configuration.
fn read(json: &[u8]) -> Result<Value, String> {
    if json.trim_ascii().is_empty() {
        return Err("needs a body with what changes: `{\"default_ttl_seconds\": 600}`".to_owned());
    }
    let change = value(json)?;
    let Value::Object(mut change) = change else {
        return Err("must be an object".to_owned());
    };
    for (alias, name) in ALIASES {
        let Some(value) = change.remove(alias) else {
            continue;
        };
        let compression = change
            .entry("compression")
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(compression) = compression else {
            return Err("compression: must be an object".to_owned());
        };
        if compression.insert(name.to_owned(), value).is_some() {
            return Err([alias, ": stands beside `compression.", name, "`"].concat());
        }
    }
    if change.contains_key("management") {
        return Err(
            "management: cannot be changed here, only where Envoy is configured".to_owned(),
        );
    }
    if let Some(admin) = change.get("admin")
        && !admin.as_object().is_some_and(is_changeable)
    {
        return Err(
            "admin: where the service of the fleet is cannot be changed here, only where Envoy is configured".to_owned(),
        );
    }
    let slots = change
        .get("storage")
        .and_then(|storage| storage.get("slots"));
    if slots.is_some() {
        return Err(
            "storage.slots: cannot be changed while the process runs; the others of `storage` can"
                .to_owned(),
        );
    }
    Ok(Value::Object(change))
}

/// Whether a process that takes in this change of `admin` still hears of the next one.
fn is_changeable(admin: &Map<String, Value>) -> bool {
    let fixed = ["authority", "cluster", "secret_env"];
    !fixed.iter().any(|name| admin.contains_key(*name))
}

/// The configuration with one more change, if what comes of it is one.
fn amend(settings: &Settings, before: &[u8], change: &Value) -> Result<Vec<u8>, String> {
    let mut document = settings.document(before);
    apply(&mut document, change);
    let text = written(&document).into_bytes();
    if text.len() > MAX_AMENDMENT_BYTES {
        let most = MAX_AMENDMENT_BYTES.to_string();
        return Err(["the whole configuration must be at most ", &most, " bytes"].concat());
    }
    match Config::parse(&settings.in_force(&text)) {
        Ok(_) => Ok(text),
        Err(errors) => {
            let problems: Vec<_> = errors.iter().map(ToString::to_string).collect();
            Err(problems.join("; "))
        }
    }
}

fn write(desk: &Desk<'_>, mut change: impl FnMut(&[u8]) -> Result<Vec<u8>, String>) -> Outcome {
    let Settings { amendments, .. } = desk.settings;
    for _ in 0..TRIES {
        let Ok(before) = amendments.read(desk.kv) else {
            return Outcome::unnoted();
        };
        let text = match change(&before.text) {
            Ok(text) => text,
            Err(problem) => {
                (desk.count)(Counter::Reloaded(Reload::Refused));
                return Outcome::bad_request(&problem);
            }
        };
        match amendments.write(desk.kv, &text, before.version) {
            Ok(()) => {
                // Whoever starts from here on sees that something has changed, and reads the cell.
                desk.hint.advance();
                (desk.count)(Counter::Reloaded(Reload::Accepted));
                return Outcome::ok(shown(desk.settings, &text));
            }
            Err(SetError::Lost) => {}
            Err(SetError::Failed) => return Outcome::unnoted(),
        }
    }
    Outcome::busy()
}

/// Changes a document.
fn apply(document: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        return;
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    let Some(document) = document.as_object_mut() else {
        return;
    };
    for (name, value) in patch {
        match (name.as_str(), value) {
            ("rules", Value::Object(rules)) => apply_rules(document, rules),
            _ => merge_field(document, name, value),
        }
    }
}

fn apply_rules(document: &mut Map<String, Value>, changes: &Map<String, Value>) {
    let rules = document
        .entry("rules")
        .or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(rules) = rules else {
        return;
    };
    for (name, change) in changes {
        let is_named = |rule: &Value| rule.get("name").and_then(Value::as_str) == Some(name);
        match (rules.iter().position(is_named), change) {
            (Some(place), Value::Null) => drop(rules.remove(place)),
            (Some(place), change) => {
                if let Some(rule) = rules.get_mut(place) {
                    merge(rule, change);
                }
            }
            (None, Value::Null) => {}
            (None, change) => {
                let mut rule = Value::Object(Map::new());
                merge(&mut rule, change);
                if let Value::Object(rule) = &mut rule {
                    rule.insert("name".to_owned(), Value::String(name.clone()));
                }
                rules.push(rule);
            }
        }
    }
}

/// Two changes as one, for any configuration: the second is merged into the first, and what it takes out stays taken out.
///
/// A rule that the first takes out and the second brings back is changed, where the configuration has one of that name.
///
/// # Errors
/// What is wrong with them, for people.
pub fn compose(first: &str, second: &Map<String, Value>) -> Result<String, String> {
    let first = match first {
        "" => Value::Object(Map::new()),
        first => value(first.as_bytes())?,
    };
    let second = read(written(&Value::Object(second.clone())).as_bytes())?;
    let (Value::Object(mut whole), Value::Object(second)) = (first, second) else {
        return Err("must be an object".to_owned());
    };
    for (name, value) in &second {
        match (name.as_str(), whole.get_mut(name), value) {
            // All rules are named anew; these are changed on top of them.
            ("rules", Some(Value::Array(_)), Value::Object(rules)) => {
                apply_rules(&mut whole, rules);
            }
            (_, Some(known), value) => overlay(known, value),
            (_, None, value) => drop(whole.insert(name.clone(), value.clone())),
        }
    }
    Ok(written(&Value::Object(whole)))
}

/// As [`merge`], and `null` stays.
fn overlay(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (name, value) in patch {
                match target.get_mut(name) {
                    Some(known) => overlay(known, value),
                    None => drop(target.insert(name.clone(), value.clone())),
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

/// RFC 7396 section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Some(target) = target.as_object_mut() {
        for (name, value) in patch {
            merge_field(target, name, value);
        }
    }
}

fn merge_field(target: &mut Map<String, Value>, name: &str, value: &Value) {
    if value.is_null() {
        target.remove(name);
        return;
    }
    merge(target.entry(name).or_insert(Value::Null), value);
}

#[cfg(test)]
mod tests;
