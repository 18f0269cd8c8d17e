//! What a number of measurements says, and how far it can be trusted.

use std::fmt;

/// The middle of some measurements and the range that holds the middle half of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// A quarter of the measurements lie below.
    pub lower: f64,
    /// Half of them lie below.
    pub median: f64,
    /// Three quarters of them lie below.
    pub upper: f64,
}

impl Spread {
    /// Of these measurements, in any order; between two of them it interpolates. `None` when there are none.
    #[must_use]
    pub fn of(measurements: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = measurements.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            lower: quantile(&sorted, 0.25)?,
            median: quantile(&sorted, 0.5)?,
            upper: quantile(&sorted, 0.75)?,
        })
    }

    /// Judges it against a target of which less is better: met when the median is within it, or when the measurements
    /// are too far apart to say that it is not.
    #[must_use]
    pub fn judge(&self, target: f64) -> Verdict {
        if self.median <= target {
            Verdict::Met
        } else if self.lower <= target {
            Verdict::Touched
        } else {
            Verdict::Missed
        }
    }

    /// The width of the middle half, as a part of the median.
    #[must_use]
    pub fn noise(&self) -> f64 {
        (self.upper - self.lower) / self.median
    }
}

/// What so large a part of these measurements lies below, in any order. `None` when there are none.
#[must_use]
pub fn percentile(measurements: impl IntoIterator<Item = f64>, part: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = measurements.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, part)
}

fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? as f64 * part;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    Some(below + (above - below) * place.fract())
}

/// Whether a target is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The median is within it.
    Met,
    /// The median is beyond it, the middle half of the measurements is too.
    Missed,
    /// The median is beyond it, a quarter of the measurements or more is not.
    Touched,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::Touched => "met within the noise",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(measurements: &[f64]) -> Spread {
        Spread::of(measurements.iter().copied()).unwrap()
    }

    #[test]
    fn the_middle_of_an_odd_number_is_one_of_them() {
        let spread = spread(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((spread.lower, spread.median, spread.upper), (2.0, 3.0, 4.0));
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        let spread = spread(&[4.0, 1.0, 2.0, 3.0]);
        assert_eq!(
            (spread.lower, spread.median, spread.upper),
            (1.75, 2.5, 3.25)
        );
    }

    #[test]
    fn one_measurement_has_no_width() {
        assert_eq!(spread(&[7.0]).noise(), 0.0);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn the_tail_is_the_upper_end() {
        let numbers = (0..=100).rev().map(f64::from);
        assert_eq!(percentile(numbers, 0.99), Some(99.0));
        assert_eq!(percentile([], 0.99), None);
    }

    #[test]
    fn a_target_is_met_by_the_median_or_by_a_quarter_of_the_measurements() {
        let spread = spread(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let verdicts = [3.5, 3.0, 2.5, 2.0, 1.5].map(|target| spread.judge(target));
        assert_eq!(
            verdicts,
            [
                Verdict::Met,
                Verdict::Met,
                Verdict::Touched,
                Verdict::Touched,
                Verdict::Missed
            ]
        );
    }
}
