//! The bytes that a worker keeps for exchanges under way.
//!
//! A VM's memory is bounded and never shrinks, and an allocation that fails takes the worker down. What clients and
//! origins size (bodies in capture, the heads of requests that wait for their response) is therefore taken from one
//! budget. Whoever finds it empty goes without: the response passes and is not stored.

use std::cell::Cell;
use std::rc::Rc;

use crate::policy::Reason;

/// The bytes a worker may keep for exchanges under way.
#[derive(Debug)]
pub struct CaptureBudget {
    limit: Cell<usize>,
    held: Cell<usize>,
}

impl CaptureBudget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            limit: Cell::new(limit),
            held: Cell::new(0),
        })
    }

    /// From now on so many; what is held already stays held.
    pub fn set_limit(&self, limit: usize) {
        self.limit.set(limit);
    }

    /// The bytes held now.
    pub fn held(&self) -> usize {
        self.held.get()
    }
}

/// A part of the budget, given back when dropped, whatever the reason.
#[derive(Debug)]
pub(super) struct Hold {
    budget: Rc<CaptureBudget>,
    bytes: usize,
}

impl Hold {
    /// No part yet.
    pub(super) fn nothing(budget: &Rc<CaptureBudget>) -> Self {
        Self {
            budget: Rc::clone(budget),
            bytes: 0,
        }
    }

    /// So many bytes; [`Reason::Busy`] when there are not as many left.
    pub(super) fn of(budget: &Rc<CaptureBudget>, bytes: usize) -> Result<Self, Reason> {
        let mut hold = Self::nothing(budget);
        hold.grow_to(bytes)?;
        Ok(hold)
    }

    /// The bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds `bytes` in all; never fewer than before.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Reason> {
        let more = bytes.saturating_sub(self.bytes);
        let held = self.budget.held.get().saturating_add(more);
        if held > self.budget.limit.get() {
            return Err(Reason::Busy);
        }
        self.budget.held.set(held);
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let held = self.budget.held.get();
        self.budget.held.set(held.saturating_sub(self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_so_much_and_it_comes_back() {
        let budget = CaptureBudget::new(100);
        let mut first = Hold::of(&budget, 60).unwrap();
        assert_eq!(Hold::of(&budget, 41).err(), Some(Reason::Busy));
        assert_eq!(first.grow_to(101), Err(Reason::Busy));
        assert_eq!(
            (first.bytes(), budget.held()),
            (60, 60),
            "a refusal changes nothing"
        );
        first.grow_to(100).unwrap();
        first.grow_to(5).unwrap();
        assert_eq!(budget.held(), 100);
        drop(first);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_lower_limit_takes_nothing_away() {
        let budget = CaptureBudget::new(100);
        let held = Hold::of(&budget, 80).unwrap();
        budget.set_limit(50);
        assert_eq!(Hold::of(&budget, 1).err(), Some(Reason::Busy));
        drop(held);
        assert!(Hold::of(&budget, 50).is_ok());
    }
}
