//! Wrong tokens, counted by where they come from, so that who guesses is told to wait.
//!
//! The right token is let in whatever was counted: an address can be forged where the proxy takes it from a field, and
//! nobody may lock the operator out by it. So this is a bound on what guessing costs the worker, and a sign in the numbers;
//! what keeps guessers out is the token's length. A call without a token is no guess. The count is the worker's own. Addresses
//! of IPv6 count by their first half, of which one guesser has all the rest; and so that it is no use to forge others,
//! there is a bound on all addresses together.

use std::cell::RefCell;

use larder_core::time::{Seconds, Timestamp};

/// So many wrong tokens within [`WINDOW`] close the door for as long.
const MOST: u8 = 10;
const WINDOW: Seconds = Seconds::clamped(60);

/// So many from all addresses do the same to all wrong tokens.
const MOST_OF_ALL: u32 = 1000;

/// So many addresses are kept in mind; the oldest gives way.
const ADDRESSES: usize = 1024;

/// Where a request comes from; nobody knows where that is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor(String);

/// Wrong tokens that came to a worker.
#[derive(Debug, Default)]
pub struct Failures(RefCell<Vec<Record>>);

#[derive(Clone, Debug)]
struct Record {
    visitor: Visitor,
    count: u8,
    until: Timestamp,
}

impl Visitor {
    /// By an address as Envoy writes it, with a port or without.
    pub fn of(address: &[u8]) -> Self {
        let text = std::str::from_utf8(address).unwrap_or_default();
        let host = match text.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None if text.contains("::") || text.matches(':').count() > 1 => Some(text),
            None => text.split(':').next(),
        };
        let host = host.unwrap_or_default();
        // An address of IPv4 within one of IPv6 is at its end.
        let host = match host.rsplit_once(':') {
            Some((_, v4)) if v4.contains('.') => v4,
            Some(_) => return Self(first_half(host)),
            None => host,
        };
        let is_address = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        match host.bytes().all(is_address) && host.len() <= 15 {
            true => Self(host.to_owned()),
            false => Self(String::new()),
        }
    }
}

/// The first four groups of an address of IPv6, zeros in their short form.
fn first_half(address: &str) -> String {
    let (before, behind) = address.split_once("::").unwrap_or((address, ""));
    let groups = |text: &str| text.split(':').filter(|group| !group.is_empty()).count();
    let zeros = 8_usize.saturating_sub(groups(before).saturating_add(groups(behind)));
    let before = before.split(':').filter(|group| !group.is_empty());
    let behind = behind.split(':').filter(|group| !group.is_empty());
    let all = before.chain(std::iter::repeat_n("0", zeros)).chain(behind);
    let half: Vec<&str> = all.take(4).map(short).collect();
    half.join(":")
}

fn short(group: &str) -> &str {
    match group.trim_start_matches('0') {
        "" => "0",
        digits => digits.get(..4).unwrap_or(digits),
    }
}

impl Failures {
    /// How long a visitor with a wrong token has yet to wait; `None` for who need not.
    pub fn wait(&self, visitor: &Visitor, now: Timestamp) -> Option<Seconds> {
        let records = self.0.try_borrow().ok()?;
        let current = records.iter().filter(|record| record.is_current(now));
        let all = current
            .map(|record| u32::from(record.count))
            .fold(0, u32::saturating_add);
        if all >= MOST_OF_ALL {
            return Some(WINDOW);
        }
        let record = records.iter().find(|record| record.visitor == *visitor)?;
        let is_closed = record.count >= MOST && record.is_current(now);
        is_closed.then(|| Seconds::clamped(record.until.since(now).get().max(1).into()))
    }

    /// A wrong token came.
    pub fn note(&self, visitor: Visitor, now: Timestamp) {
        let Ok(mut records) = self.0.try_borrow_mut() else {
            return; // no borrow outlives a call
        };
        records.retain(|record| record.is_current(now));
        let until = now.plus(WINDOW);
        let found = records.iter_mut().find(|record| record.visitor == visitor);
        match found {
            Some(record) => {
                record.count = record.count.saturating_add(1);
                if record.count >= MOST {
                    record.until = until;
                }
            }
            None => {
                if records.len() >= ADDRESSES {
                    records.remove(0); // the oldest
                }
                records.push(Record {
                    visitor,
                    count: 1,
                    until,
                });
            }
        }
    }
}

