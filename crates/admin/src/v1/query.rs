//! Parameters and names in the requests of instances. None of them needs escapes, so none are undone.

use std::time::Duration;

use axum::http::{HeaderMap, Uri};
use larder_core::fleet::{Cursor, InstanceId};
use larder_core::key::KeyDigest;

use crate::refusal::Refusal;

/// The parameters of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(super) fn of(uri: &'a Uri) -> Self {
        Self(uri.query().unwrap_or_default())
    }

    /// The value of the first parameter of this name.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        let mut pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The same as a number; 0 where it is not there.
    pub(super) fn number(self, name: &str) -> Result<u64, Refusal> {
        let Some(text) = self.text(name) else {
            return Ok(0);
        };
        text.parse()
            .map_err(|_| Refusal::malformed(format!("{name}: must be a whole number")))
    }

    /// The same as milliseconds, no more than that.
    pub(super) fn millis(self, name: &str, most: Duration) -> Result<Duration, Refusal> {
        Ok(Duration::from_millis(self.number(name)?).min(most))
    }

    /// The instance that asks, where it says so.
    pub(super) fn instance(self) -> Result<Option<InstanceId>, Refusal> {
        self.text("instance").map(instance).transpose()
    }
}

/// The id of an instance.
pub(super) fn instance(text: &str) -> Result<InstanceId, Refusal> {
    InstanceId::parse(text.as_bytes())
        .ok_or_else(|| Refusal::malformed("instance: must be 16 hexadecimal digits"))
}

/// The digest of a key.
pub(super) fn digest(text: &str) -> Result<KeyDigest, Refusal> {
    KeyDigest::parse(text.as_bytes())
        .ok_or_else(|| Refusal::malformed("digest: must be 32 hexadecimal digits"))
}

/// `<digest>.<number>`, as `larder-release` names a lead.
pub(super) fn lead(text: &str) -> Result<(KeyDigest, u64), Refusal> {
    let problem = || Refusal::malformed("larder-release: must be <digest>.<number>");
    let (before, number) = text.split_once('.').ok_or_else(problem)?;
    Ok((digest(before)?, number.parse().map_err(|_| problem())?))
}

/// A field of the request as text; `None` where it is not there.
pub(super) fn field<'a>(fields: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let value = fields.get(name).map(|value| value.to_str());
    value
        .transpose()
        .map_err(|_| Refusal::malformed(format!("{name}: is no text")))
}

/// A field of the request as a number; `None` where it is not there.
pub(super) fn number(fields: &HeaderMap, name: &str) -> Result<Option<u64>, Refusal> {
    let problem = |_| Refusal::malformed(format!("{name}: must be a whole number"));
    let text = field(fields, name)?;
    text.map(|text| text.parse().map_err(problem)).transpose()
}

/// A field of the request as a cursor, which has to be there.
pub(super) fn cursor(fields: &HeaderMap, name: &str) -> Result<Cursor, Refusal> {
    let text = field(fields, name)?.unwrap_or_default();
    Cursor::parse(text.as_bytes()).ok_or_else(|| {
        Refusal::malformed(format!(
            "{name}: must be a cursor, <log>.<position>.<check>"
        ))
    })
}
