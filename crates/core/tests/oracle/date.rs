//! HTTP dates.

use larder_core::time::{Timestamp, parse_http_date, parse_http_date_at};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// So many digits.
fn digits(text: &str, count: usize) -> Option<u64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap())
}

fn days_in(year: u64, month: usize) -> u64 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        1 if is_leap => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Nanoseconds since 1970, counted year by year and month by month.
fn instant(year: u64, month: &str, day: u64, time: &str) -> Option<u64> {
    let month = MONTHS.iter().position(|name| *name == month)?;
    let parts: Vec<_> = time.split(':').map(|part| digits(part, 2)).collect();
    let [Some(hour), Some(minute), Some(second)] = parts[..] else {
        return None;
    };
    if year < 1970
        || day == 0
        || day > days_in(year, month)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let years: u64 = (1970..year).map(|year| 337 + days_in(year, 1)).sum();
    let months: u64 = (0..month).map(|month| days_in(year, month)).sum();
    let hours = (years + months + day - 1) * 24 + hour;
    let seconds = (hours * 60 + minute) * 60 + second.min(59);
    Some(u64::try_from(u128::from(seconds) * 1_000_000_000).unwrap_or(u64::MAX))
}

fn reference(value: &[u8], now: u64) -> Option<u64> {
    let text = std::str::from_utf8(value)
        .ok()
        .filter(|text| text.is_ascii())?;
    let text = text
        .trim_matches([' ', '\t', '\n', '\r', '\x0c'])
        .to_ascii_lowercase();
    let words: Vec<_> = text.split(' ').collect();
    let short = |word: &str| DAYS.iter().any(|day| &day[..3] == word);
    match words[..] {
        [weekday, day, month, year, time, "gmt"]
            if weekday.strip_suffix(',').is_some_and(short) =>
        {
            instant(digits(year, 4)?, month, digits(day, 2)?, time)
        }
        [weekday, date, time, "gmt"]
            if weekday
                .strip_suffix(',')
                .is_some_and(|day| DAYS.contains(&day)) =>
        {
            let parts: Vec<_> = date.split('-').collect();
            let [day, month, year] = parts[..] else {
                return None;
            };
            let (day, year) = (digits(day, 2)?, digits(year, 2)?);
            let latest = now.saturating_add(50 * 31_556_952 * 1_000_000_000);
            let years = (1900..2600).filter(|other| other % 100 == year);
            let dates = years.filter_map(|year| instant(year, month, day, time));
            dates.filter(|date| *date <= latest).max()
        }
        [weekday, month, "", day, time, year] if short(weekday) => {
            instant(digits(year, 4)?, month, digits(day, 1)?, time)
        }
        [weekday, month, day, time, year] if short(weekday) => {
            instant(digits(year, 4)?, month, digits(day, 2)?, time)
        }
        _ => None,
    }
}

/// The first line is the time at which the others are read, in seconds.
pub(super) fn check(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let now = super::number(lines.next().unwrap_or_default()).unwrap_or(0);
    let now = Timestamp::from_secs(now);
    let value = lines.next().unwrap_or(data);
    let found = parse_http_date_at(value, now).map(Timestamp::as_nanos);
    assert_eq!(found, reference(value, now.as_nanos()));
    let in_2026 = 1_767_225_600 * 1_000_000_000;
    assert_eq!(
        parse_http_date(value).map(Timestamp::as_nanos),
        reference(value, in_2026)
    );
}
