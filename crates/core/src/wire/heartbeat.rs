//! What an instance says of itself every few seconds, and what it is told of what is asked for often.

use serde_json::Value;

use super::WIRE;
use super::json::{Fields, Object, Place, WireError, parse};
use crate::fleet::Cursor;
use crate::key::KeyDigest;

/// URLs that are asked for often, at most so many in one message.
const MAX_HEAT: usize = 1000;

/// What an instance says of itself (`POST /v1/instances/<id>`).
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat<'a> {
    /// The node, as the proxy calls itself.
    pub node: &'a str,
    /// The cluster of the node.
    pub cluster: &'a str,
    /// Larder's version.
    pub version: &'a str,
    /// The clock, in milliseconds since 1970.
    pub clock_ms: u64,
    /// What has been applied; `None` where nothing has.
    pub applied: Option<Cursor>,
    /// Up to where what was invalidated is gone from memory, too.
    pub erased: Option<Cursor>,
    /// Invalidations that are not yet durable.
    pub pending: u64,
    /// The fleet's configuration that is in force.
    pub config: u64,
    /// The hash of the whole configuration.
    pub config_hash: &'a str,
    /// What `GET stats` says, as JSON.
    pub stats: &'a str,
    /// What `GET performance` says, as JSON.
    pub performance: &'a str,
    /// What is asked for often.
    pub heat: &'a [Heat],
    /// The whole configuration, as JSON, where it was asked for.
    pub configuration: Option<&'a str>,
}

/// A URL that is asked for often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heat {
    /// Which.
    pub url: String,
    /// That of the key under which it stands.
    pub digest: KeyDigest,
    /// How often.
    pub count: u64,
}

/// What the service wants of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The whole configuration.
    Configuration,
    /// Nothing.
    Nothing,
}

impl Heartbeat<'_> {
    /// Writes it.
    pub fn write(&self) -> String {
        let mut out = String::new();
        let mut object = Object::begin(&mut out);
        object.number("wire", WIRE);
        object.text("node", self.node);
        object.text("cluster", self.cluster);
        object.text("version", self.version);
        object.number("clock_ms", self.clock_ms);
        for (name, cursor) in [("applied", self.applied), ("erased", self.erased)] {
            if let Some(cursor) = cursor {
                object.text(name, &cursor.to_string());
            }
        }
        object.number("pending", self.pending);
        object.number("config", self.config);
        object.text("config_hash", self.config_hash);
        object.raw("stats", self.stats);
        object.raw("performance", self.performance);
        object.array("heat", self.heat.iter().take(MAX_HEAT), Heat::write);
        if let Some(configuration) = self.configuration {
            object.raw("configuration", configuration);
        }
        object.end();
        out
    }
}

impl Wants {
    /// Reads the answer to a heartbeat; wishes that are not known are passed over.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn read(json: &[u8]) -> Result<Self, WireError> {
        let document = parse(json)?;
        let mut wants = Fields::of(&document, Place::Top)?
            .items("wants", usize::MAX)?
            .iter();
        let is_asked_for = wants.any(|wish| wish.as_str() == Some("configuration"));
        Ok(match is_asked_for {
            true => Self::Configuration,
            false => Self::Nothing,
        })
    }
}

impl Heat {
    /// Reads the answer to `GET /v1/heat`, the hottest first; what cannot be read of it is passed over.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn read(json: &[u8]) -> Result<Vec<Self>, WireError> {
        let document = parse(json)?;
        let heat = Fields::of(&document, Place::Top)?.items("heat", MAX_HEAT)?;
        let read = |item: &Value| {
            Some(Self {
                url: item.get("url")?.as_str()?.to_owned(),
                digest: KeyDigest::parse(item.get("digest")?.as_str()?.as_bytes())?,
                count: item.get("count")?.as_u64()?,
            })
        };
        Ok(heat.iter().filter_map(read).collect())
    }

    fn write(&self, out: &mut String) {
        let mut object = Object::begin(out);
        object.text("url", &self.url);
        object.text("digest", &self.digest.to_string());
        object.number("count", self.count);
        object.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record::tests::cursor;

    #[test]
    fn golden_heartbeat_of_wire_1() {
        let heat = Heat {
            url: "https://h/p".to_owned(),
            digest: KeyDigest([1; 16]),
            count: 12,
        };
        let heartbeat = Heartbeat {
            node: "sidecar~10.1.2.3",
            cluster: "shop",
            version: "0.1.0",
            clock_ms: 1_790_000_000_000,
            applied: Some(cursor(2)),
            erased: None,
            pending: 0,
            config: 3,
            config_hash: "ab",
            stats: r#"{"hits":1}"#,
            performance: "{}",
            heat: std::slice::from_ref(&heat),
            configuration: Some("{}"),
        };
        let json = heartbeat.write();
        let golden = r#"{"wire":1,"node":"sidecar~10.1.2.3","cluster":"shop","version":"0.1.0","clock_ms":1790000000000,"applied":"00000000000000ff.2.00000002","pending":0,"config":3,"config_hash":"ab","stats":{"hits":1},"performance":{},"heat":[{"url":"https://h/p","digest":"01010101010101010101010101010101","count":12}],"configuration":{}}"#;
        assert_eq!(json, golden);
        assert_eq!(Heat::read(json.as_bytes()), Ok(vec![heat]));
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        for (json, expected) in [
            (
                r#"{"wants": ["news", "configuration"]}"#,
                Wants::Configuration,
            ),
            (r#"{"wants": [1, "news"]}"#, Wants::Nothing),
            ("{}", Wants::Nothing),
        ] {
            assert_eq!(Wants::read(json.as_bytes()), Ok(expected), "{json}");
        }
        let heat = br#"{"heat": [1, {}, {"url": "u", "digest": "1", "count": 1}]}"#;
        assert_eq!(Heat::read(heat), Ok(Vec::new()));
        assert_eq!(Wants::read(b"1"), Err(WireError::NoObject));
    }
}
