//! What was seen of one template.

use larder_core::config::PolicyId;
use larder_core::entry::FreshnessSource;
use larder_core::policy::Reason;

use crate::distinct::Distinct;

/// The reasons that are counted of one template.
const REASONS: usize = 4;

/// The names that are counted of one template.
const NAMES: usize = 6;

/// A longer name is not counted.
pub(crate) const LONGEST_NAME: usize = 32;

/// What was seen of the requests whose paths have one template, none of which the cache answered by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The template.
    pub template: String,
    /// By which rule they are counted, as its [`PolicyId::place`].
    pub rule: u16,
    /// How many there were.
    pub total: u32,
    /// How many of these may have been others'.
    pub error: u32,
    /// Those whose response was stored.
    pub stored: u32,
    /// Those whose stored response the origin confirmed.
    pub confirmed: u32,
    /// Those whose stored response was no longer fresh.
    pub expired: u32,
    /// Those whose stored response had been invalidated.
    pub killed: u32,
    /// Those of them whose response was the same again.
    pub killed_alike: u32,
    /// Those that were not stored, or not looked up, by reason.
    pub reasons: Vec<(Reason, u32)>,
    /// How often one response was compared with the one before of its URL, other than after an invalidation.
    pub pairs: u32,
    /// How often it was another.
    pub changes: u32,
    /// The seconds between them, all together.
    pub watched_seconds: u64,
    /// The seconds that the last response was fresh.
    pub lifetime_seconds: u32,
    /// Who said so.
    pub source: FreshnessSource,
    /// URLs.
    pub keys: Distinct,
    /// Contents of responses.
    pub contents: Distinct,
    /// Names with the number of their values.
    pub names: Vec<Name>,
}

/// Something that tells requests apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What it is the name of.
    pub kind: NameKind,
    /// The name.
    pub name: String,
    /// Its values.
    pub values: Distinct,
}

/// What something is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// A parameter of the query.
    Parameter,
    /// A field that responses vary on.
    Vary,
}

impl Seen {
    /// Nothing yet, or so many that may have been others'.
    pub fn new(template: String, rule: PolicyId, others: u32) -> Self {
        Self {
            template,
            rule: u16::try_from(rule.place()).unwrap_or(u16::MAX),
            total: others,
            error: others,
            stored: 0,
            confirmed: 0,
            expired: 0,
            killed: 0,
            killed_alike: 0,
            reasons: Vec::new(),
            pairs: 0,
            changes: 0,
            watched_seconds: 0,
            lifetime_seconds: 0,
            source: FreshnessSource::Origin,
            keys: Distinct::default(),
            contents: Distinct::default(),
            names: Vec::new(),
        }
    }

    /// How many there were for sure.
    pub fn sure(&self) -> u32 {
        self.total.saturating_sub(self.error)
    }

    /// One more for this reason; a table that is full forgets the rarest.
    pub fn note(&mut self, reason: Reason, by: u32) {
        if let Some((_, count)) = self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            *count = count.saturating_add(by);
            return;
        }
        if self.reasons.len() >= REASONS {
            let rarest = self
                .reasons
                .iter()
                .enumerate()
                .min_by_key(|(_, (_, count))| *count);
            match rarest.map(|(at, (_, count))| (at, *count)) {
                Some((at, count)) if count <= by => drop(self.reasons.swap_remove(at)),
                Some(_) | None => return,
            }
        }
        self.reasons.push((reason, by));
    }

    /// How many there were for this reason.
    pub fn count(&self, reason: Reason) -> u32 {
        let mut known = self.reasons.iter();
        known
            .find(|(known, _)| *known == reason)
            .map_or(0, |(_, count)| *count)
    }

    /// The values of a name; none where there are too many names, or it is too long.
    pub fn name(&mut self, kind: NameKind, name: &str) -> Option<&mut Distinct> {
        let at = self
            .names
            .iter()
            .position(|known| known.kind == kind && known.name == name);
        let at = match at {
            Some(at) => at,
            None if self.names.len() < NAMES && name.len() <= LONGEST_NAME => {
                let (name, values) = (name.to_owned(), Distinct::default());
                self.names.push(Name { kind, name, values });
                self.names.len().saturating_sub(1)
            }
            None => return None,
        };
        self.names.get_mut(at).map(|known| &mut known.values)
    }

    /// Takes in what another worker has seen of the same.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in [
            (&mut self.total, other.total),
            (&mut self.error, other.error),
            (&mut self.stored, other.stored),
            (&mut self.confirmed, other.confirmed),
            (&mut self.expired, other.expired),
            (&mut self.killed, other.killed),
            (&mut self.killed_alike, other.killed_alike),
            (&mut self.pairs, other.pairs),
            (&mut self.changes, other.changes),
        ] {
            *ours = ours.saturating_add(theirs);
        }
        self.watched_seconds = self.watched_seconds.saturating_add(other.watched_seconds);
        if other.lifetime_seconds > 0 {
            (self.lifetime_seconds, self.source) = (other.lifetime_seconds, other.source);
        }
        self.keys.merge(&other.keys);
        self.contents.merge(&other.contents);
        for (reason, count) in &other.reasons {
            self.note(*reason, *count);
        }
        for name in &other.names {
            if let Some(values) = self.name(name.kind, &name.name) {
                values.merge(&name.values);
            }
        }
    }

    /// Halves what counts: what was long ago is worth less.
    pub fn fade(&mut self) {
        for count in [
            &mut self.total,
            &mut self.error,
            &mut self.stored,
            &mut self.confirmed,
            &mut self.expired,
            &mut self.killed,
            &mut self.killed_alike,
            &mut self.pairs,
            &mut self.changes,
        ] {
            *count /= 2;
        }
        self.watched_seconds /= 2;
        self.reasons.iter_mut().for_each(|(_, count)| *count /= 2);
        self.reasons.retain(|(_, count)| *count > 0);
        self.keys = Distinct::default();
        self.contents = Distinct::default();
        self.names.clear();
    }
}
