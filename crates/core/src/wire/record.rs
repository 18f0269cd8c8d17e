//! An invalidation, as it is said to the service and by it.

use serde_json::Value;

use super::MAX_STAMPS;
use super::json::{Fields, Object, Place, WireError, parse};
use crate::digits::{hexadecimal, push_hexadecimal};
use crate::entry::Stamp;
use crate::epoch::{Coverage, Invalidation, Mode, NamePattern, Scope};
use crate::fleet::{Cursor, InstanceId};

/// The longest word for a kind of thing that is invalidated, and the longest name of one, in bytes.
const MAX_LABEL: (usize, usize) = (32, 256);

/// What was invalidated, for people: what `kind` and `value` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    kind: String,
    value: String,
}

impl Label {
    /// Of a `tag` or a `key`, say, and which. What is longer than people read is cut.
    pub fn new(kind: &str, value: &str) -> Self {
        let (most_of_kind, most_of_value) = MAX_LABEL;
        Self {
            kind: cut(kind, most_of_kind),
            value: cut(value, most_of_value),
        }
    }

    /// What kind of thing.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Which.
    pub fn value(&self) -> &str {
        &self.value
    }
}

fn cut(text: &str, most: usize) -> String {
    let fits = |(start, letter): &(usize, char)| start.saturating_add(letter.len_utf8()) <= most;
    let letters = text.char_indices().take_while(fits);
    letters.map(|(_, letter)| letter).collect()
}

/// An invalidation that somebody tells the service of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The caller's own count; `None` of who does not count.
    pub seq: Option<u64>,
    /// What is over.
    pub invalidation: Invalidation,
    /// The same for people.
    pub label: Option<Label>,
}

/// An invalidation as it stands in the fleet's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place, and its name.
    pub id: Cursor,
    /// Whose it is, and its number there.
    pub of: (InstanceId, u64),
    /// How long it has stood there, in milliseconds.
    pub age_ms: u64,
    /// What is over.
    pub invalidation: Invalidation,
    /// The same for people.
    pub label: Option<Label>,
}

/// Everything, and nothing of it is left: what something means that is not understood.
const UNCLEAR: Invalidation = Invalidation {
    coverage: Coverage::All,
    mode: Mode::Hard,
};

impl Said {
    /// Who counts may be of a later version, and know kinds that are not known here: these end everything. Who does not is
    /// a person, and told.
    pub(super) fn read(value: &Value, place: usize) -> Result<Self, WireError> {
        let fields = Fields::of(value, Place::Record(place))?;
        let seq = match fields.get("seq") {
            None => None,
            Some(seq) => Some(
                seq.as_u64()
                    .filter(|seq| *seq > 0)
                    .ok_or_else(|| fields.malformed("seq", "is no number from 1 on"))?,
            ),
        };
        let invalidation = match (read_invalidation(fields), seq) {
            (Ok(Some(invalidation)), _) => invalidation,
            // Refused, it would stand in the way of all that the caller says later.
            (Ok(None) | Err(_), Some(_)) => UNCLEAR,
            (Ok(None), None) => {
                let problem = "names nothing that can be invalidated, or an unknown mode";
                return Err(fields.malformed("", problem));
            }
            (Err(problem), None) => return Err(problem),
        };
        Ok(Self {
            seq,
            invalidation,
            label: read_label(fields),
        })
    }

    /// As JSON without its number, for who keeps that elsewhere; [`Record::of_body`] reads it.
    pub fn body(&self) -> String {
        let mut out = String::new();
        let object = Object::begin(&mut out);
        write_rest(object, &self.invalidation, self.label.as_ref());
        out
    }

    pub(super) fn write(&self, out: &mut String) {
        let mut object = Object::begin(out);
        if let Some(seq) = self.seq {
            object.number("seq", seq);
        }
        write_rest(object, &self.invalidation, self.label.as_ref());
    }
}

