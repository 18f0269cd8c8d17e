//! What an instance, or somebody, tells the service that is over, and the answer.

use super::json::{Fields, Object, Place, WireError, parse};
use super::record::Said;
use super::{MAX_RECORDS, WIRE};
use crate::config::reading::quote;
use crate::fleet::{Cursor, InstanceId};

/// Invalidations that the service is told of (`POST /v1/invalidations`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Who tells; `None` of who does not count.
    pub instance: Option<InstanceId>,
    /// In order. All of them are counted or none, as the teller is.
    pub records: Vec<Said>,
}

/// They are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The end of the log behind them.
    pub cursor: Cursor,
    /// The name of each; `None` of one that was said before, and is in the log no more.
    pub ids: Vec<Option<Cursor>>,
}

impl Batch {
    /// Reads one.
    ///
    /// # Errors
    /// [`WireError`], with a sentence for the caller.
    pub fn read(json: &[u8]) -> Result<Self, WireError> {
        let document = parse(json)?;
        let fields = Fields::of(&document, Place::Top)?;
        let instance = fields.perhaps("instance", InstanceId::parse)?;
        let items = fields.items("records", MAX_RECORDS)?.iter().enumerate();
        let records = items.map(|(place, item)| Said::read(item, place));
        let records: Vec<_> = records.collect::<Result<_, _>>()?;
        if records.is_empty() {
            return Err(fields.malformed("records", "is empty, or missing"));
        }
        let mut last = 0;
        for (place, record) in records.iter().enumerate() {
            let problem = match (instance, record.seq) {
                (None, None) => continue,
                (Some(_), Some(seq)) if seq > last => {
                    last = seq;
                    continue;
                }
                (Some(_), Some(_)) => "is not in order",
                (Some(_), None) => "is missing, and `instance` is not",
                (None, Some(_)) => "is there, and `instance` is not",
            };
            let at = ["records[", &place.to_string(), "].seq"].concat();
            return Err(fields.malformed(&at, problem));
        }
        Ok(Self { instance, records })
    }

    /// Writes it.
    pub fn write(&self) -> String {
        let mut out = String::new();
        let mut object = Object::begin(&mut out);
        object.number("wire", WIRE);
        if let Some(instance) = self.instance {
            object.text("instance", &instance.to_string());
        }
        object.array("records", &self.records, |record, out| record.write(out));
        object.end();
        out
    }
}

impl Posted {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn read(json: &[u8]) -> Result<Self, WireError> {
        let document = parse(json)?;
        let fields = Fields::of(&document, Place::Top)?;
        let items = fields.items("ids", MAX_RECORDS)?.iter();
        let ids: Option<Vec<_>> = items
            .map(|item| match item.is_null() {
                true => Some(None),
                false => Some(Some(Cursor::parse(item.as_str()?.as_bytes())?)),
            })
            .collect();
        Ok(Self {
            cursor: fields.required("cursor", Cursor::parse)?,
            ids: ids.ok_or_else(|| fields.malformed("ids", "cannot be read"))?,
        })
    }

    /// Writes it.
    pub fn write(&self) -> String {
        let mut out = String::new();
        let mut object = Object::begin(&mut out);
        object.number("wire", WIRE);
        object.text("cursor", &self.cursor.to_string());
        object.array("ids", &self.ids, |id, out| match id {
            Some(id) => quote(&id.to_string(), out),
            None => out.push_str("null"),
        });
        object.end();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Stamp;
    use crate::epoch::{Coverage, Invalidation, Mode};
    use crate::wire::Label;
    use crate::wire::record::tests::{cursor, invalidations, labels};
    use proptest::prelude::*;

    #[test]
    fn golden_batch_of_wire_1() {
        let golden = r#"{"wire":1,"instance":"00112233445566ff","records":[{"seq":7,"mode":"hard","stamps":["0123456789abcdef"],"kind":"tag","value":"user:42"},{"seq":9,"mode":"invalid","all":true}]}"#;
        let said = |seq, coverage, mode, label| Said {
            seq: Some(seq),
            invalidation: Invalidation { coverage, mode },
            label,
        };
        let stamps = Coverage::Stamps(vec![Stamp(0x0123_4567_89ab_cdef)]);
        let batch = Batch {
            instance: Some(InstanceId(0x0011_2233_4455_66ff)),
            records: vec![
                said(7, stamps, Mode::Hard, Some(Label::new("tag", "user:42"))),
                said(9, Coverage::All, Mode::Invalid, None),
            ],
        };
        assert_eq!(batch.write(), golden);
        assert_eq!(Batch::read(golden.as_bytes()), Ok(batch));
    }

    #[test]
    fn golden_answer_to_a_batch_of_wire_1() {
        let golden = r#"{"wire":1,"cursor":"00000000000000ff.2.00000002","ids":["00000000000000ff.1.00000001",null]}"#;
        let posted = Posted {
            cursor: cursor(2),
            ids: vec![Some(cursor(1)), None],
        };
        assert_eq!(posted.write(), golden);
        assert_eq!(Posted::read(golden.as_bytes()), Ok(posted));
        let broken = golden.replace(".1.", ".x.");
        let problem = WireError::Malformed("ids cannot be read".to_owned());
        assert_eq!(Posted::read(broken.as_bytes()), Err(problem));
    }

    #[test]
    fn all_records_are_counted_or_none_and_in_order() {
        let read = |head: &str, records: &str| {
            let json = format!(r#"{{{head}"records": [{records}]}}"#);
            Batch::read(json.as_bytes()).map(|_| ())
        };
        let instance = r#""instance": "0000000000000001", "#;
        let one = r#"{"seq": 1, "all": true}"#;
        let problem = |problem: &str| Err(WireError::Malformed(problem.to_owned()));
        assert_eq!(read(instance, one), Ok(()));
        assert_eq!(
            read(instance, &[one, ",", one].concat()),
            problem("records[1].seq is not in order")
        );
        assert_eq!(
            read(instance, r#"{"all": true}"#),
            problem("records[0].seq is missing, and `instance` is not")
        );
        assert_eq!(read("", ""), problem("records is empty, or missing"));
        assert_eq!(
            read(r#""instance": 1, "#, one),
            problem("instance cannot be read")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn a_batch_written_is_a_batch_read(
            instance: u64, said in proptest::collection::vec((1..1000u64, invalidations(), labels()), 1..5),
        ) {
            let mut seq = 0;
            let records = said.into_iter().map(|(step, invalidation, label)| {
                seq = step.saturating_add(seq);
                Said { seq: Some(seq), invalidation, label }
            });
            let batch = Batch { instance: Some(InstanceId(instance)), records: records.collect() };
            prop_assert_eq!(Batch::read(batch.write().as_bytes()), Ok(batch));
        }
    }
}
