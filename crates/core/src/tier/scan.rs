//! Looking at everything that is stored, a set at a time: for lists of entries, and for trying out what an invalidation
//! would cover.

use crate::key::Key;
use crate::time::Timestamp;

use super::directory::View;
use super::kv::SharedKv;
use super::name::Name;
use super::outcome::AbsentReason;
use super::shared::{SharedTier, read};
use super::slot::{self, Stamp};
use super::way::{Published, Way};

/// An entry as a scan sees it.
#[derive(Clone, Copy, Debug)]
pub struct Scanned<'a> {
    /// Under which key it stands.
    pub key: &'a Key,
    /// What was stored: [`crate::entry::Payload::outline`] tells about it.
    pub payload: &'a [u8],
    /// When the request that fetched it was received.
    pub started: Timestamp,
    /// When it is no longer of any use.
    pub expires: Timestamp,
    /// The bytes that it takes, the host's overhead included.
    pub charged: u32,
}

/// A cache with more sets than this is not counted while somebody waits; this many take about 20 ms.
const MOST_SETS: u32 = 16_384;

impl SharedTier {
    /// How many entries there are that are current by their times. `None` where there are more sets than can be counted at
    /// once; a sweep counts them too ([`SharedTier::totals`]).
    ///
    /// # Errors
    /// As [`SharedTier::scan`].
    pub fn count(
        &mut self,
        kv: &dyn SharedKv,
        now: Timestamp,
    ) -> Result<Option<u64>, AbsentReason> {
        let life = self.known_life(kv)?;
        let sets = life.geometry.sets();
        if sets > MOST_SETS {
            return Ok(None);
        }
        let mut entries = 0_u64;
        for set in 0..sets {
            let cell = read(kv, Name::directory(set))?;
            let view = cell.as_ref().and_then(|cell| View::parse(cell).ok());
            let directory = view
                .filter(|view| view.incarnation == life.id)
                .and_then(|view| view.directory().ok());
            let ways = directory.iter().flat_map(|all| all.ways());
            let current = ways
                .filter(|way| matches!(way, Way::Published(entry) if entry.is_current(now)))
                .count();
            entries = entries.saturating_add(current as u64);
        }
        Ok(Some(entries))
    }

    /// Shows every entry of a set that is current by its times; whether an invalidation has met it is for who looks. As
    /// many sets as [`super::Geometry::sets`] of the [`SharedTier::geometry`] in force; others are empty. One read for the
    /// set, and one for each entry.
    ///
    /// # Errors
    /// [`AbsentReason::Failed`] where the host fails, and [`AbsentReason::Unfounded`] where nothing was ever stored.
    pub fn scan(
        &mut self,
        kv: &dyn SharedKv,
        set: u32,
        now: Timestamp,
        see: &mut dyn FnMut(Scanned<'_>),
    ) -> Result<(), AbsentReason> {
        let life = self.known_life(kv)?;
        let Some(cell) = read(kv, Name::directory(set))? else {
            return Ok(());
        };
        let directory = View::parse(&cell)
            .ok()
            .filter(|view| view.incarnation == life.id)
            .and_then(|view| view.directory().ok());
        for (at, way) in directory
            .iter()
            .flat_map(|all| all.ways().iter().enumerate())
        {
            let Way::Published(entry) = way else {
                continue;
            };
            if !entry.is_current(now) {
                continue;
            }
            let value = read(kv, Name::slot(set, at))?.unwrap_or_default();
            let Published {
                generation,
                charged,
                started,
                expires,
                ..
            } = *entry;
            let expected = Stamp {
                incarnation: life.id,
                generation,
            };
            if let Ok((stamp, canonical, payload)) = slot::split(&value)
                && stamp == expected
            {
                see(Scanned {
                    key: &Key::from_canonical(canonical.to_vec()),
                    payload,
                    started,
                    expires,
                    charged,
                });
            }
        }
        Ok(())
    }
}
