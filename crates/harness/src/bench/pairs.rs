//! Two subjects measured one right after the other, again and again, the order changing: what disturbs the machine for
//! longer than a moment disturbs both, and their ratio stays.

use std::time::Duration;

use super::drive::Round;
use super::statistics::Spread;

/// The rounds of two subjects, pair by pair.
#[derive(Clone, Debug, Default)]
pub struct Pairs(Vec<(Round, Round)>);

impl Pairs {
    /// Measures `count` pairs of what `measure` does with `one` and `other`.
    ///
    /// # Errors
    /// What `measure` answers.
    pub async fn measure<S, E>(
        (one, other): (&S, &S),
        count: usize,
        measure: impl AsyncFn(&S) -> Result<Round, E>,
    ) -> Result<Self, E> {
        let mut pairs = Vec::new();
        for number in 0..count {
            pairs.push(if number % 2 == 0 {
                let first = measure(one).await?;
                (first, measure(other).await?)
            } else {
                let first = measure(other).await?;
                (measure(one).await?, first)
            });
        }
        Ok(Self(pairs))
    }

    /// How many times the CPU time of the other one the first one takes.
    #[must_use]
    pub fn ratio(&self) -> Option<Spread> {
        self.spread(|one, other| one.cpu_micros / other.cpu_micros)
    }

    /// How much more CPU time the first one takes for a request, in microseconds.
    #[must_use]
    pub fn difference(&self) -> Option<Spread> {
        self.spread(|one, other| one.cpu_micros - other.cpu_micros)
    }

    /// The rounds of the first one.
    pub fn ones(&self) -> impl Iterator<Item = &Round> {
        self.0.iter().map(|(one, _)| one)
    }

    /// The rounds of the other one.
    pub fn others(&self) -> impl Iterator<Item = &Round> {
        self.0.iter().map(|(_, other)| other)
    }

    fn spread(&self, of: impl Fn(&Round, &Round) -> f64) -> Option<Spread> {
        Spread::of(self.0.iter().map(|(one, other)| of(one, other)))
    }
}

/// The middle of a property of some rounds.
#[must_use]
pub fn middle<'a>(rounds: impl Iterator<Item = &'a Round>, of: impl Fn(&Round) -> f64) -> f64 {
    Spread::of(rounds.map(of)).map_or(f64::NAN, |spread| spread.median)
}

/// The middle of a time that rounds took.
#[must_use]
pub fn middle_time<'a>(
    rounds: impl Iterator<Item = &'a Round>,
    of: impl Fn(&Round) -> Duration,
) -> Duration {
    Duration::from_secs_f64(middle(rounds, |round| of(round).as_secs_f64()).max(0.0))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test]
    async fn pairs_alternate_and_keep_who_is_who() {
        let order = RefCell::new(Vec::new());
        let measure = async |subject: &f64| {
            order.borrow_mut().push(*subject);
            Ok::<_, ()>(Round {
                cpu_micros: *subject,
                ..Round::default()
            })
        };
        let pairs = Pairs::measure((&6.0, &2.0), 3, measure).await.unwrap();
        assert_eq!(order.take(), [6.0, 2.0, 2.0, 6.0, 6.0, 2.0]);
        assert_eq!(pairs.ratio().unwrap().median, 3.0);
        assert_eq!(pairs.difference().unwrap().median, 4.0);
        assert_eq!(middle(pairs.ones(), |round| round.cpu_micros), 6.0);
    }
}
