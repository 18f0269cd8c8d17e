use super::*;
use crate::config::{RuleHash, StaleWindow, StaleWindows};
use crate::entry::{StalePermission, Staleness};
use crate::policy::sample;

#[test]
fn age_demands_and_rule_decide() {
    let within = |max_age, min_fresh| Demands::Within {
        max_age: Seconds::clamped(max_age),
        max_stale: None,
        min_fresh: Seconds::clamped(min_fresh),
    };
    let fresh = |age, ttl_left| Reuse::Fresh {
        age: Seconds::clamped(age),
        ttl_left: Seconds::clamped(ttl_left),
    };
    let not = Reuse::Unusable;
    // The sample arrived at 1000, ten seconds old, and is fresh until it is 70 seconds old.
    #[rustfmt::skip]
    let rows = [
        ("on arrival", 1, Demands::Nothing, 1000, fresh(10, 60)),
        ("before arrival: the clock stepped", 1, Demands::Nothing, 5, fresh(10, 60)),
        ("in its last second", 1, Demands::Nothing, 1059, fresh(69, 1)),
        ("as old as it may get", 1, Demands::Nothing, 1060, not(Reason::Expired)),
        ("ages later", 1, Demands::Nothing, u64::MAX, not(Reason::Expired)),
        ("under another rule", 2, Demands::Nothing, 1000, not(Reason::OtherRule)),
        ("to be confirmed", 1, Demands::Confirmed, 1000, not(Reason::RequestDirective)),
        ("just young enough", 1, within(20, 0), 1010, fresh(20, 50)),
        ("too old for this client", 1, within(19, 0), 1010, not(Reason::RequestDirective)),
        ("just long enough", 1, within(99, 50), 1010, fresh(20, 50)),
        ("too short for this client", 1, within(99, 51), 1010, not(Reason::RequestDirective)),
        ("expired for everyone", 1, Demands::Confirmed, 1060, not(Reason::Expired)),
    ];
    for (name, rule, demands, now, expected) in rows {
        let now = Timestamp::from_secs(now);
        let found = judge(
            (&sample::meta(), Currency::Current),
            terms(rule),
            demands,
            now,
        );
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn what_is_stale_is_used_where_client_and_origin_agree() {
    use StalePermission::{Forbidden, ForbiddenBySMaxage, Granted};
    let taking = |max_stale, max_age, min_fresh| Demands::Within {
        max_age: Seconds::clamped(max_age),
        max_stale: Some(Seconds::clamped(max_stale)),
        min_fresh: Seconds::clamped(min_fresh),
    };
    let up_to = |max_stale| taking(max_stale, u64::MAX, 0);
    let stale = |overdue: u64| {
        Reuse::Stale(Stale {
            age: Seconds::clamped(overdue.saturating_add(70)),
            overdue: Seconds::clamped(overdue),
            why: Reason::MaxStale,
        })
    };
    let expired = Reuse::Validate(Reason::Expired);
    let fresh = |ttl_left| Reuse::Fresh {
        age: Seconds::clamped(70 - ttl_left),
        ttl_left: Seconds::clamped(ttl_left),
    };
    // The sample is no longer fresh at 1060, when it is 70 seconds old.
    #[rustfmt::skip]
    let rows = [
        ("just stale", Granted, up_to(5), 1060, stale(0)),
        ("just stale enough", Granted, up_to(5), 1065, stale(5)),
        ("too stale", Granted, up_to(5), 1066, expired),
        ("not at all", Granted, up_to(0), 1061, expired),
        ("still fresh", Granted, up_to(5), 1059, fresh(1)),
        ("of any age", Granted, up_to(u64::MAX), 2_000_000, stale(1_998_940)),
        ("the client says nothing", Granted, Demands::Nothing, 1060, expired),
        ("the client wants it confirmed", Granted, Demands::Confirmed, 1060, expired),
        ("the origin forbids it", Forbidden, up_to(5), 1060, expired),
        ("s-maxage forbids it", ForbiddenBySMaxage, up_to(5), 1060, expired),
        ("forbidden, but fresh", Forbidden, up_to(5), 1059, fresh(1)),
        ("stale and young enough", Granted, taking(9, 75, 0), 1065, stale(5)),
        ("stale and too old", Granted, taking(9, 74, 0), 1065, expired),
        ("stale, and to stay fresh", Granted, taking(9, 99, 1), 1065, expired),
    ];
    for (name, permission, demands, now, expected) in rows {
        let meta = Meta {
            staleness: Staleness {
                permission,
                ..sample::meta().staleness
            },
            validation: Validation::WhenStale,
            ..sample::meta()
        };
        let now = Timestamp::from_secs(now);
        let found = judge((&meta, Currency::Current), terms(1), demands, now);
        assert_eq!(found, expected, "{name}");
        let over = judge((&meta, Currency::Invalidated), terms(1), demands, now);
        assert_eq!(over, Reuse::Validate(Reason::Invalidated), "{name}");
        let gone = judge((&meta, Currency::Gone), terms(1), demands, now);
        assert_eq!(gone, Reuse::Unusable(Reason::Invalidated), "{name}");
        let other = judge((&meta, Currency::Current), terms(2), demands, now);
        assert_eq!(other, Reuse::Validate(Reason::OtherRule), "{name}");
        let always = Meta {
            validation: Validation::Always,
            ..meta
        };
        let always = judge((&always, Currency::Current), terms(1), demands, now);
        assert_eq!(always, Reuse::Validate(Reason::NoCache), "{name}");
    }
}

#[test]
fn a_soft_purge_makes_stale_and_no_more() {
    use StalePermission::{Forbidden, Granted};
    let up_to = |most| Demands::Within {
        max_age: Seconds::MAX,
        max_stale: Some(Seconds::clamped(most)),
        min_fresh: Seconds::ZERO,
    };
    let stale = |age, overdue| {
        Reuse::Stale(Stale {
            age: Seconds::clamped(age),
            overdue: Seconds::clamped(overdue),
            why: Reason::MaxStale,
        })
    };
    let asked = Reuse::Validate(Reason::SoftPurged);
    // The sample was asked for at 999, and arrived at 1000, ten seconds old; it would be fresh until 1060.
    #[rustfmt::skip]
    let rows = [
        ("nobody takes it stale", Granted, Demands::Nothing, 1004, asked),
        ("to be confirmed", Granted, Demands::Confirmed, 1004, asked),
        ("stale since its request at the longest", Granted, up_to(5), 1004, stale(14, 5)),
        ("perhaps for longer than that", Granted, up_to(4), 1004, asked),
        ("the origin forbids it", Forbidden, up_to(5), 1004, asked),
        ("when it would be stale anyway", Granted, up_to(99), 1065, stale(75, 66)),
    ];
    for (name, permission, demands, now, expected) in rows {
        let mut meta = sample::meta();
        meta.staleness.permission = permission;
        meta.validation = Validation::WhenStale;
        let now = Timestamp::from_secs(now);
        let found = judge(
            (&meta, Currency::Softened { since: None }),
            terms(1),
            demands,
            now,
        );
        assert_eq!(found, expected, "{name}");
        let other = judge(
            (&meta, Currency::Softened { since: None }),
            terms(2),
            demands,
            now,
        );
        assert_eq!(other, Reuse::Validate(Reason::OtherRule), "{name}");
        meta.validation = Validation::Never;
        let found = judge(
            (&meta, Currency::Softened { since: None }),
            terms(1),
            demands,
            now,
        );
        let unasked = match expected {
            Reuse::Validate(reason) => Reuse::Unusable(reason),
            Reuse::Fresh { .. }
            | Reuse::Stale(_)
            | Reuse::StaleMeanwhile { .. }
            | Reuse::Unusable(_) => expected,
        };
        assert_eq!(found, unasked, "{name}");
    }
}

#[test]
fn a_soft_purge_counts_from_when_it_came() {
    let mut meta = sample::meta();
    meta.validation = Validation::WhenStale;
    let takes = Demands::Within {
        max_age: Seconds::MAX,
        max_stale: Some(Seconds::MAX),
        min_fresh: Seconds::ZERO,
    };
    // The sample was asked for at 999; it would be fresh until 1060.
    #[rustfmt::skip]
    let rows = [
        ("at once", Some(1004), 1004, 0),
        ("a while ago", Some(1004), 1024, 20),
        ("nobody knows when", None, 1024, 25),
        ("before its request: another one counts as one with it", Some(990), 1024, 25),
        ("the clock has stepped back since", Some(1025), 1024, 25),
        ("it is stale by itself, and for longer", Some(1090), 1100, 40),
        ("it is stale by itself, but not for so long", Some(1004), 1100, 96),
    ];
    for (name, since, now, expected) in rows {
        let since = since.map(Timestamp::from_secs);
        let now = Timestamp::from_secs(now);
        let found = judge((&meta, Currency::Softened { since }), terms(1), takes, now);
        let Reuse::Stale(stale) = found else {
            panic!("{name}: {found:?}");
        };
        assert_eq!(stale.overdue.get(), expected, "{name}");
    }
}

#[test]
fn what_the_origin_can_be_asked_about_is_not_thrown_away() {
    let meta = |validation| Meta {
        validation,
        ..sample::meta()
    };
    let at = |meta: &Meta, seconds| {
        let now = Timestamp::from_secs(seconds);
        judge((meta, Currency::Current), terms(1), Demands::Nothing, now)
    };
    let stale = meta(Validation::WhenStale);
    assert!(matches!(at(&stale, 1000), Reuse::Fresh { .. }));
    assert_eq!(at(&stale, 1060), Reuse::Validate(Reason::Expired));
    assert_eq!(
        at(&meta(Validation::Always), 1000),
        Reuse::Validate(Reason::NoCache)
    );
    assert_eq!(
        at(&meta(Validation::Never), 1060),
        Reuse::Unusable(Reason::Expired)
    );
}

fn terms(rule: u64) -> Terms {
    Terms::while_fresh(RuleHash(rule))
}

/// What the operator lets be used stale, for so many seconds while it is made fresh and when the origin fails.
fn letting(while_revalidate: u64, if_error: u64) -> Terms {
    Terms {
        stale: StaleWindows {
            while_revalidate: StaleWindow::Otherwise(Seconds::clamped(while_revalidate)),
            if_error: StaleWindow::Otherwise(Seconds::clamped(if_error)),
        },
        ..terms(1)
    }
}

/// The same, whatever the origin says.
fn insisting_on(while_revalidate: u64, if_error: u64) -> Terms {
    Terms {
        stale: StaleWindows {
            while_revalidate: StaleWindow::Instead(Seconds::clamped(while_revalidate)),
            if_error: StaleWindow::Instead(Seconds::clamped(if_error)),
        },
        ..terms(1)
    }
}

/// The sample of which the origin says this; it is no longer fresh at 1060, when it is 70 seconds old.
fn stale_from_1060(permission: StalePermission, said: [Option<u64>; 2]) -> Meta {
    let [while_revalidate, if_error] = said.map(|said| said.map(Seconds::clamped));
    Meta {
        staleness: Staleness {
            permission,
            while_revalidate,
            if_error,
        },
        ..sample::meta()
    }
}

fn stale(overdue: u64, why: Reason) -> Stale {
    Stale {
        age: Seconds::clamped(overdue.saturating_add(70)),
        overdue: Seconds::clamped(overdue),
        why,
    }
}

const UNSAID: [Option<u64>; 2] = [None, None];

#[test]
fn what_is_stale_is_used_while_it_is_made_fresh() {
    use StalePermission::{Forbidden, ForbiddenBySMaxage, Granted};
    let within = |max_age, max_stale: Option<u64>, min_fresh| Demands::Within {
        max_age: Seconds::clamped(max_age),
        max_stale: max_stale.map(Seconds::clamped),
        min_fresh: Seconds::clamped(min_fresh),
    };
    let swr = |overdue| Reuse::StaleMeanwhile {
        stale: stale(overdue, Reason::Swr),
        obstacle: Reason::Expired,
    };
    let over = Reuse::Unusable(Reason::Expired);
    let fresh = Reuse::Fresh {
        age: Seconds::clamped(69),
        ttl_left: Seconds::clamped(1),
    };
    let any = Demands::Nothing;
    let origin = [Some(10), None];
    #[rustfmt::skip]
    let rows = [
        ("nobody says anything", Granted, UNSAID, letting(0, 0), any, 1060, over),
        ("only for errors", Granted, [None, Some(99)], letting(0, 99), any, 1060, over),
        ("fresh", Granted, origin, letting(0, 0), any, 1059, fresh),
        ("the origin lets it, from the first second", Granted, origin, letting(0, 0), any, 1060, swr(0)),
        ("to the last", Granted, origin, letting(0, 0), any, 1069, swr(9)),
        ("and no longer", Granted, origin, letting(0, 0), any, 1070, over),
        ("the rule does", Granted, UNSAID, letting(5, 0), any, 1064, swr(4)),
        ("and no longer", Granted, UNSAID, letting(5, 0), any, 1065, over),
        ("the origin's word comes first", Granted, [Some(2), None], letting(50, 0), any, 1062, over),
        ("also where it is no", Granted, [Some(0), None], letting(50, 0), any, 1060, over),
        ("unless the rule insists", Granted, [Some(2), None], insisting_on(50, 0), any, 1109, swr(49)),
        ("also on no", Granted, origin, insisting_on(0, 0), any, 1060, over),
        ("but not against the origin's no", Forbidden, origin, insisting_on(50, 50), any, 1060, over),
        ("the origin forbids what the rule lets", Forbidden, UNSAID, letting(50, 0), any, 1060, over),
        ("and what it lets itself", Forbidden, origin, letting(0, 0), any, 1060, over),
        ("s-maxage and a window beside it", ForbiddenBySMaxage, origin, letting(0, 0), any, 1061, swr(1)),
        ("s-maxage and a rule's window", ForbiddenBySMaxage, UNSAID, letting(5, 0), any, 1061, swr(1)),
        ("s-maxage alone", ForbiddenBySMaxage, UNSAID, letting(0, 0), any, 1060, over),
        ("another rule", Granted, origin, letting_under(2), any, 1060, Reuse::Unusable(Reason::OtherRule)),
        ("to be confirmed", Granted, origin, letting(0, 0), Demands::Confirmed, 1060, over),
        ("young enough", Granted, origin, letting(0, 0), within(71, None, 0), 1061, swr(1)),
        ("too old for this client", Granted, origin, letting(0, 0), within(70, None, 0), 1061, over),
        ("it is to stay fresh", Granted, origin, letting(0, 0), within(99, None, 1), 1061, over),
        ("the client takes it so", Granted, origin, letting(0, 0), within(99, Some(1), 0), 1061, swr(1)),
        ("but not that stale", Granted, origin, letting(0, 0), within(99, Some(1), 0), 1062, over),
    ];
    for (name, permission, said, terms, demands, now, expected) in rows {
        let meta = stale_from_1060(permission, said);
        let now = Timestamp::from_secs(now);
        let found = judge((&meta, Currency::Current), terms, demands, now);
        assert_eq!(found, expected, "{name}");
        for (currency, reason) in [
            (Currency::Gone, Reason::Invalidated),
            (Currency::Invalidated, Reason::Invalidated),
        ] {
            let found = judge((&meta, currency), terms, demands, now);
            assert_eq!(found, Reuse::Unusable(reason), "{name}");
        }
    }
}

fn letting_under(rule: u64) -> Terms {
    Terms {
        rule: RuleHash(rule),
        ..letting(50, 50)
    }
}

#[test]
fn what_is_stale_is_used_where_the_origin_fails() {
    use StalePermission::{Forbidden, ForbiddenBySMaxage, Granted};
    let asks = |max_age| Demands::Within {
        max_age: Seconds::clamped(max_age),
        max_stale: None,
        min_fresh: Seconds::ZERO,
    };
    let open = |beyond| Need::Open(Seconds::clamped(beyond));
    let sie = |overdue| Some(stale(overdue, Reason::Sie));
    let without = |overdue| Some(stale(overdue, Reason::BreakerOpen));
    let any = Demands::Nothing;
    let failed = Need::Failed;
    let origin = [None, Some(10)];
    #[rustfmt::skip]
    let rows = [
        ("nobody says anything", Granted, UNSAID, letting(0, 0), any, failed, 1060, None),
        ("fresh is no case of need", Granted, origin, letting(0, 0), any, failed, 1059, None),
        ("the origin lets it", Granted, origin, letting(0, 0), any, failed, 1069, sie(9)),
        ("and no longer", Granted, origin, letting(0, 0), any, failed, 1070, None),
        ("the rule does", Granted, UNSAID, letting(0, 5), any, failed, 1064, sie(4)),
        ("what may be used meanwhile", Granted, [Some(10), Some(0)], letting(0, 0), any, failed, 1069, sie(9)),
        ("the origin forbids it", Forbidden, origin, letting(0, 0), any, failed, 1060, None),
        ("s-maxage and a window", ForbiddenBySMaxage, origin, letting(0, 0), any, failed, 1060, sie(0)),
        ("s-maxage alone", ForbiddenBySMaxage, UNSAID, letting(0, 0), any, open(99), 1060, None),
        ("another rule", Granted, origin, letting_under(2), any, failed, 1060, None),
        ("to be confirmed", Granted, origin, letting(0, 0), Demands::Confirmed, failed, 1060, None),
        ("too old for this client", Granted, origin, letting(0, 0), asks(70), failed, 1061, None),
        ("young enough", Granted, origin, letting(0, 0), asks(71), failed, 1061, sie(1)),
        ("nobody is asked: within the window", Granted, origin, letting(0, 0), any, open(0), 1069, without(9)),
        ("and no longer", Granted, origin, letting(0, 0), any, open(0), 1070, None),
        ("unless somebody says so", Granted, origin, letting(0, 0), any, open(5), 1074, without(14)),
        ("and no longer than that", Granted, origin, letting(0, 0), any, open(5), 1075, None),
        ("without a window", Granted, UNSAID, letting(0, 0), any, open(5), 1064, without(4)),
        ("never what is forbidden", Forbidden, origin, letting(5, 5), any, open(5), 1060, None),
    ];
    for (name, permission, said, terms, demands, need, now, expected) in rows {
        let meta = stale_from_1060(permission, said);
        let now = Timestamp::from_secs(now);
        let judge =
            |meta: &Meta, currency| judge_in_need((meta, currency), terms, demands, need, now);
        assert_eq!(judge(&meta, Currency::Current), expected, "{name}");
        assert_eq!(judge(&meta, Currency::Gone), None, "{name}");
        assert_eq!(judge(&meta, Currency::Invalidated), None, "{name}");
        let always = Meta {
            validation: Validation::Always,
            ..meta
        };
        assert_eq!(judge(&always, Currency::Current), None, "{name}");
    }
}

#[test]
fn a_softly_purged_response_is_used_for_its_windows() {
    // Asked for at 999: of the purge is only known that it came later.
    let meta = stale_from_1060(StalePermission::Granted, [Some(10), Some(20)]);
    let at = |now, terms| {
        let now = Timestamp::from_secs(now);
        let meta = (&meta, Currency::Softened { since: None });
        let found = judge(meta, terms, Demands::Nothing, now);
        let in_need = judge_in_need(meta, terms, Demands::Nothing, Need::Failed, now);
        (found, in_need.map(|stale| stale.overdue.get()))
    };
    let soft = |age, overdue| Reuse::StaleMeanwhile {
        stale: Stale {
            age: Seconds::clamped(age),
            overdue: Seconds::clamped(overdue),
            why: Reason::Swr,
        },
        obstacle: Reason::SoftPurged,
    };
    let over = Reuse::Unusable(Reason::SoftPurged);
    assert_eq!(at(1008, letting(0, 0)), (soft(18, 9), Some(9)));
    assert_eq!(at(1009, letting(0, 0)), (over, Some(10)));
    assert_eq!(at(1018, letting(0, 0)), (over, Some(19)));
    assert_eq!(at(1019, letting(0, 0)), (over, None));
}

#[test]
fn a_stored_failure_hides_no_failure() {
    let mut policy = sample::policy();
    policy.sparing.stale = letting(5, 7).stale;
    assert_eq!(Terms::of(&policy, 200).stale, letting(5, 7).stale);
    let said = stale_from_1060(StalePermission::Granted, [Some(10), Some(10)]).staleness;
    assert_eq!(Terms::of(&policy, 503).longest(&said), Seconds::ZERO);
}

#[test]
fn what_may_be_used_stale_is_worth_its_place() {
    use StalePermission::{Forbidden, ForbiddenBySMaxage, Granted};
    #[rustfmt::skip]
    let rows = [
        ("nobody says anything", Granted, UNSAID, letting(0, 0), 0, 0),
        ("the longer of the two", Granted, [Some(10), Some(20)], letting(0, 0), 0, 20),
        ("either", Granted, [Some(30), Some(20)], letting(0, 0), 0, 30),
        ("the rule's", Granted, UNSAID, letting(5, 7), 0, 7),
        ("and beyond", Granted, UNSAID, letting(5, 7), 3, 10),
        ("forbidden", Forbidden, [Some(10), Some(20)], letting(5, 7), 3, 0),
        ("s-maxage alone", ForbiddenBySMaxage, UNSAID, letting(0, 0), 3, 0),
        ("s-maxage and a window", ForbiddenBySMaxage, UNSAID, letting(0, 7), 3, 10),
    ];
    for (name, permission, said, terms, beyond, expected) in rows {
        let meta = stale_from_1060(permission, said);
        let worth = terms.worth(&meta.staleness, Seconds::clamped(beyond));
        assert_eq!(worth, Seconds::clamped(expected), "{name}");
    }
}
