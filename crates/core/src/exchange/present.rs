//! A client's answer from a stored response, in the form in which this client gets it.

use super::Surroundings;
use super::form::{self, Unfit, Work};
use super::request::Subject;
use super::serve::{self, Answered, Found, Warrant};
use super::surplus::EntryId;
use crate::config::CachePolicy;
use crate::entry::StoredResponse;
use crate::http::Headers;
use crate::time::Seconds;

/// The answer that is made of a stored response with these fields, and what is to be done about the form it stands in.
pub(super) fn present<'a>(
    stored: &StoredResponse<'a>,
    (headers, age, warrant): (Headers, Seconds, Warrant),
    (subject, policy): (&Subject, &CachePolicy),
    around: &Surroundings,
) -> Result<(Answered<'a>, Work), Unfit> {
    let headers = serve::promise(headers, &stored.meta, policy, around);
    let entry = EntryId {
        digest: subject.key.digest().short(),
        received: stored.meta.response_time,
    };
    let form = form::of(stored, headers, (&subject.head, policy), entry, around)?;
    let found = Found {
        status: stored.status,
        headers: form.headers,
        body: form.body,
        validators: form.validators,
        age,
        warrant,
    };
    Ok((serve::answer(found, subject, around), form.work))
}
