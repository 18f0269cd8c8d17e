//! Whether an entry still stands, without reading it.

use crate::key::Key;
use crate::time::Timestamp;

use super::directory::View;
use super::kv::SharedKv;
use super::name::Name;
use super::shared::SharedTier;

impl SharedTier {
    /// Whether the entry of this key is there, and of a request that started at just this time. One read; where that fails,
    /// it is not. Other keys of the same fingerprint do not matter to who asks about what it has just read.
    pub fn holds(&self, kv: &dyn SharedKv, key: &Key, started: Timestamp, now: Timestamp) -> bool {
        let Some(life) = self.life else {
            return false;
        };
        let place = life.place(key.digest());
        let Ok(Some(cell)) = kv.get(Name::directory(place.set).as_str()) else {
            return false;
        };
        let Ok(view) = View::parse(&cell.value) else {
            return false;
        };
        let entry = view.find(place.fingerprint).map(|(_, entry)| entry);
        view.incarnation == life.id
            && entry.is_some_and(|entry| entry.started == started && entry.is_current(now))
    }
}
