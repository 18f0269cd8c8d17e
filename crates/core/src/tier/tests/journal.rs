//! Two orders meet, one worker after the other: what each answer and each own invalidation comes to.

use crate::epoch::{Currency, Mode};
use crate::fleet::{Contact, Cursor, Standing};
use crate::time::Seconds;
use crate::wire::{Answer, WriteToken};

use super::super::{Applied, Lead, LocalOrder, NotApplied};
use super::fleet_log::{FleetLog, OTHER};
use super::invalidations::{hard, of_all, of_names, of_stamps};
use super::process::Process;
use super::{NOW, at};

#[test]
fn who_has_been_in_no_contact_drops_everything_first() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    log.say(hard(1));
    let before = process.now();
    let bearings = process.bearings();
    assert_eq!((bearings.cursor(), bearings.synced()), (None, None));
    assert_eq!(bearings.contact(Seconds::MAX, NOW), Contact::Lost);
    assert_eq!(bearings.epoch_at(log.end()), None);
    assert_eq!(bearings.cursor_at(before), None);
    process.follow(&log);
    assert_eq!(process.judge(before, 9), Currency::Gone);
    let bearings = process.bearings();
    assert_eq!(bearings.cursor(), Some(log.end()));
    assert_eq!(bearings.cursor_at(process.now()), Some(log.end()));
    assert_eq!(bearings.cursor_at(before), None);
    let token = |seq| WriteToken::new(OTHER, seq, NOW);
    let bound = Seconds::clamped(30);
    let standing = |seq, now| bearings.standing(&token(seq), bound, now);
    assert_eq!(standing(1, NOW), Standing::Applied);
    assert_eq!(standing(2, NOW), Standing::Behind);
    let later = NOW.plus(Seconds::clamped(700));
    assert_eq!(standing(2, later), Standing::Behind, "out of contact");
    let forgotten = bearings.standing(&token(2), Seconds::clamped(40), at(1_641));
    assert_eq!(forgotten, Standing::Behind);
}

#[test]
fn what_others_say_is_applied_once_by_whoever_comes_first() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    process.follow(&log);
    let asked = process.bearings().cursor();
    let epoch = process.now();
    log.say(hard(1));
    log.say(of_stamps(&[2, 3], Mode::Hard));
    log.say(of_names("/p", Mode::Soft));
    let answer = log.poll(asked, 9);
    let applied = process.apply(0, asked, &answer);
    assert_eq!(applied, Ok(Applied::Followed(3)));
    let positions = process.now();
    assert_eq!(process.apply(1, asked, &answer), Err(NotApplied::Moved));
    assert_eq!(process.now(), positions, "nothing is appended twice");
    assert_eq!(process.judge(epoch, 3), Currency::Gone);
    let softened = Currency::Softened { since: Some(NOW) };
    assert_eq!(process.judge(epoch, 9), softened);
    assert_eq!(process.judge(positions, 1), Currency::Current);
}

#[test]
fn an_answer_to_another_question_is_not_applied() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    log.say(hard(1));
    process.follow(&log);
    let asked = process.bearings().cursor();
    let other_log = FleetLog {
        log: 5,
        ..FleetLog::default()
    };
    let answers = [
        Answer {
            reset: false,
            ..other_log.poll(None, 9)
        },
        Answer {
            cursor: log.at(0),
            ..log.poll(asked, 9)
        },
    ];
    for answer in answers {
        assert_eq!(process.apply(0, asked, &answer), Err(NotApplied::Unfit));
    }
    let answer = log.poll(asked, 9);
    assert_eq!(process.apply(0, None, &answer), Err(NotApplied::Moved));
}

