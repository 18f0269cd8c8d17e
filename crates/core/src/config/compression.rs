//! Whether and when stored responses are compressed.

use super::read::{Cursor, Fields, Given};

/// A body longer than this is never stored, so no threshold is beyond it.
const MAX_THRESHOLD: u64 = 128 << 20;
const DEFAULT_THRESHOLD: usize = 1024;
const DEFAULT_MIN_SAVING: Share = Share(100);

/// Whether and when stored responses are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// They are not, and what was is sent as it came.
    Off,
    /// Those that are worth it are.
    On {
        /// The shortest body that is tried, in bytes.
        threshold: usize,
        /// What has to be saved of it; who saves no more stays as it is.
        min_saving: Share,
    },
}

/// A part of a whole, in thousandths; less than the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u16);

impl Share {
    /// Nothing of it.
    pub const NONE: Self = Self(0);

    /// So many thousandths, 999 at most.
    pub const fn thousandths(thousandths: u16) -> Self {
        Self(if thousandths > 999 { 999 } else { thousandths })
    }

    /// So much of `whole`, rounded down.
    pub fn of(self, whole: usize) -> usize {
        let share = u128::from(self.0).saturating_mul(whole as u128);
        usize::try_from(share / 1000).unwrap_or(usize::MAX)
    }
}

/// What the operator says about compression in one place; the rest is said at the top, or nowhere.
#[derive(Clone, Copy, Default)]
pub(super) struct RawCompression {
    enabled: Given<bool>,
    threshold: Given<usize>,
    min_saving: Given<Share>,
}

impl RawCompression {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let given = fields.optional("compression", |cursor| {
            cursor.object(|fields| Self {
                enabled: fields.optional("enabled", Cursor::flag),
                threshold: fields.optional("threshold_bytes", read_threshold),
                min_saving: fields.optional("min_saving", read_share),
            })
        });
        given.unwrap_or(Self::default())
    }

    /// What holds where a rule says this, and the top that.
    pub(super) fn compile(self, top: Self) -> Compression {
        match self.enabled.or(top.enabled).unwrap_or(true) {
            false => Compression::Off,
            true => Compression::On {
                threshold: self
                    .threshold
                    .or(top.threshold)
                    .unwrap_or(DEFAULT_THRESHOLD),
                min_saving: self
                    .min_saving
                    .or(top.min_saving)
                    .unwrap_or(DEFAULT_MIN_SAVING),
            },
        }
    }
}

fn read_threshold(cursor: Cursor<'_>) -> Given<usize> {
    let number = cursor.number(0..=MAX_THRESHOLD);
    number.map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

pub(super) fn read_share(cursor: Cursor<'_>) -> Given<Share> {
    cursor.thousandths().map(Share::thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Action, Config, Unmatched};

    fn problems(json: &str) -> Vec<String> {
        let errors = Config::parse(json.as_bytes()).err().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect()
    }

    fn of_rule(top: &str, rule: &str) -> Compression {
        let json = format!(
            r#"{{{top}"rules": [{{"name": "a", "match": {{}}, "compression": {{{rule}}}}}]}}"#
        );
        let config = Config::parse(json.as_bytes()).unwrap();
        match &config.rules[0].action {
            Action::Bypass | Action::Invalidate(_) | Action::Refuse => panic!("it is cached"),
            Action::Cache(policy) => policy.compression,
        }
    }

    #[test]
    fn a_rule_says_what_is_different_from_the_top() {
        let on = |threshold, thousandths| Compression::On {
            threshold,
            min_saving: Share::thousandths(thousandths),
        };
        let top = r#""compression": {"threshold_bytes": 500, "min_saving": 0.25}, "#;
        let off = r#""compression": {"enabled": false, "min_saving": 0.25}, "#;
        for (top, rule, expected) in [
            ("", "", on(1024, 100)),
            ("", r#""enabled": false"#, Compression::Off),
            (top, "", on(500, 250)),
            (top, r#""threshold_bytes": 0"#, on(0, 250)),
            (top, r#""min_saving": 0.005"#, on(500, 5)),
            (off, "", Compression::Off),
            (off, r#""enabled": true"#, on(1024, 250)),
        ] {
            assert_eq!(of_rule(top, rule), expected, "{top} {rule}");
        }
        let config = Config::parse(br#"{"compression": {"enabled": false}}"#).unwrap();
        let Unmatched::Rfc9111(policy) = config.unmatched else {
            panic!("unmatched requests are left alone");
        };
        assert_eq!(policy.compression, Compression::Off);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (compression, problem) in [
            (r#"{"on": true}"#, "compression.on: is unknown"),
            (
                r#"{"threshold": 1}"#,
                "compression.threshold: is unknown; did you mean `threshold_bytes`?",
            ),
            (
                r#"{"threshold_bytes": -1}"#,
                "compression.threshold_bytes: must be at least 0",
            ),
            (
                r#"{"min_saving": 1}"#,
                "compression.min_saving: must be at least 0 and less than 1",
            ),
            (
                r#"{"min_saving": -0.1}"#,
                "compression.min_saving: must be at least 0 and less than 1",
            ),
            (
                r#"{"min_saving": 0.0005}"#,
                "compression.min_saving: must have at most three digits behind the point",
            ),
            (
                r#"{"min_saving": "10%"}"#,
                "compression.min_saving: must be a number, not a string",
            ),
            ("true", "compression: must be an object, not true or false"),
        ] {
            let top = format!(r#"{{"compression": {compression}}}"#);
            assert_eq!(problems(&top), [problem], "{compression}");
            let rule = format!(
                r#"{{"rules": [{{"name": "a", "match": {{}}, "compression": {compression}}}]}}"#
            );
            assert_eq!(problems(&rule), [format!("rules[0].{problem}")]);
        }
        let beside =
            r#"{"rules": [{"name": "a", "match": {}, "cache": false, "compression": {}}]}"#;
        let problem = "rules[0].compression: has no meaning beside `cache: false`";
        assert_eq!(problems(beside), [problem]);
    }

    #[test]
    fn every_number_of_thousandths_is_read_as_written() {
        for thousandths in 0..1000 {
            let json = format!("\"min_saving\": 0.{thousandths:03}");
            let expected = Compression::On {
                threshold: 1024,
                min_saving: Share(thousandths),
            };
            assert_eq!(of_rule("", &json), expected);
        }
    }

    #[test]
    fn a_share_is_rounded_down() {
        let tenth = Share::thousandths(100);
        assert_eq!(
            [0, 1, 10, 1024, usize::MAX].map(|whole| tenth.of(whole)),
            [0, 0, 1, 102, usize::MAX / 10]
        );
        assert_eq!(Share::thousandths(0).of(1000), 0);
        assert_eq!(Share::thousandths(2000).of(1000), 999);
    }
}
