//! The management API.
//!
//! ```text
//! request ─▶ Reception: is it a call, may who asks, what is asked ─▶ (body) ─▶ answer: what is done, and what is said
//! ```
//!
//! A call comes as a request like any other, to a path of the API or with a method that content management systems purge
//! with, and none of it may go on to the origin, whatever is wrong with it. So reading a call is total: what is no call is a
//! refusal, and a refusal is an answer.
//!
//! Nobody learns anything without the token, not even which paths there are; whoever guesses at it is made to wait.
//!
//! It is as pure as the core. It is a crate of its own because nobody waits for it: it is compiled for size, and the core,
//! which is in the way of every request, for speed.

#![forbid(unsafe_code)]

mod answer;
mod at_route;
mod credential;
mod entries;
mod explain;
mod failures;
mod fleet;
mod invalidate;
mod json {
    pub(crate) use larder_observe::{Json, quoted};
}
mod order;
mod outcome;
mod play;
mod purge;
mod receipts;
mod reception;
mod route;
mod settings;
mod stats;
mod warm;

#[cfg(test)]
mod property;

pub use answer::{Desk, answer};
pub use at_route::{ROUTE_SETTINGS, RouteError, at_refused_route, at_route};
pub use failures::{Failures, Visitor};
pub use fleet::{Change, Fleet, Named};
pub use outcome::{Outcome, Promise};
pub use purge::PurgeMethod;
pub use reception::{Ask, Desks};
pub use route::{Key, Parameters, Place, Verb};
pub use settings::{Settings, compose};
pub use stats::figures;
pub use warm::{Progress, Warm, WarmOrder, WarmUrl};
