//! Who has been here before.
//!
//! A table of short tags, one place for each hash: the last answer that knocked there. It forgets by being written over, so
//! it needs no clock; two that share place and tag are taken for one, which lets a stranger in once in 65,536 times.

/// Places, of two bytes each.
const PLACES: usize = 1 << 14;

/// The last that knocked at each place.
#[derive(Debug, Default)]
pub(crate) struct Door {
    tags: Vec<u16>,
}

/// Whether somebody has knocked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knock {
    /// Yes, and nobody else at that place since.
    Again,
    /// Not that anybody knows.
    First,
}

impl Door {
    /// Knocks. Without memory for the table everybody comes for the first time.
    pub(crate) fn knock(&mut self, hash: u64) -> Knock {
        if self.tags.is_empty() && self.tags.try_reserve_exact(PLACES).is_ok() {
            self.tags.resize(PLACES, 0);
        }
        let [place_low, place_high, tag_low, tag_high, ..] = hash.to_le_bytes();
        // Zero is nobody's tag.
        let tag = u16::from_le_bytes([tag_low, tag_high]).max(1);
        let place = usize::from(u16::from_le_bytes([place_low, place_high])) % PLACES;
        match self.tags.get_mut(place) {
            Some(last) if *last == tag => Knock::Again,
            Some(last) => {
                *last = tag;
                Knock::First
            }
            None => Knock::First,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_again_is_known_until_another_comes_to_that_place() {
        let mut door = Door::default();
        let (one, other) = (0x0001_0002, 0x0003_0002);
        assert_eq!(door.knock(one), Knock::First);
        assert_eq!(door.knock(one), Knock::Again);
        assert_eq!(door.knock(other), Knock::First);
        assert_eq!(door.knock(one), Knock::First, "forgotten");
        assert_eq!(door.knock(0), Knock::First, "no tag at all is one too");
        assert_eq!(door.knock(0), Knock::Again);
    }
}
