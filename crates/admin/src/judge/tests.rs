use larder_core::entry::StampList;
use larder_core::epoch::{NamePattern, Scope};
use larder_core::key::Key;

use super::*;

const LOG: u64 = 7;

fn at(position: u64) -> Cursor {
    let check = match position {
        0 => 0,
        _ => 100 + position as u32,
    };
    Cursor {
        log: LOG,
        position,
        check,
    }
}

fn tag(name: &str) -> Stamp {
    Scope::Tag(name.as_bytes()).stamp()
}

fn of_tag(name: &str, mode: Mode) -> Invalidation {
    let coverage = Coverage::of_tag(name.as_bytes());
    Invalidation { coverage, mode }
}

fn of_pattern(text: &str) -> Invalidation {
    let coverage = Coverage::Names(NamePattern::parse(text).unwrap());
    let mode = Mode::Soft;
    Invalidation { coverage, mode }
}

fn everything() -> Invalidation {
    let (coverage, mode) = (Coverage::All, Mode::Invalid);
    Invalidation { coverage, mode }
}

/// `GET:a/p`
fn name() -> KeyName {
    Key::from_canonical(b"\x01\x02\x01\0\0\0a\x03\x02\0\0\0/p".to_vec()).name()
}

fn following(from: Cursor, records: &[Invalidation], capacity: Capacity) -> Judge {
    let mut judge = Judge::new(from, capacity);
    for (place, record) in records.iter().enumerate() {
        judge.note(at(from.position + 1 + place as u64), record);
    }
    judge
}

fn verdict(judge: &Judge, cursor: Cursor, tags: &[&str]) -> Verdict {
    let stamps: StampList = tags.iter().map(|name| tag(name)).collect();
    judge.judge(cursor, Some(stamps.as_stamps()), &name())
}

fn covered(by: u64, mode: Mode) -> Verdict {
    Verdict::Covered { by, mode }
}

#[test]
fn what_stands_behind_the_cursor_and_covers_ends_an_entry() {
    let records = [
        of_tag("a", Mode::Hard),
        of_tag("b", Mode::Soft),
        of_tag("a", Mode::Soft),
        of_pattern("/p*"),
        of_pattern("/q"),
    ];
    let judge = following(at(0), &records, Capacity::USUAL);
    for (cursor, tags, expected) in [
        // The hard one counts, although a soft one is newer.
        (0, &["a"][..], covered(1, Mode::Hard)),
        (1, &["a"], covered(4, Mode::Soft)),
        (1, &["b"], covered(4, Mode::Soft)),
        (4, &["a", "b"], Verdict::Current),
        (5, &["a", "b"], Verdict::Current),
        (3, &[], covered(4, Mode::Soft)),
        (6, &[], Verdict::Ahead),
    ] {
        assert_eq!(
            verdict(&judge, at(cursor), tags),
            expected,
            "{cursor} {tags:?}"
        );
    }
    assert_eq!(judge.end(), at(5));
}

#[test]
fn everything_covers_also_what_has_no_stamps() {
    let judge = following(at(0), &[everything()], Capacity::USUAL);
    let verdict = |cursor| judge.judge(cursor, None, &name());
    assert_eq!(verdict(at(0)), covered(1, Mode::Invalid));
    assert_eq!(verdict(at(1)), Verdict::Current);
}

#[test]
fn a_cursor_that_names_another_record_is_of_no_use() {
    let judge = following(at(3), &[of_tag("a", Mode::Hard)], Capacity::USUAL);
    let other = |position, check, log| Cursor {
        log,
        position,
        check,
    };
    for (cursor, expected) in [
        (at(4), Verdict::Current),
        (at(3), Verdict::Current),
        (other(4, 9, LOG), Verdict::Foreign),
        (other(3, 9, LOG), Verdict::Foreign),
        (other(4, 104, 8), Verdict::Foreign),
        (at(2), Verdict::TooOld),
        (at(0), Verdict::TooOld),
        (at(5), Verdict::Ahead),
    ] {
        assert_eq!(verdict(&judge, cursor, &[]), expected, "{cursor}");
    }
}

#[test]
fn in_front_of_the_oldest_record_nobody_knows_whose_cursor_it_is() {
    let mut judge = Judge::in_front_of(at(5), Capacity::USUAL);
    judge.note(at(5), &of_tag("a", Mode::Hard));
    assert_eq!(verdict(&judge, at(4), &[]), Verdict::TooOld);
    assert_eq!(verdict(&judge, at(5), &["a"]), Verdict::Current);
    let mut judge = Judge::in_front_of(at(1), Capacity::USUAL);
    judge.note(at(1), &of_tag("a", Mode::Hard));
    assert_eq!(verdict(&judge, at(0), &["a"]), covered(1, Mode::Hard));
    assert_eq!(verdict(&judge, at(0), &["b"]), Verdict::Current);
}

#[test]
fn where_there_is_too_much_the_oldest_is_forgotten_and_nothing_older_is_current() {
    let few = Capacity {
        records: 100,
        stamps: 4,
        patterns: 2,
    };
    let tags: Vec<_> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|name| of_tag(name, Mode::Hard))
        .collect();
    let judge = following(at(0), &tags, few);
    assert_eq!(verdict(&judge, at(0), &["x"]), Verdict::TooOld);
    assert_eq!(verdict(&judge, at(2), &["x"]), Verdict::Current);
    assert_eq!(verdict(&judge, at(2), &["e"]), covered(5, Mode::Hard));

    let patterns = [of_pattern("/a"), of_pattern("/b"), of_pattern("/p")];
    let judge = following(at(0), &patterns, few);
    assert_eq!(verdict(&judge, at(0), &[]), Verdict::TooOld);
    assert_eq!(verdict(&judge, at(1), &[]), covered(3, Mode::Soft));
    assert_eq!(verdict(&judge, at(3), &[]), Verdict::Current);

    let records = Capacity { records: 4, ..few };
    let judge = following(at(0), &tags, records);
    assert_eq!(verdict(&judge, at(1), &["x"]), Verdict::TooOld);
    assert_eq!(verdict(&judge, at(2), &["x"]), Verdict::Current);
}
