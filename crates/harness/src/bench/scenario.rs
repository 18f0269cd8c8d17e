//! What is asked of a subject, and what comes back when it does what is to be measured.

use std::sync::Arc;

use super::drive::Work;
use super::origin::{ETAG, PLAIN, TAGGED, VARYING};
use super::wire::{Ask, Expect};

/// Hits go to so many URLs in turn.
const KEYS: usize = 50;
const KIBIBYTE: usize = 1024;

/// What is measured, independent of who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Under a rule that says not to cache.
    Bypass(usize),
    /// A stored response, compressed.
    GzipHit(usize),
    /// A stored response.
    Hit(usize),
    /// URLs that nobody has asked for; each response is stored.
    Miss(usize),
    /// A stored response that the client has already.
    NotModified,
    /// A stored response with eight tags under the last but two of fifty rules, each a regular expression.
    RuleHit(usize),
    /// As [`Scenario::Miss`], with eight tags.
    TaggedMiss(usize),
    /// A stored response that varies, its two variants in turn.
    VariantHit(usize),
}

impl Scenario {
    /// All that are compared, by the name that selects them.
    pub const ALL: [(&'static str, Self); 15] = [
        ("hit-1k", Self::Hit(KIBIBYTE)),
        ("hit-10k", Self::Hit(10 * KIBIBYTE)),
        ("hit-100k", Self::Hit(100 * KIBIBYTE)),
        ("hit-1m", Self::Hit(1024 * KIBIBYTE)),
        ("304", Self::NotModified),
        ("gzip-1k", Self::GzipHit(KIBIBYTE)),
        ("gzip-10k", Self::GzipHit(10 * KIBIBYTE)),
        ("gzip-100k", Self::GzipHit(100 * KIBIBYTE)),
        ("variant", Self::VariantHit(KIBIBYTE)),
        ("rule", Self::RuleHit(KIBIBYTE)),
        ("miss-1k", Self::Miss(KIBIBYTE)),
        ("miss-10k", Self::Miss(10 * KIBIBYTE)),
        ("miss-100k", Self::Miss(100 * KIBIBYTE)),
        ("bypass-1k", Self::Bypass(KIBIBYTE)),
        ("bypass-10k", Self::Bypass(10 * KIBIBYTE)),
    ];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, scenario)| *scenario)
    }

    /// The name that selects it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, known)| *known == self);
        found.map_or("unnamed", |(name, _)| name)
    }

    /// How long the stored body is, in bytes.
    #[must_use]
    pub fn body(self) -> usize {
        match self {
            Self::NotModified => KIBIBYTE,
            Self::Bypass(body)
            | Self::GzipHit(body)
            | Self::Hit(body)
            | Self::Miss(body)
            | Self::RuleHit(body)
            | Self::TaggedMiss(body)
            | Self::VariantHit(body) => body,
        }
    }

    /// What others do who know no variants, rules or conditions.
    #[must_use]
    pub fn plainly(self) -> Self {
        match self {
            Self::Bypass(_) | Self::Hit(_) | Self::Miss(_) | Self::TaggedMiss(_) => self,
            Self::GzipHit(_) | Self::NotModified | Self::RuleHit(_) | Self::VariantHit(_) => {
                Self::Hit(self.body())
            }
        }
    }

    /// What the answers of Larder must be like; others do not say what they did.
    #[must_use]
    pub fn larder_lines(self) -> Vec<String> {
        let lines: &[&str] = match self {
            Self::Bypass(_) => &["x-cache: BYPASS"],
            Self::GzipHit(_) => &["x-cache: HIT", "content-encoding: gzip"],
            Self::Hit(_) | Self::NotModified | Self::RuleHit(_) => &["x-cache: HIT"],
            Self::Miss(_) | Self::TaggedMiss(_) => &["x-cache: MISS"],
            Self::VariantHit(_) => &["x-cache: HIT", "vary: accept-language"],
        };
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    /// What is sent, and what must come back with `lines` from whoever answers.
    #[must_use]
    pub fn work(self, lines: Vec<String>) -> Arc<Work> {
        let (status, body) = match self {
            Self::NotModified => (304, None),
            // How much shorter it gets is the subject's business.
            Self::GzipHit(_) => (200, None),
            Self::Bypass(body)
            | Self::Hit(body)
            | Self::Miss(body)
            | Self::RuleHit(body)
            | Self::TaggedMiss(body)
            | Self::VariantHit(body) => (200, Some(body)),
        };
        Arc::new(Work {
            asks: self.asks(),
            expect: Expect {
                status,
                body,
                lines,
            },
        })
    }

    fn asks(self) -> Vec<Ask> {
        let keys = |prefix: &str, body: usize| {
            let ask = |key| Ask::get(&format!("{prefix}/{body}/k{key}"));
            (0..KEYS).map(ask).collect::<Vec<_>>()
        };
        match self {
            Self::Bypass(body) | Self::Hit(body) => keys(PLAIN, body),
            Self::GzipHit(body) => {
                let asks = keys(PLAIN, body).into_iter();
                asks.map(|ask| ask.header("accept-encoding", "gzip"))
                    .collect()
            }
            Self::Miss(body) => vec![Ask::distinct(&format!("{PLAIN}/{body}/new-"))],
            Self::TaggedMiss(body) => vec![Ask::distinct(&format!("{TAGGED}/{body}/new-"))],
            Self::NotModified => {
                let asks = keys(PLAIN, KIBIBYTE).into_iter();
                asks.map(|ask| ask.header("if-none-match", ETAG)).collect()
            }
            Self::RuleHit(body) => keys(TAGGED, body),
            Self::VariantHit(body) => {
                let asks = keys(VARYING, body).into_iter();
                asks.flat_map(|ask| {
                    ["de", "en"].map(|tag| ask.clone().header("accept-language", tag))
                })
                .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_found_by_its_name() {
        for (name, scenario) in Scenario::ALL {
            assert_eq!(Scenario::named(name), Some(scenario));
            assert_eq!(scenario.name(), name);
        }
        assert_eq!(Scenario::named("hit-2k"), None);
    }
}