#[test]
fn an_entry_is_met_by_what_its_cursor_does_not_have() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    process.follow(&log);
    let mut cursors = vec![log.end()];
    for stamp in 1..=3 {
        cursors.push(log.say(hard(stamp)));
        process.follow(&log);
    }
    let bearings = process.bearings();
    for (has, cursor) in cursors.into_iter().enumerate() {
        let epoch = bearings.epoch_at(cursor).unwrap();
        for stamp in 1..=3 {
            let expected = match stamp as usize <= has {
                true => Currency::Current,
                false => Currency::Gone,
            };
            assert_eq!(process.judge(epoch, stamp), expected, "{has} {stamp}");
        }
    }
    let ahead = log.say(hard(4));
    let epoch = bearings.epoch_at(ahead).unwrap();
    assert_eq!(process.judge(epoch, 3), Currency::Current);
    let rewritten = Cursor {
        check: 1,
        ..log.at(2)
    };
    assert_eq!(bearings.epoch_at(rewritten), None);
    let other = Cursor {
        log: 5,
        ..log.at(2)
    };
    assert_eq!(bearings.epoch_at(other), None);
}

#[test]
fn of_what_was_before_the_first_contact_nothing_is_brought_in() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    log.say(hard(1));
    log.say(hard(2));
    process.follow(&log);
    log.say(hard(3));
    process.follow(&log);
    let bearings = process.bearings();
    let known = |count| bearings.epoch_at(log.at(count)).is_some();
    assert_eq!([1, 2, 3].map(known), [false, true, true]);
}

#[test]
fn own_invalidations_go_out_come_back_and_are_not_applied_again() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    process.follow(&log);
    let (start, epoch) = (log.end(), process.now());
    let token = process.note(0, &hard(1));
    assert_eq!(process.judge(epoch, 1), Currency::Gone);
    // Nobody knows yet where it stands in the fleet's log.
    let bearings = process.bearings();
    assert_eq!((bearings.pending(), token.seq), (1, 1));
    assert_eq!(
        bearings.standing(&token, Seconds::ZERO, NOW),
        Standing::Applied
    );
    let imported = |process: &mut Process, cursor| process.bearings().epoch_at(cursor).unwrap();
    let brought_in = imported(&mut process, start);
    assert_eq!(process.judge(brought_in, 1), Currency::Gone);
    log.say(hard(2));
    process.post(&mut log);
    assert_eq!(process.bearings().pending(), 0, "it is durable");
    let (without, with) = (log.at(1), log.at(2));
    let brought_in = [without, with].map(|cursor| imported(&mut process, cursor));
    assert_eq!(process.judge(brought_in[0], 1), Currency::Gone);
    // What is behind the last look at the local order meets everything that is brought in.
    assert_eq!(process.judge(brought_in[1], 1), Currency::Gone);
    let refetched = process.now();
    process.follow(&log);
    assert_eq!(process.judge(refetched, 1), Currency::Current, "not again");
    assert_eq!(process.judge(refetched, 2), Currency::Gone);
    let brought_in = [without, with].map(|cursor| imported(&mut process, cursor));
    assert_eq!(process.judge(brought_in[0], 1), Currency::Gone);
    assert_eq!(process.judge(brought_in[1], 1), Currency::Current);
    assert_eq!(process.journals[0].batch(&process.kv), Ok(None));
}

#[test]
fn what_is_not_heard_of_is_said_again_and_stands_in_the_log_once() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    process.follow(&log);
    process.note(0, &hard(1));
    let unheard = process.journals[0].batch(&process.kv).unwrap().unwrap();
    log.post(&unheard);
    process.note(1, &of_all(Mode::Soft));
    process.post(&mut log);
    assert_eq!(log.records.len(), 2);
    assert_eq!(process.journals[0].batch(&process.kv), Ok(None));
    // What came back before it was acknowledged.
    process.note(0, &hard(3));
    let batch = process.journals[0].batch(&process.kv).unwrap().unwrap();
    let posted = log.post(&batch);
    process.follow(&log);
    assert_eq!(process.bearings().pending(), 0);
    let late = process.journals[0].acknowledge(&process.kv, &batch, &posted);
    assert_eq!(late, Ok(()));
    assert_eq!(process.bearings().epoch_at(log.end()), Some(process.now()));
}

#[test]
fn one_worker_polls_until_it_is_silent() {
    let mut process = Process::new();
    let mut lead = |worker: usize, now| process.journals[worker].lead(&process.kv, at(now));
    assert_eq!(lead(0, 100), Ok(Lead::Ours));
    assert_eq!(lead(1, 101), Ok(Lead::Others));
    assert_eq!(lead(0, 102), Ok(Lead::Ours));
    assert_eq!(lead(1, 104), Ok(Lead::Others));
    assert_eq!(lead(1, 105), Ok(Lead::Ours));
    assert_eq!(lead(0, 106), Ok(Lead::Others));
    assert_eq!(lead(0, 50), Ok(Lead::Ours), "the clock was set back");
    assert_eq!(lead(1, 51), Ok(Lead::Others));
}

