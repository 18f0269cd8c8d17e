//! How the origin is spared, as the operator wrote it.

use serde_json::Value;

use super::compression::read_share;
use super::origin::{BreakerSettings, Coalescing, Negative, Sparing, StaleWindow, StaleWindows};
use super::raw::seconds;
use super::raw_rule::status;
use super::read::{Cursor, Fields, Given};
use super::word::names;
use super::{Share, Ttl};
use crate::sorting::sort_by;
use crate::time::Seconds;

/// A request that waits longer than this looks like one that hangs.
const MAX_WAIT: u64 = 60;
const MAX_WAITERS: u64 = 65_536;
const DAY: u64 = 86_400;

/// The settings about it that stand at the top level alone; what is not said is settled.
pub(super) struct RawOrigin {
    pub(super) coalescing: Coalescing,
    pub(super) breaker: BreakerSettings,
    pub(super) background: Option<String>,
}

impl RawOrigin {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            coalescing: read_coalescing(fields),
            breaker: read_breaker(fields),
            background: fields
                .optional("background", |cursor| cursor.object(read_background))
                .value()
                .flatten(),
        }
    }
}

fn read_coalescing(fields: &mut Fields<'_>) -> Coalescing {
    let default = Coalescing::default();
    let given = fields.optional("coalesce", |cursor| {
        cursor.object(|fields| Coalescing {
            wait: span(fields, "wait_seconds", 1, MAX_WAIT).unwrap_or(default.wait),
            max_waiters: whole(fields, "max_waiters", 0, MAX_WAITERS)
                .map(|number| usize::try_from(number).unwrap_or(usize::MAX))
                .unwrap_or(default.max_waiters),
            hit_for_miss: default.hit_for_miss,
        })
    });
    Coalescing {
        hit_for_miss: span(fields, "hit_for_miss_seconds", 0, DAY).unwrap_or(default.hit_for_miss),
        ..given.unwrap_or(default)
    }
}

fn read_breaker(fields: &mut Fields<'_>) -> BreakerSettings {
    let default = BreakerSettings::default();
    let given = fields.optional("breaker", |cursor| {
        cursor.object(|fields| BreakerSettings {
            window: span(fields, "window_seconds", 1, 3600).unwrap_or(default.window),
            failure_ratio: fields
                .optional("failure_ratio", read_ratio)
                .unwrap_or(default.failure_ratio),
            min_requests: whole(fields, "min_requests", 1, 1_000_000)
                .map(|number| u32::try_from(number).unwrap_or(u32::MAX))
                .unwrap_or(default.min_requests),
            max_stale: span(fields, "max_stale_seconds", 0, LONGEST).unwrap_or(default.max_stale),
        })
    });
    given.unwrap_or(default)
}

/// Without any failure an origin has not failed, so the share is more than nothing.
fn read_ratio(cursor: Cursor<'_>) -> Given<Share> {
    let again = cursor.again();
    match read_share(cursor) {
        Given::Value(Share::NONE) => again.refuse("must be more than 0 and less than 1"),
        given @ (Given::Absent | Given::Refused | Given::Value(_)) => given,
    }
}

fn read_background(fields: &mut Fields<'_>) -> Option<String> {
    let cluster = fields.optional("cluster", |cursor| match cursor.value {
        Value::Null => Given::Absent,
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => cursor.text(1..=255),
    });
    cluster.value().map(str::to_owned)
}

const LONGEST: u64 = Seconds::MAX.get() as u64;

/// What the operator says about it in one place: at the top, or in a rule.
#[derive(Default)]
pub(super) struct RawSparing {
    while_revalidate: Given<Seconds>,
    if_error: Given<Seconds>,
    failures: Given<Vec<u16>>,
    negative: Given<Vec<Negative>>,
    refresh_ahead: Given<Share>,
    ttl_jitter: Given<Share>,
}

