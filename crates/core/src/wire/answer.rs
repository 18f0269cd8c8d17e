//! What the service answers to who follows the fleet's log.

use serde_json::Value;

use super::json::{Fields, Object, Place, WireError, parse};
use super::record::Record;
use super::{MAX_BYTES, MAX_RECORDS, WIRE};
use crate::config::reading::{quote, writable, written};
use crate::fleet::{Cursor, InstanceId};

/// Instances whose numbers are read; of others it is not known how far they had come, which is safe.
const MAX_INSTANCES: usize = 4096;

/// What is behind a cursor (`GET /v1/invalidations`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Up to here all is known once this has been applied.
    pub cursor: Cursor,
    /// What was asked behind is no place in the log: everything is to be dropped.
    pub reset: bool,
    /// There are records behind `cursor` already.
    pub more: bool,
    /// How long after the request this was so, in milliseconds.
    pub waited_ms: u64,
    /// The oldest first.
    pub records: Vec<Record>,
    /// The fleet's configuration, where it is another than was named.
    pub config: Option<FleetConfig>,
    /// With `reset`: the last of each instance that is in the log.
    pub instances: Vec<(InstanceId, u64)>,
}

/// What the fleet changes of each configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetConfig {
    /// Which change; 0 is before the first.
    pub version: u64,
    /// A JSON Merge Patch, as text.
    pub patch: String,
}

impl Answer {
    /// Reads one.
    ///
    /// # Errors
    /// [`WireError`]: nothing of it may be applied.
    pub fn read(json: &[u8]) -> Result<Self, WireError> {
        let document = parse(json)?;
        let fields = Fields::of(&document, Place::Top)?;
        let items = fields.items("records", MAX_RECORDS)?.iter().enumerate();
        let records = items.map(|(place, item)| Record::read(item, place));
        Ok(Self {
            cursor: fields.required("cursor", Cursor::parse)?,
            reset: fields.flag("reset")?,
            more: fields.flag("more")?,
            waited_ms: fields.number("waited_ms"),
            records: records.collect::<Result<_, _>>()?,
            config: fields.get("config").and_then(read_config),
            instances: read_instances(fields),
        })
    }

    /// Writes it. Where all its records are more than one answer may have, the first of them, and that there are more.
    pub fn write(&self) -> String {
        let mut records = String::new();
        let mut last = None;
        for (place, record) in self.records.iter().enumerate() {
            let before = records.len();
            if place > 0 {
                records.push(',');
            }
            record.write(&mut records);
            // The first fits, whatever it is; beside the records there is little.
            if place >= MAX_RECORDS || (place > 0 && records.len() > MAX_BYTES / 2) {
                records.truncate(before);
                break;
            }
            last = Some((place, record.id));
        }
        let is_whole = last.map_or(0, |(place, _)| place.saturating_add(1)) == self.records.len();
        let cursor = match (last, is_whole) {
            (Some((_, id)), false) => id,
            (Some(_) | None, true) | (None, false) => self.cursor,
        };
        let mut out = String::new();
        let mut object = Object::begin(&mut out);
        object.number("wire", WIRE);
        object.text("cursor", &cursor.to_string());
        object.flag("reset", self.reset);
        object.flag("more", self.more || !is_whole);
        object.number("waited_ms", self.waited_ms);
        object.raw("records", &["[", &records, "]"].concat());
        if let Some(config) = &self.config {
            write_config(config, object.name("config"));
        }
        if !self.instances.is_empty() {
            write_instances(&self.instances, object.name("instances"));
        }
        object.end();
        out
    }
}

/// A configuration that cannot be read is as good as none: invalidations must not wait for it.
fn read_config(value: &Value) -> Option<FleetConfig> {
    let patch = value.get("patch").filter(|patch| patch.is_object())?;
    Some(FleetConfig {
        version: value.get("version").and_then(Value::as_u64)?,
        patch: writable(patch).then(|| written(patch))?,
    })
}

fn read_instances(fields: Fields<'_>) -> Vec<(InstanceId, u64)> {
    let instances = fields.get("instances").and_then(Value::as_object);
    let instances = instances.into_iter().flatten().take(MAX_INSTANCES);
    let instance =
        |(id, seq): (&String, &Value)| Some((InstanceId::parse(id.as_bytes())?, seq.as_u64()?));
    instances.filter_map(instance).collect()
}

