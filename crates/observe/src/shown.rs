//! Numbers as people read them.

/// A share with one digit behind the point: "78.5%"; of nothing, "0.0%".
pub(crate) fn percent(part: u64, all: u64) -> String {
    let mut shown = tenths(rounded(part.saturating_mul(1000), all));
    shown.push('%');
    shown
}

/// A ratio with two digits behind the point: "0.65"; of nothing, "1.00".
pub(crate) fn ratio(part: u64, all: u64) -> String {
    let hundredths = match all {
        0 => 100,
        all => rounded(part.saturating_mul(100), all),
    };
    let digits = format!("{:02}", hundredths % 100);
    [&(hundredths / 100).to_string(), ".", &digits].concat()
}

/// A quotient with so many digits behind the point as there are zeros in `scale`; 0 of nothing.
pub(crate) fn quotient(sum: u64, count: u64, scale: u32) -> f64 {
    let scaled = rounded(sum.saturating_mul(scale.into()), count);
    scaled as f64 / f64::from(scale)
}

/// Bytes in units of 1,048,576 of them, with one digit behind the point.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    quotient(bytes, 1 << 20, 10)
}

fn rounded(part: u64, all: u64) -> u64 {
    let half = part.saturating_add(all / 2);
    half.checked_div(all).unwrap_or_default()
}

fn tenths(tenths: u64) -> String {
    [&(tenths / 10).to_string(), ".", &(tenths % 10).to_string()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_digits_and_nothing_is_no_problem() {
        for (part, all, shown) in [
            (0, 0, "0.0%"),
            (785, 1000, "78.5%"),
            (2, 3, "66.7%"),
            (7, 7, "100.0%"),
            (u64::MAX, 3, "614891469123651720.5%"),
        ] {
            assert_eq!(percent(part, all), shown);
        }
        for (part, all, shown) in [
            (0, 0, "1.00"),
            (65, 100, "0.65"),
            (1, 3, "0.33"),
            (9, 3, "3.00"),
            (1, 20, "0.05"),
        ] {
            assert_eq!(ratio(part, all), shown);
        }
        assert_eq!(megabytes(47_500_000), 45.3);
        assert_eq!(quotient(123, 10, 10), 12.3);
        assert_eq!(quotient(1, 0, 10), 0.0);
    }
}
