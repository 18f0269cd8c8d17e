//! The templates that are seen most, in a table of fixed size (space-saving: Metwally and others, ICDT 2005): a new one takes
//! the place of the one seen least, and what that had may have been its own.

use larder_core::config::PolicyId;

use crate::seen::Seen;

/// Templates at once.
const MOST: usize = 48;

/// The templates that are seen most.
#[derive(Debug, Default)]
pub(crate) struct Table {
    places: Vec<(u64, Seen)>,
}

impl Table {
    /// One more of this template.
    pub(crate) fn sight(&mut self, template: String, rule: PolicyId) -> Option<(u64, &mut Seen)> {
        let place = u16::try_from(rule.place()).unwrap_or(u16::MAX);
        let hash = crate::hash(template.as_bytes()).wrapping_add(place.into());
        let at = match self.places.iter().position(|(known, _)| *known == hash) {
            Some(at) => at,
            None => self.enter(hash, template, rule)?,
        };
        let (_, seen) = self.places.get_mut(at)?;
        seen.total = seen.total.saturating_add(1);
        Some((hash, seen))
    }

    fn enter(&mut self, hash: u64, template: String, rule: PolicyId) -> Option<usize> {
        if self.places.len() < MOST {
            self.places.try_reserve(1).ok()?;
            self.places.push((hash, Seen::new(template, rule, 0)));
            return self.places.len().checked_sub(1);
        }
        let places = self.places.iter().enumerate();
        let (at, least) = places
            .map(|(at, (_, seen))| (at, seen.total))
            .min_by_key(|(_, total)| *total)?;
        *self.places.get_mut(at)? = (hash, Seen::new(template, rule, least));
        Some(at)
    }

    /// What was seen under this hash, if it is still there.
    pub(crate) fn get(&mut self, hash: u64) -> Option<&mut Seen> {
        let mut places = self.places.iter_mut();
        places
            .find(|(known, _)| *known == hash)
            .map(|(_, seen)| seen)
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Seen> {
        self.places.iter().map(|(_, seen)| seen)
    }

    /// Halves what counts.
    pub(crate) fn fade(&mut self) {
        self.places.iter_mut().for_each(|(_, seen)| seen.fade());
        self.places.retain(|(_, seen)| seen.total > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_often_is_kept_whatever_comes_by_once() {
        let mut table = Table::default();
        for n in 0..10_000 {
            table.sight(format!("/once/{n}"), PolicyId::Unmatched);
            if n % 10 == 0 {
                table.sight("/often".to_owned(), PolicyId::Unmatched);
            }
        }
        let often = table.iter().find(|seen| seen.template == "/often").unwrap();
        assert!(often.total >= 1000 && often.sure() <= 1000, "{often:?}");
        assert!(often.sure() > 700, "{often:?}");
        assert_eq!(table.iter().count(), MOST);
        let sure = table.iter().filter(|seen| seen.sure() > 10).count();
        assert_eq!(sure, 1, "nobody else was seen for sure");
    }
}