impl Record {
    /// A record that stands in the log with what [`Said::body`] wrote; what cannot be read covers everything.
    pub fn of_body(id: Cursor, of: (InstanceId, u64), age_ms: u64, body: &str) -> Self {
        let document = parse(body.as_bytes()).unwrap_or_default();
        let fields = Fields::of(&document, Place::Top).ok();
        let invalidation = fields.map(read_invalidation);
        Self {
            id,
            of,
            age_ms,
            invalidation: match invalidation {
                Some(Ok(Some(invalidation))) => invalidation,
                Some(Ok(None) | Err(_)) | None => UNCLEAR,
            },
            label: fields.and_then(read_label),
        }
    }

    pub(super) fn read(value: &Value, place: usize) -> Result<Self, WireError> {
        let fields = Fields::of(value, Place::Record(place))?;
        let seq = fields.get("seq").and_then(Value::as_u64);
        Ok(Self {
            id: fields.required("id", Cursor::parse)?,
            of: (
                fields.required("instance", InstanceId::parse)?,
                seq.ok_or_else(|| fields.malformed("seq", "is missing"))?,
            ),
            age_ms: fields.number("age_ms"),
            invalidation: match read_invalidation(fields) {
                Ok(Some(invalidation)) => invalidation,
                Ok(None) | Err(_) => UNCLEAR,
            },
            label: read_label(fields),
        })
    }

    pub(super) fn write(&self, out: &mut String) {
        let (instance, seq) = self.of;
        let mut object = Object::begin(out);
        object.text("id", &self.id.to_string());
        object.text("instance", &instance.to_string());
        object.number("seq", seq);
        object.number("age_ms", self.age_ms);
        write_rest(object, &self.invalidation, self.label.as_ref());
    }
}

/// The invalidation that stands in an object; `None` where its kind or mode is not known.
fn read_invalidation(fields: Fields<'_>) -> Result<Option<Invalidation>, WireError> {
    let mode = match fields.get("mode") {
        None => Some(Mode::Hard),
        Some(word) => {
            let mut modes = Mode::ALL.iter().copied();
            modes.find(|mode| word.as_str() == Some(mode.word()))
        }
    };
    let (Some(mode), Some(coverage)) = (mode, read_coverage(fields)?) else {
        return Ok(None);
    };
    Ok(Some(Invalidation { coverage, mode }))
}

fn read_coverage(fields: Fields<'_>) -> Result<Option<Coverage>, WireError> {
    if fields.flag("all")? {
        return Ok(Some(Coverage::All));
    }
    let kinds = ["stamps", "pattern", "glob", "prefix", "tag", "key", "group"].into_iter();
    let mut named = kinds.filter(|kind| fields.get(kind).is_some());
    let Some(name) = named.next() else {
        return Ok(None);
    };
    let coverage = match name {
        "stamps" => read_stamps(fields, name),
        "pattern" => read_names(fields, name, NamePattern::parse),
        "glob" => read_names(fields, name, NamePattern::glob),
        "prefix" => read_names(fields, name, NamePattern::prefix),
        "tag" => read_name(fields, name, |tag| Coverage::of_tag(tag.as_bytes())),
        "key" => read_name(fields, name, Coverage::of_name),
        _ => read_group(fields, name),
    };
    coverage
        .map(Some)
        .map_err(|problem| fields.malformed(name, &problem))
}

fn read_stamps(fields: Fields<'_>, name: &str) -> Result<Coverage, String> {
    let items = fields.get(name).and_then(Value::as_array);
    let items = items.ok_or("is no array")?;
    if items.len() > MAX_STAMPS {
        return Ok(Coverage::All);
    }
    let stamp = |item: &Value| hexadecimal(item.as_str()?.as_bytes(), 16).map(Stamp);
    let stamps: Option<Vec<_>> = items.iter().map(stamp).collect();
    let stamps = stamps.ok_or("has one that cannot be read")?;
    Ok(Coverage::Stamps(stamps))
}

fn read_names(
    fields: Fields<'_>,
    name: &str,
    parse: fn(&str) -> Result<NamePattern, String>,
) -> Result<Coverage, String> {
    let text = fields.text(name).ok_or("is no text")?;
    parse(text).map(Coverage::Names)
}

