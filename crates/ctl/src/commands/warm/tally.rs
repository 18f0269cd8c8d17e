//! What became of all the URLs, counted.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fetch::{Answered, Asked};
use super::list::List;

/// So many failures are remembered by their URLs.
const MOST_FAILURES: usize = 1000;

/// What became of all the URLs, counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// URLs that were named.
    pub(super) total: u64,
    /// Those that were asked for.
    pub(super) done: u64,
    /// Those of them that were stored.
    pub(super) stored: u64,
    /// Those of them that were not answered, or with an error.
    pub(super) failed: u64,
    /// Those that were not asked for.
    pub(super) refused: u64,
    /// By what `x-cache` said.
    pub(super) outcomes: BTreeMap<String, u64>,
    /// Why what was fetched was not stored, by reason.
    pub(super) not_stored: BTreeMap<String, u64>,
    /// Which failed, and why.
    pub(super) failures: Vec<(String, String)>,
    /// How long it took.
    pub(super) took: Duration,
}

impl Tally {
    /// Before the first one is asked for.
    pub(super) fn of(list: &List) -> Self {
        let refused = list.refused.len() as u64;
        Self {
            total: (list.urls.len() as u64).saturating_add(refused),
            refused,
            ..Self::default()
        }
    }

    /// One more is done.
    pub(super) fn note(&mut self, asked: &Asked) {
        self.done = self.done.saturating_add(1);
        match &asked.answer {
            Ok(answered) => {
                let word = match answered.x_cache.as_str() {
                    "" => "(no x-cache)",
                    word => word,
                };
                more(&mut self.outcomes, word, 1);
                self.note_storage(answered);
                if answered.status >= 400 {
                    self.fail(&asked.url, format!("status {}", answered.status));
                }
            }
            Err(why) => self.fail(&asked.url, why.clone()),
        }
    }

    fn note_storage(&mut self, answered: &Answered) {
        let parameters = answered.cache_status.rsplit(',').next().unwrap_or_default();
        let mut parameters = parameters.split(';').map(str::trim);
        if parameters.clone().any(|parameter| parameter == "stored") {
            self.stored = self.stored.saturating_add(1);
        } else if answered.x_cache != "HIT" && answered.x_cache != "STALE" {
            let detail = parameters.find_map(|parameter| parameter.strip_prefix("detail="));
            more(&mut self.not_stored, detail.unwrap_or("(not said)"), 1);
        }
    }

    /// One more has failed.
    pub(super) fn fail(&mut self, url: &str, why: String) {
        self.failed = self.failed.saturating_add(1);
        if self.failures.len() < MOST_FAILURES {
            self.failures.push((url.to_owned(), why));
        }
    }

    /// Whether nothing went wrong.
    pub(super) fn is_fine(&self) -> bool {
        self.failed == 0
            && self.refused == 0
            && self.done.saturating_add(self.refused) == self.total
    }
}

/// So many more of a name.
pub(super) fn more(counts: &mut BTreeMap<String, u64>, name: &str, by: u64) {
    let count = counts.entry(name.to_owned()).or_insert(0);
    *count = count.saturating_add(by);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(status: u16, x_cache: &str, cache_status: &str) -> Asked {
        let (x_cache, cache_status) = (x_cache.to_owned(), cache_status.to_owned());
        Asked {
            url: "http://a/b".to_owned(),
            took: Duration::ZERO,
            answer: Ok(Answered {
                status,
                x_cache,
                cache_status,
            }),
        }
    }

    #[test]
    fn it_is_counted_what_was_stored_and_why_the_rest_was_not() {
        let mut tally = Tally {
            total: 5,
            ..Tally::default()
        };
        tally.note(&asked(
            200,
            "MISS",
            "origin; hit, larder; fwd=uri-miss; stored",
        ));
        tally.note(&asked(200, "MISS", "larder; fwd=uri-miss; detail=private"));
        tally.note(&asked(200, "HIT", "larder; hit; ttl=7"));
        tally.note(&asked(404, "MISS", "larder; fwd=uri-miss; detail=status"));
        assert!(!tally.is_fine());
        let whole = (tally.done, tally.stored, tally.failed);
        assert_eq!(whole, (4, 1, 1));
        let reasons: Vec<_> = tally.not_stored.into_iter().collect();
        assert_eq!(
            reasons,
            [("private".to_owned(), 1), ("status".to_owned(), 1)]
        );
    }
}
