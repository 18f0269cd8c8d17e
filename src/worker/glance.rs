//! The hint that tells workers of a change: read once in a callback.

use larder_core::tier::ChangeHint;

use super::Worker;

/// Whether the current callback has read the hint already.
#[derive(Clone, Copy, Default)]
pub(super) enum Glance {
    #[default]
    None,
    Taken(Option<u64>),
}

impl Worker {
    /// Tells the other workers that something has changed.
    pub(crate) fn advance_hint(&self) {
        self.metrics.advance();
    }

    /// The hint; who reads it next in this callback need not ask the host again.
    pub(crate) fn glance(&self) -> Option<u64> {
        let hint = self.metrics.read_hint();
        self.glance.set(Glance::Taken(hint));
        hint
    }

    /// That was the hint in this callback.
    pub(crate) fn hold_glance(&self, hint: Option<u64>) {
        self.glance.set(Glance::Taken(hint));
    }

    /// The callback is over, or has waited for something.
    pub(crate) fn forget_glance(&self) {
        self.glance.set(Glance::None);
    }
}

/// The hint as the current callback has seen it, or as it is.
impl ChangeHint for Worker {
    fn read(&self) -> Option<u64> {
        match self.glance.take() {
            Glance::None => self.metrics.read_hint(),
            Glance::Taken(hint) => hint,
        }
    }

    fn advance(&self) {
        self.metrics.advance();
    }
}
