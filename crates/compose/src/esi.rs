//! ESI read as it comes: what is no ESI stays as it is, byte for byte.
//!
//! The reader looks for the few beginnings that mean something and passes over all else. It never looks back, keeps a bounded
//! stack of open elements, and waits for the end of a tag only so long; a tag that does not end is text.

mod elements;
mod read;
mod scopes;
mod tag;

pub(crate) use read::Reader;
