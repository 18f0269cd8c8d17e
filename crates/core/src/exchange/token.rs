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
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// By this token, one that this process has not heard of yet.
    Behind(Box<[u8]>),
    /// One that makes no difference here.
    Token,
}

/// Takes what a request says of its client's writes out of its fields.
pub(super) fn take(around: &Surroundings, request: &mut Headers) -> Said {
    match around.fleet.get() {
        Some(fleet) if request.contains(TOKEN) => {
            // Several of them are nothing that a client was given.
            let token = request.only(TOKEN);
            let behind = token.filter(|token| fleet.standing(token) == Standing::Behind);
            let said = behind.map_or(Said::Token, |token| Said::Behind(token.into()));
            request.remove(TOKEN);
            said
        }
        Some(_) | None => Said::Nothing,
    }
}

/// Takes what stands under its name out of a response's fields: what is to be done for that.
pub(super) fn strip(around: &Surroundings, response: &mut Headers) -> Option<Effect> {
    let is_there = around.fleet.get().is_some() && response.contains(TOKEN);
    is_there.then(|| {
        response.remove(TOKEN);
        Effect::RemoveHeader(TOKEN)
    })
}