impl RawSparing {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            while_revalidate: span(fields, "stale_while_revalidate_seconds", 0, LONGEST),
            if_error: span(fields, "stale_if_error_seconds", 0, LONGEST),
            failures: fields.optional("stale_if_error_statuses", |cursor| {
                names(cursor, 0, |cursor| status(cursor, 500)).map(in_order)
            }),
            negative: fields.optional("negative", read_negative),
            refresh_ahead: fields.optional("refresh_ahead", read_part),
            ttl_jitter: fields.optional("ttl_jitter", read_part),
        }
    }

    /// What holds where a rule with this TTL says this, and the top that.
    pub(super) fn compile(self, top: &Self, ttl: Ttl) -> Sparing {
        let window = |own: Given<Seconds>, top: Given<Seconds>| match (own, ttl) {
            (Given::Value(seconds), Ttl::Override(_)) => StaleWindow::Instead(seconds),
            (own, Ttl::Default(_) | Ttl::Origin | Ttl::Override(_)) => {
                StaleWindow::Otherwise(own.or(top).unwrap_or(Seconds::ZERO))
            }
        };
        let default = Sparing::new();
        Sparing {
            stale: StaleWindows {
                while_revalidate: window(self.while_revalidate, top.while_revalidate),
                if_error: window(self.if_error, top.if_error),
            },
            failures: self
                .failures
                .or(top.failures.clone())
                .unwrap_or(default.failures),
            negative: self
                .negative
                .or(top.negative.clone())
                .unwrap_or(default.negative),
            refresh_ahead: self
                .refresh_ahead
                .or(top.refresh_ahead)
                .unwrap_or(default.refresh_ahead),
            ttl_jitter: self
                .ttl_jitter
                .or(top.ttl_jitter)
                .unwrap_or(default.ttl_jitter),
        }
    }
}

fn in_order(mut statuses: Vec<u16>) -> Vec<u16> {
    sort_by(&mut statuses, Ord::cmp);
    statuses.dedup();
    statuses
}

/// A list of objects, each of which gives some statuses a time.
fn read_negative(cursor: Cursor<'_>) -> Given<Vec<Negative>> {
    let again = cursor.again();
    let given = names(cursor, 0, |cursor| cursor.object(read_errors));
    given.map(|groups| {
        let mut errors: Vec<Negative> = groups.into_iter().flatten().collect();
        sort_by(&mut errors, |one, other| one.status.cmp(&other.status));
        for pair in errors.windows(2) {
            if let [one, other] = pair
                && one.status == other.status
            {
                let status = one.status.to_string();
                let _: Given<()> = again
                    .refuse(["names the status ", &status, " twice; keep one of the two"].concat());
            }
        }
        errors
    })
}

fn read_errors(fields: &mut Fields<'_>) -> Vec<Negative> {
    let statuses = fields.required("status", |cursor| match cursor.value {
        Value::Array(_) => names(cursor, 1, |cursor| status(cursor, 400)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            status(cursor, 400).map(|status| vec![status])
        }
    });
    let ttl = fields.required("ttl_seconds", seconds);
    let (Given::Value(statuses), Given::Value(ttl)) = (statuses, ttl) else {
        return Vec::new();
    };
    let statuses = statuses.into_iter();
    statuses.map(|status| Negative { status, ttl }).collect()
}

/// A part of a lifetime; most of it is left.
fn read_part(cursor: Cursor<'_>) -> Given<Share> {
    let again = cursor.again();
    match read_share(cursor) {
        Given::Value(share) if share > Share::thousandths(900) => {
            again.refuse("must be at most 0.9")
        }
        given @ (Given::Absent | Given::Refused | Given::Value(_)) => given,
    }
}

/// A time within bounds.
fn span(fields: &mut Fields<'_>, name: &'static str, least: u64, most: u64) -> Given<Seconds> {
    whole(fields, name, least, most).map(Seconds::clamped)
}

#[inline(never)]
fn whole(fields: &mut Fields<'_>, name: &'static str, least: u64, most: u64) -> Given<u64> {
    fields.optional(name, |cursor| cursor.number(least..=most))
}

#[cfg(test)]
mod tests {
    use crate::config::{
        Action, BreakerSettings, Coalescing, Config, Negative, Share, Sparing, StaleWindow,
        StaleWindows, Unmatched,
    };
    use crate::time::Seconds;

    fn seconds(seconds: u64) -> Seconds {
        Seconds::clamped(seconds)
    }

