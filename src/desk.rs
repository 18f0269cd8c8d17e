//! Where calls of the management API are answered: what goes out, and when nothing else may.

use larder_manage::Outcome;

use crate::host::{self, HostError};

/// Answers the request of the current callback.
pub(crate) fn answer(outcome: &Outcome) -> Result<(), HostError> {
    let reply = outcome.reply();
    host::send_response(reply.status, &reply.pairs, &reply.body, reply.details)
}

/// Answers a held request from a callback that is not its stream's.
pub(crate) fn answer_from_outside(stream: u32, outcome: &Outcome) -> Result<(), HostError> {
    let reply = outcome.reply();
    let (pairs, body) = (&reply.pairs, &reply.body);
    host::answer_request(stream, reply.status, pairs, body, reply.details)
}
