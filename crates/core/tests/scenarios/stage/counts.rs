//! What a stage has counted.

use larder_core::epoch::Mode;
use larder_core::report::{Counter, InvalidationKind, InvalidationSource, Outcome, RuleCounter};

use super::Stage;

impl Stage {
    /// A write that makes something invalid.
    pub const WRITE: Counter = Counter::Invalidated(
        InvalidationKind::Write,
        Mode::Invalid,
        InvalidationSource::Write,
    );

    pub fn count(&self, counter: Counter) -> u64 {
        self.take_tally();
        self.counts
            .borrow()
            .get(&counter)
            .copied()
            .unwrap_or_default()
    }

    /// How many requests came to this, under whatever rule.
    pub fn outcomes(&self, outcome: Outcome) -> u64 {
        self.take_tally();
        let of_rules = self.of_rules.borrow();
        let is_it = |counter: &RuleCounter| *counter == RuleCounter::Requests(outcome);
        let counts = of_rules.iter().filter(|((_, counter), _)| is_it(counter));
        counts.map(|(_, count)| count).sum()
    }

    /// How many there were of a rule.
    pub fn of_rule(&self, rule: &str, counter: RuleCounter) -> u64 {
        self.take_tally();
        let of_rules = self.of_rules.borrow();
        of_rules
            .get(&(rule.to_owned(), counter))
            .copied()
            .unwrap_or_default()
    }

    /// What the next tick of a worker shows.
    pub(super) fn take_tally(&self) {
        let tally = self.surroundings.tally();
        tally.take(&mut |counter, by| *self.counts.borrow_mut().entry(counter).or_default() += by);
        let names: Vec<&str> = self.config.labels().map(|(_, name)| name).collect();
        tally.take_rules(&mut |place, counter, by| {
            let rule = (names[place].to_owned(), counter);
            *self.of_rules.borrow_mut().entry(rule).or_default() += by;
        });
    }
}
