//! What each URL's last response was, to see whether the next is another: a table with one place for each hash, which forgets by
//! being written over.

/// Places, of 16 bytes each.
const PLACES: usize = 1024;

/// What the last responses of URLs were.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    places: Vec<Last>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Last {
    tag: u32,
    content: u32,
    /// Seconds since 1970; 0 for nothing.
    at: u64,
}

/// A response, compared with the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// It is the same as so many seconds before.
    Alike(u64),
    /// It is another than so many seconds before.
    Changed(u64),
    /// Nothing is known of one before.
    Unknown,
}

impl Resources {
    /// A response of a URL has this content now.
    pub(crate) fn compare(&mut self, resource: u64, content: u64, now: u64) -> Compared {
        let content = content as u32;
        let Some(last) = self.last(resource) else {
            return Compared::Unknown;
        };
        let (tag, before) = ((resource >> 32) as u32, *last);
        *last = Last {
            tag,
            content,
            at: now,
        };
        let passed = now.saturating_sub(before.at);
        match before {
            Last { at: 0, .. } => Compared::Unknown,
            before if before.tag != tag => Compared::Unknown,
            before if before.content == content => Compared::Alike(passed),
            _ => Compared::Changed(passed),
        }
    }

    /// The response of a URL is what it was.
    pub(crate) fn confirm(&mut self, resource: u64, now: u64) -> Compared {
        match self.last(resource) {
            Some(last) if last.at > 0 && last.tag == (resource >> 32) as u32 => {
                let passed = now.saturating_sub(last.at);
                last.at = now;
                Compared::Alike(passed)
            }
            Some(_) | None => Compared::Unknown,
        }
    }

    fn last(&mut self, resource: u64) -> Option<&mut Last> {
        if self.places.is_empty() && self.places.try_reserve_exact(PLACES).is_ok() {
            self.places.resize(PLACES, Last::default());
        }
        // The lowest bit is always the same.
        let place = usize::from((resource >> 1) as u16) % PLACES;
        self.places.get_mut(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_and_so_is_none() {
        let mut resources = Resources::default();
        assert_eq!(resources.confirm(7, 100), Compared::Unknown);
        assert_eq!(resources.compare(7, 1, 100), Compared::Unknown);
        assert_eq!(resources.compare(7, 1, 160), Compared::Alike(60));
        assert_eq!(resources.compare(7, 2, 170), Compared::Changed(10));
        assert_eq!(resources.confirm(7, 200), Compared::Alike(30));
        assert_eq!(
            resources.compare(7 + (1 << 32), 2, 210),
            Compared::Unknown,
            "another one took its place"
        );
        assert_eq!(resources.compare(7, 2, 220), Compared::Unknown);
    }
}
