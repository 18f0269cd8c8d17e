//! Logarithms for estimates, in little code: the library's tables are four kilobytes.

use std::f64::consts::LN_2;

/// The natural logarithm of a positive number, to seven digits.
pub fn ln(number: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    const ONE: u64 = 1023 << 52;
    let bits = number.to_bits();
    let exponent = (bits >> 52) as f64 - 1023.0;
    let mantissa = f64::from_bits((bits & MANTISSA) | ONE); // from 1 up to 2
    // ln m = 2 (y + y³/3 + y⁵/5 + …) with y = (m - 1) / (m + 1), which is at most a third.
    let y = (mantissa - 1.0) / (mantissa + 1.0);
    let terms = [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0];
    let sum = terms
        .into_iter()
        .fold(0.0, |sum, term| sum * y * y + 1.0 / term);
    exponent * LN_2 + 2.0 * y * sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn it_is_the_logarithm(number in prop_oneof![1e-9..1e-3_f64, 1e-3..1.0_f64, 1.0..1e12_f64]) {
            prop_assert!((ln(number) - number.ln()).abs() < 1e-7, "{number}");
        }
    }

    #[test]
    fn powers_of_two_are_exact() {
        for power in [-20, -1, 0, 1, 10] {
            assert_eq!(ln(2_f64.powi(power)), f64::from(power) * LN_2);
        }
    }
}
