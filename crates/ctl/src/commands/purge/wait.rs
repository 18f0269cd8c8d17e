//! What comes of an invalidation, once it is done.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::exit::Failure;
use crate::remote::{Call, Client, Slashes, escaped};

/// How soon it is looked again.
const PAUSE: Duration = Duration::from_millis(200);

/// What can be waited for, by what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Nothing: it is done, and nobody counts it.
    Nothing,
    /// What one process counts, at this path of its API.
    Local(String),
    /// That of a record in the log of a fleet, at this path of its service's API.
    Record(String),
    /// There will be nothing to wait for.
    Refusal(String),
}

/// How it was when it was looked at last.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct End {
    /// Whether it is over.
    pub(super) is_done: bool,
    /// What was said.
    pub(super) last: Value,
}

impl Awaited {
    /// What an answer can be waited for.
    pub(super) fn of(answer: &Value, is_of_a_user: bool) -> Self {
        let text = |place: &str| answer.pointer(place).and_then(Value::as_str);
        let path = |id: &str| {
            let id = escaped(id, Slashes::Escaped);
            match is_of_a_user {
                true => format!("/users/receipts/{id}"),
                false => format!("/invalidations/{id}"),
            }
        };
        match (answer.pointer("/durable").and_then(Value::as_bool), text("/id"), text("/receipt")) {
            (Some(false), _, _) => Self::Refusal(
                "it is purged here, and the fleet's log could not be reached: the others are told as soon as it can be".to_owned(),
            ),
            (Some(true), Some(id), _) => Self::Record(path(id)),
            (_, _, Some(receipt)) => Self::Local(path(receipt)),
            (_, Some(id), None) => Self::Local(path(id)),
            (_, None, None) if is_of_a_user => {
                Self::Refusal("it is removed, and there is no receipt left to tell when memory is free of it".to_owned())
            }
            (_, None, None) => Self::Nothing,
        }
    }
}

/// Looks until it is done, or patience is at its end.
pub(super) fn until_done(client: &Client, path: &str, patience: Duration) -> Result<End, Failure> {
    let begun = Instant::now();
    loop {
        let last = client.call(Call::get(path))?;
        let is_done = last.pointer("/status").and_then(Value::as_str) == Some("done");
        if is_done || begun.elapsed() >= patience {
            return Ok(End { is_done, last });
        }
        sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_can_be_waited_for_shows_in_the_answer() {
        let local = |path: &str| Awaited::Local(path.to_owned());
        for (answer, is_of_a_user, expected) in [
            (json!({"status": "invalidated"}), false, Awaited::Nothing),
            (json!({"id": "0f"}), false, local("/invalidations/0f")),
            (
                json!({"status": "deleted", "receipt": "0f"}),
                true,
                local("/users/receipts/0f"),
            ),
            (
                json!({"receipt": "0f", "durable": true, "id": "7.9.1"}),
                false,
                Awaited::Record("/invalidations/7.9.1".to_owned()),
            ),
        ] {
            assert_eq!(Awaited::of(&answer, is_of_a_user), expected, "{answer}");
        }
        let open = Awaited::of(&json!({"receipt": "0f", "durable": false}), false);
        assert!(matches!(open, Awaited::Refusal(_)));
        let none = Awaited::of(&json!({"receipt": null}), true);
        assert!(matches!(none, Awaited::Refusal(_)));
    }
}
