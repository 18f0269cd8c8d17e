//! The instances of the fleet, as they were heard of last.

use std::time::Duration;

use larder_core::fleet::{Cursor, InstanceId};
use serde_json::{Value, json};

use crate::store::{INSTANCE_EXPIRY, Instance};

/// The filter's own default of `max_unsynced_seconds`, for an instance that does not say.
const DEFAULT_BOUND: u64 = 30;

/// An instance, and what it says of itself.
#[derive(Clone, Debug)]
pub struct Reported {
    /// Which.
    pub id: InstanceId,
    /// How far it has applied the log.
    pub applied: Option<Cursor>,
    /// How long ago it was heard of.
    pub age: Duration,
    /// What it said; `null` where that cannot be read.
    pub report: Value,
}

impl Reported {
    /// From what the store has of it.
    pub fn of(instance: &Instance) -> Self {
        Self {
            id: instance.id,
            applied: instance.applied,
            age: instance.age,
            report: serde_json::from_str(&instance.report).unwrap_or(Value::Null),
        }
    }

    /// A field of what it said.
    pub fn field(&self, name: &str) -> Value {
        self.report.get(name).cloned().unwrap_or(Value::Null)
    }

    /// Whether it has applied what stands there.
    pub fn has_applied(&self, at: Cursor) -> bool {
        self.applied.is_some_and(|applied| reaches(applied, at))
    }

    /// Whether nothing of what was invalidated there is left in its memory.
    pub fn has_erased(&self, at: Cursor) -> bool {
        let erased = self.report.get("erased").and_then(Value::as_str);
        let erased = erased.and_then(|text| Cursor::parse(text.as_bytes()));
        erased.is_some_and(|erased| reaches(erased, at))
    }

    /// Whether it may still answer with what was invalidated since it was heard of last: for as long as it goes without
    /// hearing of invalidations, and half a minute more.
    pub fn is_of_concern(&self) -> bool {
        let bound = self.report.get("max_unsynced_seconds");
        let bound = bound.and_then(Value::as_u64).unwrap_or(DEFAULT_BOUND);
        let bound = Duration::from_secs(bound).saturating_add(INSTANCE_EXPIRY);
        self.age <= bound
    }

    /// What it is called; and whether it has fallen silent.
    pub fn named(&self) -> Value {
        let silent = self.age > INSTANCE_EXPIRY;
        json!({"instance": self.id.to_string(), "node": self.field("node"), "silent": silent})
    }

    /// All that is known of it, in one object.
    pub fn shown(&self) -> Value {
        let mut shown = self.report.clone();
        if !shown.is_object() {
            shown = json!({});
        }
        if let Some(fields) = shown.as_object_mut() {
            fields.remove("wire");
            let applied = self.applied.map(|applied| applied.to_string());
            fields.insert("id".to_owned(), self.id.to_string().into());
            fields.insert("applied".to_owned(), applied.into());
            fields.insert("age_ms".to_owned(), millis(self.age).into());
        }
        shown
    }
}

/// Whether who has come to the first place has come past the second.
fn reaches(to: Cursor, at: Cursor) -> bool {
    to.log == at.log && to.position >= at.position
}

/// As milliseconds.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