impl Record {
    /// The clock can step: a time further off than any that is set now is past.
    fn is_current(&self, now: Timestamp) -> bool {
        now < self.until && self.until <= now.plus(WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000;

    fn nobody() -> Visitor {
        Visitor::of(b"")
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(START.saturating_add(seconds))
    }

    #[test]
    fn the_tenth_wrong_token_within_a_minute_closes_the_door_for_a_minute() {
        let failures = Failures::default();
        let (guesser, other) = (Visitor::of(b"10.0.0.1:4711"), Visitor::of(b"10.0.0.2:4711"));
        for guess in 0..9 {
            failures.note(guesser.clone(), at(guess));
            assert_eq!(failures.wait(&guesser, at(guess)), None, "{guess}");
        }
        failures.note(guesser.clone(), at(59));
        assert_eq!(failures.wait(&guesser, at(59)), Some(Seconds::clamped(60)));
        assert_eq!(failures.wait(&guesser, at(118)), Some(Seconds::clamped(1)));
        assert_eq!(failures.wait(&other, at(59)), None);
        assert_eq!(failures.wait(&guesser, at(119)), None);
        failures.note(guesser.clone(), at(119));
        assert_eq!(failures.wait(&guesser, at(119)), None, "counted anew");
    }

    #[test]
    fn who_comes_from_ever_new_addresses_waits_too() {
        let failures = Failures::default();
        for address in 0..1000 {
            let visitor = Visitor(address.to_string());
            assert_eq!(failures.wait(&visitor, at(1)), None, "{address}");
            failures.note(visitor, at(1));
        }
        assert!(failures.wait(&Visitor::of(b"10.9.9.9:1"), at(2)).is_some());
        assert_eq!(failures.wait(&Visitor::of(b"10.9.9.9:1"), at(61)), None);
    }

    #[test]
    fn old_failures_do_not_count() {
        let failures = Failures::default();
        for guess in 0..30 {
            failures.note(nobody(), at(guess * 10));
            assert_eq!(failures.wait(&nobody(), at(guess * 10)), None);
        }
    }

    #[test]
    fn a_clock_that_steps_back_locks_nobody_out() {
        let failures = Failures::default();
        for _ in 0..10 {
            failures.note(nobody(), at(500));
        }
        assert!(failures.wait(&nobody(), at(501)).is_some());
        assert_eq!(failures.wait(&nobody(), at(0)), None);
    }

    #[test]
    fn a_visitor_is_an_address_whatever_its_port_and_lower_half() {
        let same = [
            [&b"10.0.0.1:1"[..], b"10.0.0.1:2", b"[::ffff:10.0.0.1]:3"],
            [
                b"[2001:db8::1]:1",
                b"[2001:db8:0:0:ffff::1]:1",
                b"2001:db8::2",
            ],
            [b"", b"/var/run/socket", b"\xff"],
        ];
        for addresses in same {
            let [first, second, third] = addresses.map(Visitor::of);
            assert!(
                first == second && second == third,
                "{first:?} {second:?} {third:?}"
            );
        }
        assert_eq!(Visitor::of(b""), nobody());
        assert_ne!(
            Visitor::of(b"[2001:db8::1]:1"),
            Visitor::of(b"[2001:db8:1::1]:1")
        );
    }

    #[test]
    fn only_so_many_addresses_are_kept() {
        let failures = Failures::default();
        for address in 0..5_000 {
            failures.note(Visitor(address.to_string()), at(address / 1_000));
        }
        assert_eq!(failures.0.borrow().len(), ADDRESSES);
        let newest = failures
            .0
            .borrow()
            .last()
            .map(|record| record.visitor.clone());
        assert_eq!(newest, Some(Visitor("4999".to_owned())));
    }
}
