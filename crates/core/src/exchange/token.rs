//! `larder-token`: who has written is not shown what was before (read your writes), in whatever process the next request comes.
//!
//! The answer to a write that has invalidated something carries a token; the client sends it along from then on. Where the
//! process has not yet applied that invalidation, nothing that is stored answers the request, as if it had asked that the
//! origin confirm it. The field is between the client and Larder: the origin never sees it, no key depends on it, and what an
//! origin sends under its name goes to nobody.

use super::{Effect, Surroundings};
use crate::fleet::{Standing, TOKEN};
use crate::http::Headers;

/// What a request says of its client's writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// This has become of one.
    Token(Standing),
}

/// Takes what a request says of its client's writes out of its fields.
pub(super) fn take(around: &Surroundings, request: &mut Headers) -> Said {
    match around.fleet.get() {
        Some(fleet) if request.contains(TOKEN) => {
            // Several of them are nothing that a client was given.
            let standing = request.only(TOKEN).map(|token| fleet.standing(token));
            request.remove(TOKEN);
            Said::Token(standing.unwrap_or(Standing::Unknown))
        }
        Some(_) | None => Said::Nothing,
    }
}

/// The token of a request whose client has written what this process has not heard of yet.
pub(super) fn of_writes_elsewhere(around: &Surroundings, request: &Headers) -> Option<Box<[u8]>> {
    let fleet = around.fleet.get()?;
    let token = request.only(TOKEN)?;
    (fleet.standing(token) == Standing::Behind).then(|| token.into())
}

/// Takes what stands under its name out of a response's fields: what is to be done for that.
pub(super) fn strip(around: &Surroundings, response: &mut Headers) -> Option<Effect> {
    let is_there = around.fleet.get().is_some() && response.contains(TOKEN);
    is_there.then(|| {
        response.remove(TOKEN);
        Effect::RemoveHeader(TOKEN)
    })
}