    fn of_rule(top: &str, rule: &str) -> Sparing {
        let json = format!(r#"{{{top}"rules": [{{"name": "a", "match": {{}}{rule}}}]}}"#);
        let config = Config::parse(json.as_bytes()).unwrap();
        match &config.rules[0].action {
            Action::Bypass | Action::Invalidate(_) | Action::Refuse => panic!("it is cached"),
            Action::Cache(policy) => policy.sparing.clone(),
        }
    }

    fn problem(top: &str) -> String {
        let errors = Config::parse(format!("{{{top}}}").as_bytes()).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors[0].to_string()
    }

    #[test]
    fn a_rules_own_window_is_worth_more_where_its_ttl_is() {
        let top = r#""stale_while_revalidate_seconds": 5, "default_ttl_seconds": 60, "#;
        let own = r#", "stale_while_revalidate_seconds": 30"#;
        let none = r#", "stale_while_revalidate_seconds": 0"#;
        let forced = r#", "ttl_mode": "override""#;
        let (otherwise, instead) = (
            |window| StaleWindow::Otherwise(seconds(window)),
            |window| StaleWindow::Instead(seconds(window)),
        );
        for (top, rule, expected) in [
            ("", String::new(), otherwise(0)),
            (top, String::new(), otherwise(5)),
            (top, own.to_owned(), otherwise(30)),
            (top, none.to_owned(), otherwise(0)),
            (top, forced.to_owned(), otherwise(5)),
            (top, [own, forced].concat(), instead(30)),
            (top, [none, forced].concat(), instead(0)),
        ] {
            let stale = of_rule(top, &rule).stale;
            assert_eq!(stale.while_revalidate, expected, "{top} {rule}");
            assert_eq!(stale.if_error, StaleWindow::NONE, "{top} {rule}");
        }
        let origin = Some(seconds(7));
        assert_eq!(otherwise(5).beside(origin), seconds(7));
        assert_eq!(otherwise(5).beside(None), seconds(5));
        assert_eq!(instead(5).beside(origin), seconds(5));
        assert_eq!(instead(0).beside(origin), Seconds::ZERO);
    }

    #[test]
    fn a_rule_says_what_is_different_from_the_top() {
        let top = r#""stale_if_error_seconds": 60, "stale_if_error_statuses": [503],
            "negative": [{"status": 404, "ttl_seconds": 5}], "refresh_ahead": 0.2, "ttl_jitter": 0.1, "#;
        let inherited = of_rule(top, "");
        let expected = Sparing {
            stale: StaleWindows {
                if_error: StaleWindow::Otherwise(seconds(60)),
                ..StaleWindows::NONE
            },
            failures: vec![503],
            negative: vec![Negative {
                status: 404,
                ttl: seconds(5),
            }],
            refresh_ahead: Share::thousandths(200),
            ttl_jitter: Share::thousandths(100),
        };
        assert_eq!(inherited, expected);
        let config = Config::parse(format!(r#"{{{top}"rules": []}}"#).as_bytes()).unwrap();
        let Unmatched::Rfc9111(policy) = config.unmatched else {
            panic!("unmatched requests are left alone");
        };
        assert_eq!(policy.sparing, expected);
        let own = of_rule(
            top,
            r#", "stale_if_error_seconds": 0, "stale_if_error_statuses": [], "negative": [],
                "refresh_ahead": 0, "ttl_jitter": 0.9"#,
        );
        let expected = Sparing {
            failures: Vec::new(),
            ttl_jitter: Share::thousandths(900),
            ..Sparing::new()
        };
        assert_eq!(own, expected);
    }

    #[test]
    fn statuses_stand_in_order_and_each_error_has_its_time() {
        let sparing = of_rule(
            "",
            r#", "stale_if_error_statuses": [504, 500, 504],
                "negative": [{"status": [503, 404], "ttl_seconds": 10}, {"status": 410, "ttl_seconds": 60}]"#,
        );
        assert_eq!(sparing.failures, [500, 504]);
        let time = |status| sparing.negative(status).map(Seconds::get);
        assert_eq!(time(404), Some(10));
        assert_eq!(time(410), Some(60));
        assert_eq!(time(503), Some(10));
        assert_eq!([time(403), time(405), time(200)], [None; 3]);
        let statuses: Vec<_> = sparing.negative.iter().map(|error| error.status).collect();
        assert_eq!(statuses, [404, 410, 503]);
    }

    #[test]
    fn the_full_example_is_understood() {
        let config = Config::parse(include_bytes!("../../tests/data/full.json")).unwrap();
        let coalescing = Coalescing {
            wait: seconds(3),
            max_waiters: 100,
            hit_for_miss: seconds(60),
        };
        assert_eq!(config.coalescing, coalescing);
        let breaker = BreakerSettings {
            window: seconds(5),
            failure_ratio: Share::thousandths(250),
            min_requests: 10,
            max_stale: seconds(600),
        };
        assert_eq!(config.breaker, breaker);
        assert_eq!(config.background.as_deref(), Some("refreshes"));
        let Action::Cache(profile) = &config.rules[3].action else {
            panic!("{:?}", config.rules[3]);
        };
        let stale = profile.sparing.stale;
        assert_eq!(stale.if_error, StaleWindow::Instead(seconds(3600)));
        assert_eq!(profile.sparing.failures, [500, 503]);
        assert_eq!(profile.sparing.negative(501), Some(seconds(60)));
        assert_eq!(profile.sparing.refresh_ahead, Share::thousandths(100));
        assert_eq!(profile.sparing.ttl_jitter, Share::thousandths(50));
    }

    #[test]
    fn waiting_is_switched_off_by_nobody_who_may_wait() {
        let config =
            Config::parse(br#"{"coalesce": {"max_waiters": 0}, "hit_for_miss_seconds": 0}"#);
        let coalescing = config.unwrap().coalescing;
        assert_eq!(
            (coalescing.max_waiters, coalescing.hit_for_miss),
            (0, Seconds::ZERO)
        );
        assert_eq!(coalescing.wait, Coalescing::default().wait);
    }

    #[test]
    fn what_is_wrong_is_named() {
        #[rustfmt::skip]
        let rows = [
            (r#""stale_if_error_seconds": "1h""#, "stale_if_error_seconds: must be a whole number, not a string"),
            (r#""stale_while_revalidate_second": 5"#, "stale_while_revalidate_second: is unknown; did you mean `stale_while_revalidate_seconds`?"),
            (r#""stale_if_error_statuses": 503"#, "stale_if_error_statuses: must be an array, not a number"),
            (r#""stale_if_error_statuses": [404]"#, "stale_if_error_statuses[0]: must be at least 500"),
            (r#""negative": {"404": 5}"#, "negative: must be an array, not an object"),
            (r#""negative": [{"status": [], "ttl_seconds": 5}]"#, "negative[0].status: must not be empty"),
            (r#""negative": [{"status": "4xx", "ttl_seconds": 5}]"#, "negative[0].status: must be a whole number, not a string"),
            (r#""negative": [{"status": 404}]"#, "negative[0].ttl_seconds: is missing"),
            (r#""negative": [{"status": [404, 410], "ttl_seconds": 5}, {"status": 404, "ttl_seconds": 6}]"#, "negative: names the status 404 twice; keep one of the two"),
            (r#""refresh_ahead": 0.901"#, "refresh_ahead: must be at most 0.9"),
            (r#""ttl_jitter": "10%""#, "ttl_jitter: must be a number, not a string"),
            (r#""coalesce": {"wait_seconds": 61}"#, "coalesce.wait_seconds: must be at most 60"),
            (r#""coalesce": false"#, "coalesce: must be an object, not true or false"),
            (r#""breaker": {"failure_ratio": 1}"#, "breaker.failure_ratio: must be at least 0 and less than 1"),
            (r#""background": {"cluster": 5}"#, "background.cluster: must be a string, not a number"),
            (r#""background": "refreshes""#, "background: must be an object, not a string"),
            (r#""headers": {"warning": 110}"#, "headers.warning: must be true or false, not a number"),
        ];
        for (json, expected) in rows {
            assert_eq!(problem(json), expected);
        }
    }

    #[test]
    fn only_what_a_rule_may_say_stands_in_one() {
        for setting in [
            r#""coalesce": {}"#,
            r#""hit_for_miss_seconds": 1"#,
            r#""breaker": {}"#,
            r#""background": {}"#,
        ] {
            let rule = format!(r#""rules": [{{"name": "a", "match": {{}}, {setting}}}]"#);
            let found = problem(&rule);
            assert!(found.ends_with(": is unknown"), "{found}");
        }
        for setting in [
            r#""stale_while_revalidate_seconds": 1"#,
            r#""stale_if_error_seconds": 1"#,
            r#""stale_if_error_statuses": []"#,
            r#""negative": []"#,
            r#""refresh_ahead": 0"#,
            r#""ttl_jitter": 0"#,
        ] {
            let rule = |beside: &str| {
                format!(r#""rules": [{{"name": "a", "match": {{}}, {beside}, {setting}}}]"#)
            };
            let found = problem(&rule(r#""cache": false"#));
            assert!(
                found.ends_with("has no meaning beside `cache: false`"),
                "{found}"
            );
            let found = problem(&rule(r#""invalidates": {"tags": ["a"]}"#));
            assert!(
                found.ends_with("has no meaning beside `invalidates`"),
                "{found}"
            );
        }
    }
}
