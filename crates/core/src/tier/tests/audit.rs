//! Compares what the directories say with what the slots hold.

use super::super::directory::{View, WAYS};
use super::super::incarnation::Incarnation;
use super::super::name::Name;
use super::super::slot::{self, OVERHEAD, Stamp};
use super::super::way::Way;
use super::super::{MemoryKv, SharedKv};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Audit {
    /// The sum of the charged bytes.
    pub(super) charged: u64,
    /// The bytes in all slots, with what the host adds.
    pub(super) held: u64,
    pub(super) published: u64,
    /// What does not fit together.
    pub(super) complaints: Vec<String>,
}

pub(super) fn value(kv: &MemoryKv, name: &str) -> Vec<u8> {
    kv.get(name)
        .unwrap()
        .map(|cell| cell.value)
        .unwrap_or_default()
}

/// Audits the incarnation in force; panics on a name outside the fixed set.
pub(super) fn audit(kv: &MemoryKv) -> Audit {
    let life = Incarnation::current(kv).unwrap().expect("an incarnation");
    let sets = life.geometry.sets();
    let mut audit = Audit::default();
    let mut names = vec![Name::incarnation(), Name::leases(), Name::sweeper()];
    for set in 0..sets {
        names.push(Name::directory(set));
        let record = value(kv, Name::directory(set).as_str());
        let directory = match View::parse(&record) {
            Ok(view) if view.incarnation == life.id => view.directory().ok(),
            _ => None,
        };
        for way in 0..WAYS {
            names.push(Name::slot(set, way));
            let bytes = value(kv, Name::slot(set, way).as_str());
            let expected = directory.as_ref().map_or(Way::Free, |all| all.way(way));
            audit.compare(&format!("{set}.{way}"), life.id, expected, &bytes);
        }
    }
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    for name in kv.names() {
        assert!(
            names.contains(&name.as_str()),
            "{name} is no name of this geometry"
        );
    }
    audit
}

impl Audit {
    fn compare(&mut self, at: &str, incarnation: u64, expected: Way, bytes: &[u8]) {
        self.charged += u64::from(expected.charged());
        if !bytes.is_empty() {
            self.held += bytes.len() as u64 + u64::from(OVERHEAD);
        }
        let sound = match expected {
            Way::Free => bytes.is_empty(),
            Way::Emptying(_) | Way::Filling { .. } => false,
            Way::Published(entry) => {
                self.published += 1;
                let generation = entry.generation;
                slot::stamp(bytes)
                    == Ok(Stamp {
                        incarnation,
                        generation,
                    })
                    && entry.charged as usize == bytes.len() + OVERHEAD as usize
            }
        };
        if !sound {
            self.complaints
                .push(format!("{at}: {expected:?} over {} bytes", bytes.len()));
        }
    }
}