fn read_name(
    fields: Fields<'_>,
    name: &str,
    cover: fn(&str) -> Coverage,
) -> Result<Coverage, String> {
    let text = fields.text(name).filter(|text| !text.is_empty());
    Ok(cover(text.ok_or("is no text, or an empty one")?))
}

fn read_group(fields: Fields<'_>, name: &str) -> Result<Coverage, String> {
    let group = fields.get(name).ok_or("is missing")?;
    let text = |name| group.get(name).and_then(Value::as_str);
    let origin = text("host").ok_or("has no host")?;
    let name = text("name").ok_or("has no name")?.as_bytes();
    // As the host stands in keys.
    let origin = &origin.to_ascii_lowercase();
    Ok(Coverage::Stamps(vec![
        Scope::Group { origin, name }.stamp(),
    ]))
}

fn read_label(fields: Fields<'_>) -> Option<Label> {
    let given = || Some((fields.text("kind")?, fields.text("value")?));
    let said = || {
        // Of others it can be told from what they cover.
        let kinds = ["tag", "key"].into_iter();
        let mut named = kinds.filter_map(|kind| Some((kind, fields.text(kind)?)));
        named.next()
    };
    let (kind, value) = given().or_else(said)?;
    Some(Label::new(kind, value))
}

fn write_rest(mut object: Object<'_>, invalidation: &Invalidation, label: Option<&Label>) {
    object.text("mode", invalidation.mode.word());
    match &invalidation.coverage {
        Coverage::All => object.flag("all", true),
        Coverage::Names(pattern) => {
            let (kind, before, text) = pattern.to_words();
            object.text(kind, &[before, text].concat());
        }
        Coverage::Stamps(stamps) if stamps.len() > MAX_STAMPS => object.flag("all", true),
        Coverage::Stamps(stamps) => object.array("stamps", stamps, |stamp, out| {
            out.push('"');
            push_hexadecimal(stamp.0, out);
            out.push('"');
        }),
    }
    if let Some(label) = label {
        object.text("kind", &label.kind);
        object.text("value", &label.value);
    }
    object.end();
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wire::Batch;
    use proptest::prelude::*;

    pub(in crate::wire) fn cursor(position: u64) -> Cursor {
        Cursor {
            log: 0xff,
            position,
            check: position as u32,
        }
    }

    fn coverages() -> impl Strategy<Value = Coverage> {
        let names = ("(regex:)?[a-z/*.]{1,8}", 0..3).prop_map(|(text, form)| match form {
            0 => NamePattern::parse(&text),
            1 => NamePattern::glob(&text),
            _ => NamePattern::prefix(&text),
        });
        prop_oneof![
            Just(Coverage::All),
            names.prop_filter_map("no pattern", |names| names.ok().map(Coverage::Names)),
            proptest::collection::vec(any::<u64>().prop_map(Stamp), 0..4)
                .prop_map(Coverage::Stamps),
        ]
    }

    pub(in crate::wire) fn invalidations() -> impl Strategy<Value = Invalidation> {
        let modes = proptest::sample::select(Mode::ALL);
        (coverages(), modes).prop_map(|(coverage, mode)| Invalidation { coverage, mode })
    }

    pub(in crate::wire) fn labels() -> impl Strategy<Value = Option<Label>> {
        proptest::option::of(
            (".{1,40}", ".{0,300}").prop_map(|(kind, value)| Label::new(&kind, &value)),
        )
    }

    fn read(json: &str) -> Result<Said, WireError> {
        let batch = format!(r#"{{"records": [{json}]}}"#);
        Ok(Batch::read(batch.as_bytes())?.records.remove(0))
    }

    #[test]
    fn people_say_what_they_mean_and_are_told_what_cannot_be_meant() {
        let covered = |json| read(json).map(|said| said.invalidation.coverage);
        assert_eq!(covered(r#"{"tag": "a"}"#), Ok(Coverage::of_tag(b"a")));
        assert_eq!(
            covered(r#"{"key": "GET:h/p"}"#),
            Ok(Coverage::of_name("GET:h/p"))
        );
        let prefix = NamePattern::prefix("/a").unwrap();
        assert_eq!(covered(r#"{"prefix": "/a"}"#), Ok(Coverage::Names(prefix)));
        let group = Scope::Group {
            origin: "h",
            name: b"n",
        }
        .stamp();
        let said = covered(r#"{"group": {"host": "H", "name": "n"}}"#);
        assert_eq!(said, Ok(Coverage::Stamps(vec![group])));
        for (json, problem) in [
            (
                "{}",
                "records[0] names nothing that can be invalidated, or an unknown mode",
            ),
            (
                r#"{"mode": "harder", "all": true}"#,
                "records[0] names nothing that can be invalidated, or an unknown mode",
            ),
            (
                r#"{"tag": ""}"#,
                "records[0].tag is no text, or an empty one",
            ),
            (
                r#"{"key": 1}"#,
                "records[0].key is no text, or an empty one",
            ),
            (r#"{"pattern": ""}"#, "records[0].pattern is empty"),
            (
                r#"{"stamps": [1]}"#,
                "records[0].stamps has one that cannot be read",
            ),
            (
                r#"{"group": {"host": "h"}}"#,
                "records[0].group has no name",
            ),
            (
                r#"{"seq": 0, "all": true}"#,
                "records[0].seq is no number from 1 on",
            ),
            (
                r#"{"seq": 1, "all": true}"#,
                "records[0].seq is there, and `instance` is not",
            ),
            (r#"{"all": 1}"#, "records[0].all is neither true nor false"),
        ] {
            assert_eq!(
                read(json),
                Err(WireError::Malformed(problem.to_owned())),
                "{json}"
            );
        }
    }

    #[test]
    fn an_instance_of_a_later_version_is_believed_to_mean_everything() {
        for said in [r#""country": "de""#, r#""pattern": "regex:(?<new>""#] {
            let json = format!(
                r#"{{"instance": "0000000000000001", "records": [{{"seq": 1, "mode": "soft", {said}}}]}}"#
            );
            let batch = Batch::read(json.as_bytes()).unwrap();
            assert_eq!(batch.records[0].invalidation, UNCLEAR, "{said}");
        }
    }

    #[test]
    fn more_stamps_than_are_read_are_all() {
        let many = Coverage::Stamps(vec![Stamp(1); MAX_STAMPS + 1]);
        let said = Said {
            seq: None,
            invalidation: Invalidation {
                coverage: many,
                mode: Mode::Soft,
            },
            label: None,
        };
        let body = said.body();
        assert_eq!(body, r#"{"mode":"soft","all":true}"#);
        let all = Record::of_body(cursor(1), (InstanceId(0), 1), 0, &body);
        assert_eq!(all.invalidation.coverage, Coverage::All);
        let stamps = vec![r#""0000000000000001""#; MAX_STAMPS + 1].join(",");
        let json = format!(r#"{{"mode": "soft", "stamps": [{stamps}]}}"#);
        assert_eq!(read(&json).unwrap().invalidation.coverage, Coverage::All);
    }

    #[test]
    fn what_is_kept_of_a_record_and_cannot_be_read_is_all() {
        for body in [
            "",
            "{",
            "{}",
            "[]",
            r#"{"wire": 2, "all": true}"#,
            r#"{"tag": 1}"#,
        ] {
            let record = Record::of_body(cursor(1), (InstanceId(0), 1), 0, body);
            assert_eq!(record.invalidation, UNCLEAR, "{body}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_of_a_record_is_what_was_said(invalidation in invalidations(), label in labels()) {
            let said = Said { seq: Some(1), invalidation, label };
            let record = Record::of_body(cursor(1), (InstanceId(0), 1), 0, &said.body());
            prop_assert_eq!((record.invalidation, record.label), (said.invalidation, said.label));
        }
    }

    #[test]
    fn labels_are_cut_between_letters() {
        let label = Label::new(&"\u{fc}".repeat(17), &"\u{20ac}".repeat(100));
        assert_eq!((label.kind().len(), label.value().len()), (32, 255));
    }
}
