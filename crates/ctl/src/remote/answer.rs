//! What the other side answers, and what is made of it when that is no.

use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::shown::seen;

/// An answer of the management API, or of whoever stands in its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// Where it was asked for, for people.
    pub(super) place: String,
    /// Whether a token went along.
    pub(super) has_token: bool,
    /// The status.
    pub(crate) status: u16,
    /// The body, null where that is no JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// The body, where the answer is yes.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn done(self) -> Result<Value, Failure> {
        match self.status {
            200..300 if self.body.is_object() => Ok(self.body),
            _ => Err(Failure::said(Exit::Unreachable, self.refusal())),
        }
    }

    /// The body, or `None` where what was asked for is not there.
    ///
    /// # Errors
    /// Why the answer is neither.
    pub(crate) fn found(self) -> Result<Option<Value>, Failure> {
        match (self.status, self.code()) {
            (404, Some("not_found")) => Ok(None),
            _ => self.done().map(Some),
        }
    }

    /// The word for the error, where the management API has said it.
    pub(crate) fn code(&self) -> Option<&str> {
        self.body.pointer("/error/code")?.as_str()
    }

    /// What to do about it.
    fn refusal(&self) -> String {
        let (place, status) = (&self.place, self.status);
        let message = self.body.pointer("/error/message").and_then(Value::as_str);
        match (status, message) {
            (401, Some(_)) if !self.has_token => format!(
                "{place} wants the token of the management API: put it into LARDER_TOKEN, or into a file for --token-file"
            ),
            (401, Some(_)) => format!(
                "{place} does not take this token: it must be the one that stands in the environment there (LARDER_TOKEN), see docs/management.md"
            ),
            (_, Some(message)) => format!("{place} refused ({status}): {}", seen(message)),
            (_, None) => format!(
                "{place} is no management API: what answered there ({status}) is something else. `management` must stand in the \
                 configuration and LARDER_TOKEN in the environment of the VM, and where `management.host` is set --host must be \
                 that (docs/management.md)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(status: u16, has_token: bool, body: Value) -> String {
        let place = "http://a".to_owned();
        let answer = Answer {
            place,
            has_token,
            status,
            body,
        };
        match answer.done() {
            Err(Failure::Said { message, exit }) => {
                assert_eq!(exit, Exit::Unreachable);
                message
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refusal_says_what_to_do_next() {
        let error =
            |code: &str, message: &str| json!({"error": {"code": code, "message": message}});
        let unauthorized = error("unauthorized", "this is not the token");
        assert!(refusal(401, false, unauthorized.clone()).contains("put it into LARDER_TOKEN"));
        assert!(refusal(401, true, unauthorized).contains("does not take this token"));
        assert!(refusal(404, true, Value::Null).contains("docs/management.md"));
        assert!(refusal(200, true, Value::Null).contains("is no management API"));
        let busy = refusal(503, true, error("busy", "try again"));
        assert_eq!(busy, "http://a refused (503): try again");
    }

    #[test]
    fn what_is_not_there_is_no_failure() {
        let body =
            json!({"error": {"code": "not_found", "message": "nothing is stored under this key"}});
        let place = "http://a".to_owned();
        let answer = Answer {
            place,
            has_token: true,
            status: 404,
            body,
        };
        assert_eq!(answer.found().unwrap(), None);
    }
}
