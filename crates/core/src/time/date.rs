//! HTTP dates, read (RFC 9110 section 5.6.7).
//!
//! ```text
//! Sun, 06 Nov 1994 08:49:37 GMT      IMF-fixdate, the preferred form
//! Sunday, 06-Nov-94 08:49:37 GMT     the form of RFC 850, obsolete
//! Sun Nov  6 08:49:37 1994           the form of C's asctime(), obsolete
//! ```
//!
//! Where these forms leave a choice, the lenient one is taken: names and `GMT` in any case (RFC 9111 section 4.2), the
//! name of another weekday than the date has, a leap second (as the second before it: "the nearest time equal to or earlier
//! than the received value"). Everything else is no date, for "a cache recipient MUST interpret invalid date formats,
//! especially the value "0", as representing a time in the past" (section 5.3): other zones, also `UTC` and `+0000` ("a cache
//! recipient SHOULD consider a date with a zone abbreviation other than "GMT" to be invalid for calculating expiration"),
//! numbers with too few digits, and white space that the form does not have.

use super::{Seconds, Timestamp};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// The days before each month, in a year that is no leap year, and those of all twelve.
const DAYS_BEFORE: [u64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/// Fifty years of 365.2425 days.
const FIFTY_YEARS: Seconds = Seconds::clamped(50 * 31_556_952);

/// 2026-01-01; from when two-digit years are looked at where no clock is at hand.
const SOMETIME: Timestamp = Timestamp::from_secs(1_767_225_600);

/// Reads a date that is only compared with other dates: a validator, not an age. White space around it is ignored.
///
/// `None` for what is no date, and for dates before 1970. Two-digit years are of 1977 to 2076.
pub fn parse_http_date(value: &[u8]) -> Option<Timestamp> {
    parse_http_date_at(value, SOMETIME)
}

/// Reads a date at the time `now`, which says what two-digit years mean; else as [`parse_http_date`].
pub fn parse_http_date_at(value: &[u8], now: Timestamp) -> Option<Timestamp> {
    let text = value.trim_ascii();
    fixdate(text)
        .or_else(|| rfc_850(text, now))
        .or_else(|| asctime(text))
}

fn fixdate(text: &[u8]) -> Option<Timestamp> {
    let mut cursor = Cursor { rest: text };
    cursor.word(&DAYS)?;
    cursor.literal(", ")?;
    let day = cursor.number(2)?;
    cursor.literal(" ")?;
    let month = cursor.word(&MONTHS)?;
    cursor.literal(" ")?;
    let year = cursor.number(4)?;
    cursor.literal(" ")?;
    let second = cursor.time_of_day()?;
    cursor.literal(" GMT")?;
    cursor.end()?;
    instant(year, month, day, second)
}

fn rfc_850(text: &[u8], now: Timestamp) -> Option<Timestamp> {
    let mut cursor = Cursor { rest: text };
    cursor.word(&LONG_DAYS)?;
    cursor.literal(", ")?;
    let day = cursor.number(2)?;
    cursor.literal("-")?;
    let month = cursor.word(&MONTHS)?;
    cursor.literal("-")?;
    let of_century = cursor.number(2)?;
    cursor.literal(" ")?;
    let second = cursor.time_of_day()?;
    cursor.literal(" GMT")?;
    cursor.end()?;
    // "Recipients of a timestamp value in rfc850-date format, which uses a two-digit year, MUST interpret a timestamp that
    // appears to be more than 50 years in the future as representing the most recent year in the past that had the same
    // last two digits." RFC 9110 section 5.6.7.
    let latest = now.plus(FIFTY_YEARS);
    let years = (19..=25_u64).rev().map(|century| {
        let year = century.saturating_mul(100).saturating_add(of_century);
        instant(year, month, day, second)
    });
    years.flatten().find(|date| *date <= latest)
}

fn asctime(text: &[u8]) -> Option<Timestamp> {
    let mut cursor = Cursor { rest: text };
    cursor.word(&DAYS)?;
    cursor.literal(" ")?;
    let month = cursor.word(&MONTHS)?;
    cursor.literal(" ")?;
    let day = match cursor.literal(" ") {
        Some(()) => cursor.number(1)?,
        None => cursor.number(2)?,
    };
    cursor.literal(" ")?;
    let second = cursor.time_of_day()?;
    cursor.literal(" ")?;
    let year = cursor.number(4)?;
    cursor.end()?;
    instant(year, month, day, second)
}

/// A second of a day; `month` counts from 0, `day` from 1. `None` where there is no such day, or none since 1970.
fn instant(year: u64, month: usize, day: u64, second: u64) -> Option<Timestamp> {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let leap_day = |from: usize| u64::from(is_leap && month >= from);
    let before = DAYS_BEFORE.get(month)?.saturating_add(leap_day(2));
    let after = DAYS_BEFORE.get(month.checked_add(1)?)?;
    let length = after.saturating_add(leap_day(1)).checked_sub(before)?;
    if !(1..=length).contains(&day) {
        return None;
    }
    let years = year.checked_sub(1970)?;
    let leap_days = leap_years_before(year).saturating_sub(leap_years_before(1970));
    let days = years
        .saturating_mul(365)
        .saturating_add(leap_days)
        .saturating_add(before)
        .saturating_add(day.saturating_sub(1));
    let seconds = days.saturating_mul(86_400).saturating_add(second);
    Some(Timestamp::from_secs(seconds))
}

/// Since the year 1, had the calendar been that of today.
fn leap_years_before(year: u64) -> u64 {
    let before = year.saturating_sub(1);
    (before / 4)
        .saturating_sub(before / 100)
        .saturating_add(before / 400)
}

/// What is left of a date.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// "Although all date formats are specified to be case-sensitive, a cache recipient SHOULD match the field value
    /// case-insensitively." RFC 9111 section 4.2.
    fn literal(&mut self, expected: &str) -> Option<()> {
        let (found, rest) = self.rest.split_at_checked(expected.len())?;
        let is_there = found.eq_ignore_ascii_case(expected.as_bytes());
        if is_there {
            self.rest = rest;
        }
        is_there.then_some(())
    }

    /// One of the words, as its place among them.
    fn word(&mut self, words: &[&str]) -> Option<usize> {
        words.iter().position(|word| self.literal(word).is_some())
    }

    /// So many digits.
    fn number(&mut self, digits: usize) -> Option<u64> {
        self.take(digits)?.iter().try_fold(0_u64, |sum, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            Some(sum.saturating_mul(10).saturating_add(digit.into()))
        })
    }

    /// Seconds since midnight.
    fn time_of_day(&mut self) -> Option<u64> {
        let hour = self.number(2)?;
        self.literal(":")?;
        let minute = self.number(2)?;
        self.literal(":")?;
        let second = self.number(2)?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let minutes = hour.saturating_mul(60).saturating_add(minute);
        Some(minutes.saturating_mul(60).saturating_add(second.min(59)))
    }

    fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::format_http_date;
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    fn secs(text: &str) -> Option<u64> {
        parse_http_date(text.as_bytes()).map(Timestamp::as_secs)
    }

    #[test]
    fn all_three_forms_are_read_in_any_case() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "\t Sun, 06 Nov 1994 08:49:37 GMT ",
            "sun, 06 nov 1994 08:49:37 gmt",
            "SUN, 06 NOV 1994 08:49:37 GMT",
            "sUNDAY, 06-nOV-94 08:49:37 gMT",
            "SUN NOV  6 08:49:37 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(secs(text), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn days_that_there_are() {
        for (text, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799)),
            ("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800)),
            ("Wed, 31 Dec 2025 23:59:60 GMT", Some(1_767_225_599)),
            ("Thu Dec 31 00:00:00 2026", Some(1_798_675_200)),
            (
                "Fri, 31 Dec 9999 23:59:59 GMT",
                Some(u64::MAX / 1_000_000_000),
            ),
            ("Sun, 29 Feb 2026 00:00:00 GMT", None),
            ("Mon, 29 Feb 2100 00:00:00 GMT", None),
            ("Fri, 31 Apr 2026 00:00:00 GMT", None),
            ("Fri, 00 Apr 2026 00:00:00 GMT", None),
            ("Fri, 99 Apr 2026 00:00:00 GMT", None),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Sat, 01 Jan 0000 00:00:00 GMT", None),
        ] {
            assert_eq!(secs(text), expected, "{text}");
        }
    }

    #[test]
    fn what_no_form_allows_is_no_date() {
        for text in [
            "",
            "0",
            "-1",
            "never",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 EST",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37 GMT+1",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 08:00:61 GMT",
            "Sun  06 Nov 1994 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov 1994 08:49:37 GMT",
            "Son, 06 Nov 1994 08:49:37 GMT",
            "06 Nov 1994 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "1994-11-06T08:49:37Z",
            "784111777",
        ] {
            assert_eq!(secs(text), None, "{text}");
        }
        assert_eq!(parse_http_date(b"Sun, 06 Nov 1994 08:49:37 G\xffT"), None);
    }

    #[test]
    fn two_digits_are_a_year_at_most_fifty_years_ahead() {
        let year_at = |now: &str, two: &str| {
            let now = parse_http_date(now.as_bytes()).unwrap();
            let date = format!("Sunday, 01-Jul-{two} 00:00:00 GMT");
            let read = parse_http_date_at(date.as_bytes(), now).map(format_http_date);
            read.and_then(|text| text.split(' ').nth(3)?.parse::<u32>().ok())
        };
        let in_2026 = "Mon, 23 Nov 2026 00:00:00 GMT";
        let in_1999 = "Mon, 22 Nov 1999 00:00:00 GMT";
        for (now, two, year) in [
            (in_2026, "26", Some(2026)),
            (in_2026, "76", Some(2076)),
            (in_2026, "77", Some(1977)),
            (in_2026, "99", Some(1999)),
            (in_2026, "00", Some(2000)),
            (in_1999, "49", Some(2049)),
            (in_1999, "69", None),
            (in_1999, "70", Some(1970)),
            ("Sat, 01 Jan 2110 00:00:00 GMT", "59", Some(2159)),
            ("Sat, 01 Jan 2110 00:00:00 GMT", "61", Some(2061)),
        ] {
            assert_eq!(year_at(now, two), year, "{two} {now}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn what_is_written_is_read(seconds in 0..u64::MAX / 1_000_000_000) {
            let text = format_http_date(Timestamp::from_secs(seconds));
            prop_assert_eq!(secs(&text), Some(seconds));
            prop_assert_eq!(secs(&text.to_ascii_uppercase()), Some(seconds));
        }

        #[test]
        fn another_reader_finds_the_same(
            day in 0..40_u32, month in proptest::sample::select(MONTHS.to_vec()), year in 1960..2300_u32,
            time in "[0-2][0-9]:[0-6][0-9]:[0-5][0-9]",
        ) {
            // The other reader wants the right weekday, so it is given all of them.
            let found = DAYS.iter().find_map(|weekday| {
                let text = format!("{weekday}, {day:02} {month} {year} {time} GMT");
                httpdate::parse_http_date(&text).ok()
            });
            let expected = found.map(|date| date.duration_since(UNIX_EPOCH).unwrap().as_secs());
            prop_assert_eq!(secs(&format!("Sun, {day:02} {month} {year} {time} GMT")), expected);
            let padded = format!("Sun {month} {day:2} {time} {year}");
            prop_assert_eq!(secs(&padded), expected);
        }
    }
}
