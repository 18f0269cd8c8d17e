//! Through which routes of the proxy requests go as they came.
//!
//! A route may rewrite the path or the host, or add fields to responses, and a filter behind this one may do what it likes; a request
//! of the filter's own passes none of them. So it is noted here, where every worker sees it, what became of requests and responses
//! on their way. That one of a route was altered counts for good: another may take the same route by a name that several share.
//!
//! One cell of up to 128 records: eight bytes that stand for the route, and one for what was seen. Of what it has no room for,
//! nothing is known, and then nothing is sent of the filter's own.

use md5::{Digest, Md5};

use super::kv::{Cas, SetError, SharedKv};
use super::name::Name;

const VERSION: u8 = 1;
const MOST: usize = 128;
const TRIES: usize = 3;

/// A route, as far as it can be told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route([u8; 8]);

impl Route {
    /// The one with these words: those of the virtual host, the route and the cluster.
    pub fn of(words: [&[u8]; 3]) -> Self {
        let mut digest = Md5::new();
        for word in words {
            digest.update((word.len() as u64).to_le_bytes());
            digest.update(word);
        }
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 16]>::from(digest.finalize());
        Self([a, b, c, d, e, f, g, h])
    }

    /// A number that stands for it.
    pub fn id(self) -> u64 {
        u64::from_le_bytes(self.0)
    }
}

/// What becomes of requests and responses on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Passage {
    /// They are altered.
    Altered = 2,
    /// They are sent as they came.
    Untouched = 1,
}

impl Passage {
    /// What has been seen of this route.
    pub fn known(kv: &dyn SharedKv, route: Route) -> Option<Self> {
        let cell = kv.get(Name::routes().as_str()).ok()??;
        find(&cell.value, route).map(|(_, passage)| passage)
    }

    /// Something has been seen of this route.
    pub fn note(self, kv: &dyn SharedKv, route: Route) {
        for _ in 0..TRIES {
            let Ok(found) = kv.get(Name::routes().as_str()) else {
                return;
            };
            let (mut value, cas) = match found {
                Some(cell) if is_sound(&cell.value) => (cell.value, cell.cas),
                Some(cell) => (vec![VERSION], cell.cas),
                None => (vec![VERSION], Cas::NEVER),
            };
            match find(&value, route) {
                Some((_, Self::Altered)) => return,
                Some((_, known)) if known == self => return,
                Some((at, _)) => {
                    if let Some(place) = value.get_mut(at) {
                        *place = self as u8;
                    }
                }
                None if records(&value).count() >= MOST => return,
                None => {
                    value.extend_from_slice(&route.0);
                    value.push(self as u8);
                }
            }
            match kv.set(Name::routes().as_str(), &value, cas) {
                Ok(()) | Err(SetError::Failed) => return,
                Err(SetError::Lost) => {}
            }
        }
    }
}

fn is_sound(value: &[u8]) -> bool {
    let is_whole = value.len().checked_rem(9) == Some(1);
    value.first() == Some(&VERSION) && is_whole && records(value).count() <= MOST
}

fn records(value: &[u8]) -> impl Iterator<Item = &[u8; 9]> {
    let (records, _) = value.get(1..).unwrap_or_default().as_chunks::<9>();
    records.iter()
}

/// Where it stands what has been seen of a route, and what; a byte that means nothing stands for the worse.
fn find(value: &[u8], route: Route) -> Option<(usize, Passage)> {
    if !is_sound(value) {
        return None;
    }
    let is_it = |record: &&[u8; 9]| record.starts_with(&route.0);
    let (place, [.., passage]) = records(value)
        .enumerate()
        .find(|(_, record)| is_it(record))?;
    let passage = match passage {
        1 => Passage::Untouched,
        _ => Passage::Altered,
    };
    Some((place.saturating_add(1).saturating_mul(9), passage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::MemoryKv;

    fn route(name: &str) -> Route {
        Route::of([b"host", name.as_bytes(), b"cluster"])
    }

    #[test]
    fn what_was_seen_is_known_and_the_worse_stays() {
        use Passage::{Altered, Untouched};
        let kv = MemoryKv::new();
        assert_eq!(Passage::known(&kv, route("a")), None);
        for (name, seen, expected) in [
            ("a", Untouched, Untouched),
            ("a", Untouched, Untouched),
            ("b", Altered, Altered),
            ("b", Untouched, Altered),
            ("a", Altered, Altered),
            ("a", Untouched, Altered),
            ("c", Untouched, Untouched),
        ] {
            seen.note(&kv, route(name));
            assert_eq!(Passage::known(&kv, route(name)), Some(expected), "{name}");
        }
        assert_eq!(Passage::known(&kv, route("d")), None);
    }

    #[test]
    fn words_are_not_run_together() {
        assert_ne!(Route::of([b"ab", b"", b"c"]), Route::of([b"a", b"b", b"c"]));
        assert_ne!(Route::of([b"a", b"", b"b"]), Route::of([b"a", b"b", b""]));
    }

    #[test]
    fn there_is_a_bound() {
        let kv = MemoryKv::new();
        for number in 0..200 {
            Passage::Untouched.note(&kv, route(&number.to_string()));
        }
        assert_eq!(Passage::known(&kv, route("127")), Some(Passage::Untouched));
        assert_eq!(Passage::known(&kv, route("128")), None);
        Passage::Altered.note(&kv, route("5"));
        assert_eq!(Passage::known(&kv, route("5")), Some(Passage::Altered));
    }

    #[test]
    fn damage_is_nothing_known() {
        let kv = MemoryKv::new();
        Passage::Untouched.note(&kv, route("a"));
        let name = Name::routes();
        let good = kv.get(name.as_str()).unwrap().unwrap().value;
        let mut forged = good.clone();
        *forged.last_mut().unwrap() = 77;
        for (value, expected) in [
            (Vec::new(), None),
            (good[..5].to_vec(), None),
            ([&good[..], b"x"].concat(), None),
            ([&[9], &good[1..]].concat(), None),
            ([&[VERSION][..], &[0; 9 * 129]].concat(), None),
            (forged, Some(Passage::Altered)),
        ] {
            kv.set(name.as_str(), &value, Cas::UNCONDITIONAL).unwrap();
            assert_eq!(Passage::known(&kv, route("a")), expected, "{value:?}");
            if expected.is_none() {
                Passage::Untouched.note(&kv, route("b"));
                let after = Passage::known(&kv, route("b"));
                assert_eq!(after, Some(Passage::Untouched), "begun anew");
            }
        }
    }
}
