//! Numbers as people read them, without floating point: that is much code for few digits.

/// A quotient with so many digits behind the point; 0 where there is nothing to divide by.
pub(crate) fn decimal(part: u64, all: u64, digits: u32) -> String {
    let scale = 10_u64.saturating_pow(digits);
    let half = all / 2;
    let scaled = part.saturating_mul(scale).saturating_add(half);
    let scaled = scaled.checked_div(all).unwrap_or_default();
    let whole = scaled.checked_div(scale).unwrap_or_default();
    let rest = scaled.checked_rem(scale).unwrap_or_default();
    let rest = scale.saturating_add(rest).to_string(); // a digit too many in front, and then as many as there should be
    let rest = rest.get(1..).unwrap_or_default();
    match rest {
        "" => whole.to_string(),
        rest => [&whole.to_string(), ".", rest].concat(),
    }
}

/// A share with one digit behind the point: "78.5%"; of nothing, "0.0%".
pub(crate) fn percent(part: u64, all: u64) -> String {
    let mut shown = decimal(part.saturating_mul(100), all, 1);
    shown.push('%');
    shown
}

/// A ratio with two digits behind the point: "0.65"; of nothing, "1.00".
pub(crate) fn ratio(part: u64, all: u64) -> String {
    match all {
        0 => "1.00".to_owned(),
        all => decimal(part, all, 2),
    }
}

/// Bytes in units of 1,048,576 of them, with one digit behind the point.
pub(crate) fn megabytes(bytes: u64) -> String {
    decimal(bytes, 1 << 20, 1)
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
        assert_eq!(megabytes(47_500_000), "45.3");
        assert_eq!(decimal(12_345, 1000, 3), "12.345");
        assert_eq!(decimal(7, 2, 0), "4");
        assert_eq!(
            decimal(u64::MAX, 1, 1),
            "1844674407370955161.5",
            "saturated"
        );
        assert_eq!(decimal(1, 0, 1), "0.0");
    }
}