fn write_config(config: &FleetConfig, out: &mut String) {
    let mut object = Object::begin(out);
    object.number("version", config.version);
    object.raw("patch", &config.patch);
    object.end();
}

fn write_instances(instances: &[(InstanceId, u64)], out: &mut String) {
    let mut before = '{';
    for (id, seq) in instances.iter().take(MAX_INSTANCES) {
        out.push(before);
        quote(&id.to_string(), out);
        out.push(':');
        out.push_str(&seq.to_string());
        before = ',';
    }
    out.push('}');
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::entry::Stamp;
    use crate::epoch::{Coverage, Invalidation, Mode, NamePattern};
    use crate::wire::record::tests::{cursor, invalidations, labels};
    use proptest::prelude::*;

    fn record(position: u64, coverage: Coverage, mode: Mode) -> Record {
        Record {
            id: cursor(position),
            of: (InstanceId(0x11), position),
            age_ms: 12,
            invalidation: Invalidation { coverage, mode },
            label: None,
        }
    }

    pub(in crate::wire) fn sample() -> Answer {
        let pattern = NamePattern::parse("/a/*").unwrap();
        Answer {
            cursor: cursor(9),
            reset: false,
            more: true,
            waited_ms: 3,
            records: vec![
                record(8, Coverage::Stamps(vec![Stamp(0xab)]), Mode::Soft),
                record(9, Coverage::Names(pattern), Mode::Hard),
            ],
            config: Some(FleetConfig {
                version: 2,
                patch: r#"{"default_ttl_seconds":600}"#.to_owned(),
            }),
            instances: Vec::new(),
        }
    }

    const GOLDEN: &str = r#"{"wire":1,"cursor":"00000000000000ff.9.00000009","reset":false,"more":true,"waited_ms":3,"records":[{"id":"00000000000000ff.8.00000008","instance":"0000000000000011","seq":8,"age_ms":12,"mode":"soft","stamps":["00000000000000ab"]},{"id":"00000000000000ff.9.00000009","instance":"0000000000000011","seq":9,"age_ms":12,"mode":"hard","pattern":"/a/*"}],"config":{"version":2,"patch":{"default_ttl_seconds":600}}}"#;

    #[test]
    fn golden_answer_of_wire_1() {
        assert_eq!(sample().write(), GOLDEN);
        assert_eq!(Answer::read(GOLDEN.as_bytes()), Ok(sample()));
    }

    #[test]
    fn golden_reset_of_wire_1() {
        let golden = r#"{"wire":1,"cursor":"00000000000000ff.9.00000009","reset":true,"more":false,"waited_ms":0,"records":[],"instances":{"0000000000000001":7}}"#;
        let reset = Answer {
            reset: true,
            more: false,
            waited_ms: 0,
            records: Vec::new(),
            config: None,
            instances: vec![(InstanceId(1), 7)],
            ..sample()
        };
        assert_eq!(reset.write(), golden);
        assert_eq!(Answer::read(golden.as_bytes()), Ok(reset));
    }

    #[test]
    fn what_is_not_understood_ends_everything() {
        for rest in [
            r#""mode": "hard", "colour": "red""#,
            r#""mode": "gentle", "stamps": ["00000000000000ab"]"#,
            r#""mode": 1, "all": true"#,
            r#""mode": "soft", "stamps": ["ab"]"#,
            r#""mode": "soft", "stamps": "00000000000000ab""#,
            r#""mode": "soft", "pattern": "regex:a(""#,
            r#""mode": "soft", "pattern": """#,
            r#""mode": "soft", "all": "yes""#,
            r#""mode": "soft", "all": false"#,
        ] {
            let json = [
                r#"{"cursor": "00000000000000ff.9.00000009", "records": [{"id": "00000000000000ff.9.00000009", "instance": "0000000000000011", "seq": 1, "#,
                rest,
                "}]}",
            ]
            .concat();
            let answer = Answer::read(json.as_bytes()).unwrap();
            let all = Invalidation {
                coverage: Coverage::All,
                mode: Mode::Hard,
            };
            assert_eq!(answer.records[0].invalidation, all, "{rest}");
        }
    }

    #[test]
    fn who_cannot_tell_where_it_stands_applies_nothing() {
        let malformed = |problem: &str| WireError::Malformed(problem.to_owned());
        let id = r#""cursor": "00000000000000ff.9.00000009""#;
        for (json, expected) in [
            ("[]".to_owned(), WireError::NoObject),
            ("{".to_owned(), WireError::NoObject),
            ("{}".to_owned(), malformed("cursor is missing")),
            (
                r#"{"cursor": "1"}"#.to_owned(),
                malformed("cursor cannot be read"),
            ),
            (r#"{"wire": 2}"#.to_owned(), WireError::Version(2)),
            (
                format!(r#"{{{id}, "reset": 1}}"#),
                malformed("reset is neither true nor false"),
            ),
            (
                format!(r#"{{{id}, "records": {{}}}}"#),
                malformed("records is no array"),
            ),
            (
                format!(r#"{{{id}, "records": [1]}}"#),
                malformed("records[0] is no object"),
            ),
            (
                format!(r#"{{{id}, "records": [{{{id}}}]}}"#),
                malformed("records[0].id is missing"),
            ),
            (
                format!(r#"{{{id}, "records": [{{"id": "00000000000000ff.9.00000009"}}]}}"#),
                malformed("records[0].instance is missing"),
            ),
            (
                format!(r#"{{{id}, "records": [{}]}}"#, vec!["{}"; 1001].join(",")),
                WireError::TooLarge,
            ),
            (" ".repeat(MAX_BYTES + 1), WireError::TooLarge),
        ] {
            assert_eq!(Answer::read(json.as_bytes()), Err(expected));
        }
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_none_and_unknown_fields_are_passed_over() {
        for config in [
            "1",
            "{}",
            r#"{"version": 1}"#,
            r#"{"version": 1, "patch": 1}"#,
            r#"{"version": -1, "patch": {}}"#,
        ] {
            let json = format!(
                r#"{{"cursor": "00000000000000ff.9.00000009", "config": {config}, "news": []}}"#
            );
            assert_eq!(
                Answer::read(json.as_bytes()).unwrap().config,
                None,
                "{config}"
            );
        }
    }

    #[test]
    fn too_much_for_one_answer_comes_in_several() {
        let stamps = Coverage::Stamps(vec![Stamp(1); super::super::MAX_STAMPS]);
        let records = (1..=60).map(|position| record(position, stamps.clone(), Mode::Hard));
        let mut answer = Answer {
            cursor: cursor(60),
            more: false,
            records: records.collect(),
            ..sample()
        };
        let mut applied = 0;
        while !answer.records.is_empty() {
            let json = answer.write();
            assert!(json.len() <= MAX_BYTES);
            let read = Answer::read(json.as_bytes()).unwrap();
            applied += read.records.len();
            answer.records.drain(..read.records.len());
            assert_eq!(read.more, !answer.records.is_empty());
            assert_eq!(read.cursor, cursor(applied as u64));
        }
        assert_eq!(applied, 60);
    }

    prop_compose! {
        fn records()(position: u64, of: u64, seq: u64, age_ms: u64, invalidation in invalidations(), label in labels()) -> Record {
            Record { id: cursor(position), of: (InstanceId(of), seq), age_ms, invalidation, label }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn an_answer_written_is_an_answer_read(
            records in proptest::collection::vec(records(), 0..5), reset: bool, more: bool, waited_ms: u64, at: u64,
            instances in proptest::collection::btree_map(any::<u64>(), any::<u64>(), 0..4),
        ) {
            let instances = instances.into_iter().map(|(id, seq)| (InstanceId(id), seq)).collect();
            let answer = Answer { cursor: cursor(at), reset, more, waited_ms, records, config: None, instances };
            prop_assert_eq!(Answer::read(answer.write().as_bytes()), Ok(answer));
        }

        #[test]
        fn any_change_of_an_answer_is_read_or_refused(at in 0..GOLDEN.len(), with: u8) {
            let mut json = GOLDEN.as_bytes().to_vec();
            json[at] = with;
            if let Ok(answer) = Answer::read(&json) {
                prop_assert_eq!(Answer::read(answer.write().as_bytes()), Ok(answer));
            }
        }
    }
}
