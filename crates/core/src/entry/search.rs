//! How the responses of one path are found where No-Vary-Search counts.
//!
//! The record stands under the key without the query. In the place of a response it says that what was stored there is
//! superseded: the origin has since answered one of these URLs without the field, or with another.

use super::Reader;
use super::codec::{DecodeError, SEARCH, VERSION, push_counted, sealed};
use crate::http::UrlVariation;
use crate::time::Timestamp;

/// By which part of the query responses are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchRecord {
    /// By all of it.
    Exact,
    /// By what this value leaves.
    Reduced {
        /// What the origin said last for this path.
        variation: UrlVariation,
        /// When the last response that was stored by it is of no use any more.
        expires: Timestamp,
    },
}

const EXACT: u8 = 1;
const REDUCED: u8 = 2;

/// Writes a record.
pub fn encode_search(record: &SearchRecord) -> Vec<u8> {
    let mut out = vec![VERSION, SEARCH];
    match record {
        SearchRecord::Exact => out.push(EXACT),
        SearchRecord::Reduced { variation, expires } => {
            out.push(REDUCED);
            out.extend_from_slice(&expires.as_nanos().to_le_bytes());
            push_counted(&mut out, variation.canonical().as_bytes());
        }
    }
    sealed(out)
}

/// Reads what stands behind the head.
pub(super) fn read_search(reader: &mut Reader<'_>) -> Result<SearchRecord, DecodeError> {
    match reader.u8()? {
        EXACT => Ok(SearchRecord::Exact),
        REDUCED => {
            let expires = Timestamp::from_nanos(reader.u64()?);
            let variation = UrlVariation::from_canonical(reader.counted()?);
            let variation = variation.ok_or(DecodeError::Invalid)?;
            Ok(SearchRecord::Reduced { variation, expires })
        }
        _ => Err(DecodeError::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Payload;

    fn reduced(field: &str) -> SearchRecord {
        SearchRecord::Reduced {
            variation: UrlVariation::from_field(field.as_bytes()).unwrap(),
            expires: Timestamp::from_secs(1),
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_form_is_frozen() {
        for (record, golden) in [
            (SearchRecord::Exact, "0401"),
            (
                reduced("key-order"),
                "040200ca9a3b00000000090000006b65792d6f72646572",
            ),
        ] {
            let bytes = encode_search(&record);
            // Behind the version, and before the checksum.
            assert_eq!(hex(&bytes[1..bytes.len() - 8]), golden);
            assert_eq!(Payload::decode(&bytes), Ok(Payload::Search(record)));
        }
    }

    #[test]
    fn only_what_is_written_is_read() {
        let decode = |value: &[u8]| {
            let mut out = vec![VERSION, SEARCH, REDUCED];
            out.extend_from_slice(&[0; 8]);
            push_counted(&mut out, value);
            Payload::decode(&sealed(out)).map(|_| ())
        };
        assert_eq!(decode(b"except=()"), Ok(()));
        for value in [
            &b""[..],
            b"params",
            b"params=()",
            b"except=() ",
            b"params=(\"b\" \"a\")",
        ] {
            assert_eq!(decode(value), Err(DecodeError::Invalid), "{value:?}");
        }
        let form = sealed(vec![VERSION, SEARCH, 3]);
        assert_eq!(Payload::decode(&form), Err(DecodeError::Invalid));
    }
}
