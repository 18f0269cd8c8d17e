//! Who else is told of what a call changes.
//!
//! A call is done where it was made; what it has done is to hold in the whole fleet. So who tells the others ([`Fleet`]) notes each
//! invalidation, here and for them, and hears of each change of the configuration. Whether the others can rely on it is known
//! only later, and then the answer says so ([`crate::Outcome::in_fleet`]).

use larder_core::entry::Epoch;
use larder_core::epoch::Invalidation;
use larder_core::report::InvalidationKind;
use larder_core::tier::Unnoted;

use crate::order::Order;

/// More of a name is not shown.
const LONGEST_SHOWN: usize = 200;

/// Who tells the others.
pub trait Fleet {
    /// Notes this in the process's order, and for the others; gives its place in the process's order.
    ///
    /// # Errors
    /// As [`larder_core::tier::EpochLog::append`].
    fn invalidate(&self, invalidation: &Invalidation, named: &Named) -> Result<Epoch, Unnoted>;

    /// The configuration was changed here.
    fn configured(&self, change: Change<'_>);
}

/// A change of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// By this patch, in JSON, as `PUT config` takes it.
    Patch(&'a str),
    /// All changes are taken back.
    Reset,
}

/// What an invalidation was called, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What kind of thing was named.
    pub kind: InvalidationKind,
    /// Its name, as far as it can be shown, and how many others go with it.
    pub value: String,
}

impl Named {
    pub(crate) fn new(kind: InvalidationKind, value: &str) -> Self {
        let value = value.chars().take(LONGEST_SHOWN).collect();
        Self { kind, value }
    }

    /// All names of an order that have become one invalidation.
    ///
    /// A URL without a host is one of the host that the call was made at.
    pub(crate) fn together(order: &Order, host: &[u8]) -> Self {
        let texts = [
            (InvalidationKind::Tag, &order.tags),
            (InvalidationKind::Key, &order.urls),
        ];
        let texts = texts
            .into_iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)))
            .map(|(kind, name)| match (kind, name.starts_with('/')) {
                (InvalidationKind::Key, true) => (
                    kind,
                    [&String::from_utf8_lossy(host), name.as_str()].concat(),
                ),
                _ => (kind, name.clone()),
            });
        let keys = order.keys.iter();
        let keys = keys.map(|key| {
            let text = String::from_utf8_lossy(key).into_owned();
            (InvalidationKind::Key, text)
        });
        let groups = order.groups.iter();
        let groups = groups.map(|group| (InvalidationKind::Group, group.name.clone()));
        let mut all = texts.chain(keys).chain(groups);
        let Some((kind, first)) = all.next() else {
            return Self::new(InvalidationKind::All, "");
        };
        let mut named = Self::new(kind, &first);
        match all.count() {
            0 => {}
            more => named
                .value
                .push_str(&[" and ", &more.to_string(), " more"].concat()),
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_stands_for_many() {
        let order = |json: &str| Order::parse(json.as_bytes()).unwrap();
        for (json, kind, value) in [
            (r#"{"tags": ["a"]}"#, InvalidationKind::Tag, "a"),
            (
                r#"{"keys": ["GET:a/"], "tags": ["b", "c"]}"#,
                InvalidationKind::Tag,
                "b and 2 more",
            ),
            (r#"{"urls": ["/a"]}"#, InvalidationKind::Key, "h/a"),
            (r#"{"all": true}"#, InvalidationKind::All, ""),
        ] {
            let value = value.to_owned();
            assert_eq!(Named::together(&order(json), b"h"), Named { kind, value });
        }
        let long = Named::new(InvalidationKind::Tag, &"ä".repeat(500));
        assert_eq!(long.value.chars().count(), 200);
    }
}