#[test]
fn contact_lasts_for_as_long_as_was_agreed() {
    let (mut process, log) = (Process::new(), FleetLog::default());
    process.follow(&log);
    let bearings = process.bearings();
    let contact = |now| bearings.contact(Seconds::clamped(30), now);
    let later = |seconds| NOW.plus(Seconds::clamped(seconds));
    assert_eq!(contact(NOW), Contact::Kept);
    assert_eq!(contact(later(30)), Contact::Kept);
    assert_eq!(contact(later(31)), Contact::Lost);
    assert_eq!(contact(at(999)), Contact::Kept);
    assert_eq!(contact(at(900)), Contact::Lost, "the clock was set back");
}

#[test]
fn there_is_no_contact_while_there_is_more() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    process.follow(&log);
    let synced = process.bearings().synced();
    assert_eq!(synced, Some(NOW));
    log.say(hard(1));
    log.say(hard(2));
    let asked = process.bearings().cursor();
    let answer = log.poll(asked, 1);
    let later = LocalOrder {
        kv: &process.kv,
        hint: &process.hint,
        epochs: &process.epochs[0],
        now: at(2_000),
    };
    process.journals[0]
        .apply(&later, asked, &answer, at(2_000))
        .unwrap();
    assert_eq!(process.bearings().synced(), synced);
}

#[test]
fn a_write_that_is_long_past_keeps_nobody_from_what_is_stored() {
    let (mut process, log) = (Process::new(), FleetLog::default());
    process.follow(&log);
    let bearings = process.bearings();
    let bound = Seconds::clamped(30);
    let noted_before = |seconds: u64| {
        let token = WriteToken::new(OTHER, 1, at(NOW.as_secs() - seconds));
        bearings.standing(&token, bound, NOW)
    };
    assert_eq!(noted_before(600), Standing::Behind);
    assert_eq!(noted_before(691), Standing::Applied);
    let lost = bearings.standing(&WriteToken::new(OTHER, 1, at(0)), bound, at(2_000));
    assert_eq!(lost, Standing::Behind, "out of contact");
}

#[test]
fn the_version_of_the_configuration_is_kept() {
    let mut process = Process::new();
    assert_eq!(process.bearings().config(), 0);
    process.journals[1].note_config(&process.kv, 7).unwrap();
    assert_eq!(process.bearings().config(), 7);
}

#[test]
fn what_was_noted_apart_from_the_fleet_is_told_when_it_is_back() {
    let (mut process, mut log) = (Process::new(), FleetLog::default());
    process.note_apart(0, &hard(1));
    process.follow(&log);
    assert_eq!(process.bearings().pending(), 0, "there was no fleet yet");
    let (cursor, before) = (log.end(), process.bearings().instance());
    process.note_apart(1, &hard(2));
    let bearings = process.bearings();
    assert_eq!((bearings.instance(), bearings.pending()), (before, 1));
    // What the fleet has from before is met by it, and other things are not.
    let brought_in = bearings.epoch_at(cursor).unwrap();
    assert_eq!(process.judge(brought_in, 2), Currency::Gone);
    assert_eq!(process.judge(brought_in, 9), Currency::Current);
    process.post(&mut log);
    assert_eq!(log.last(before), 1);
    process.follow(&log);
    let brought_in = process.bearings().epoch_at(log.end()).unwrap();
    assert_eq!(process.judge(brought_in, 2), Currency::Current);
}

#[test]
fn who_was_never_of_a_fleet_leaves_no_cells_for_one() {
    let mut process = Process::new();
    let before = process.kv.names();
    process.note_apart(0, &hard(1));
    let names = process.kv.names();
    let of_fleets = ["larder1n", "larder1j", "larder1u"];
    assert_eq!(before.len(), 0);
    assert!(!names.is_empty());
    assert!(names.iter().all(|name| !of_fleets.contains(&name.as_str())));
}
