//! What an invalidation is to cover, as it was asked for.
//!
//! ```json
//! {"urls": ["https://api.example.com/a?b", "/a"], "keys": ["GET:api.example.com/a"], "tags": ["user:42"],
//!  "prefixes": ["/a/"], "patterns": ["/a/*", "regex:/a/\\d+"], "groups": [{"host": "api.example.com", "name": "news"}],
//!  "all": false, "mode": "hard", "dry_run": false}
//! ```
//!
//! A URL is what the request says that asks for it: it covers what each rule makes of it. A key is a readable key, as the
//! lists of entries show it. A URL without a host, and a group by its name alone, are those of the host that was called.

use larder_core::config::reading::{self, Cursor, Fields, Given};
use larder_core::config::{Action, Config, TemplatePart};
use larder_core::entry::Stamp;
use larder_core::epoch::{Coverage, Invalidation, Mode, NamePattern, Scope};
use larder_core::http::{Authority, RequestHead, Uri, tag_name};
use larder_core::policy::invalidation::stamps_of_uri;
use larder_core::report::InvalidationKind;
use larder_core::sorting::sort_by;

use crate::fleet::Named;
use crate::route::Parameters;

/// In one call.
const MOST_NAMES: usize = 1000;
/// In one call; of these only so many are in force at once.
const MOST_PATTERNS: usize = 64;
const LONGEST: usize = 8192;
const LONGEST_TAG: usize = 256;

/// What an invalidation is to cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// URLs, with a host or without.
    pub(crate) urls: Vec<String>,
    /// Readable keys.
    pub(crate) keys: Vec<Vec<u8>>,
    /// Tags.
    pub(crate) tags: Vec<String>,
    /// What readable keys begin with.
    pub(crate) prefixes: Vec<String>,
    /// Patterns of readable keys.
    pub(crate) patterns: Vec<String>,
    /// Cache groups (RFC 9875).
    pub(crate) groups: Vec<Group>,
    /// Whether all there is.
    pub(crate) everything: Everything,
    /// How much is taken away.
    pub(crate) mode: Mode,
    /// Whether it is done.
    pub(crate) run: Run,
    /// Where it comes from.
    pub(crate) origin: Origin,
    /// Whether keys without a URL in them are covered too: those that a rule's template makes.
    pub(crate) templates: Everything,
}

/// Whether everything is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Everything {
    /// It is.
    Covered,
    /// Only what is named.
    Kept,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// What would be met is counted.
    Dry,
    /// It is.
    Real,
}

/// Where an order comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A path of the API.
    Api,
    /// A purging method.
    Purge,
}

/// Whether an invalidation gets a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipts {
    /// It does not.
    None,
    /// It does, where there is one left.
    Wanted,
}

/// A cache group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Of which host, with its port where that is not the scheme's; none stands for the one that was called.
    pub(crate) host: Option<String>,
    /// Its name.
    pub(crate) name: String,
}

/// `mode` as it is written.
const MODES: [(&str, Mode); 3] = [
    ("hard", Mode::Hard),
    ("soft", Mode::Soft),
    ("invalidate", Mode::Soft),
];

impl Order {
    /// Nothing yet.
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            urls: Vec::new(),
            keys: Vec::new(),
            tags: Vec::new(),
            prefixes: Vec::new(),
            patterns: Vec::new(),
            groups: Vec::new(),
            everything: Everything::Kept,
            mode,
            run: Run::Real,
            origin: Origin::Api,
            templates: Everything::Kept,
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// All that is wrong with it, for people.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        if json.trim_ascii().is_empty() {
            return Err("needs a body that says what: `{\"tags\": [\"a\"]}`".to_owned());
        }
        match reading::read(json, |cursor| cursor.object(Self::read)) {
            Ok(order) if order.is_empty() => Err("names nothing to invalidate".to_owned()),
            Ok(order) => Ok(order),
            Err(errors) => {
                let problems: Vec<_> = errors.iter().map(ToString::to_string).collect();
                Err(problems.join("; ").replace("configuration: ", ""))
            }
        }
    }

    /// Whether it covers nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.everything == Everything::Kept && self.counts().iter().all(|(_, count)| *count == 0)
    }

    /// How much of each kind is named.
    pub(crate) fn counts(&self) -> [(&'static str, usize); 6] {
        [
            ("urls", self.urls.len()),
            ("keys", self.keys.len()),
            ("tags", self.tags.len()),
            ("prefixes", self.prefixes.len()),
            ("patterns", self.patterns.len()),
            ("groups", self.groups.len()),
        ]
    }

    /// Whether somebody may want to know how much it was. One key or URL is asked for again in any case, and whoever purges
    /// as other caches are purged asks nothing more.
    pub(crate) fn receipts(&self) -> Receipts {
        let more = [&self.tags, &self.prefixes, &self.patterns]
            .iter()
            .any(|names| !names.is_empty());
        let is_wide = more || !self.groups.is_empty() || self.everything == Everything::Covered;
        match (self.origin, is_wide) {
            (Origin::Api, true) => Receipts::Wanted,
            (Origin::Api, false) | (Origin::Purge, _) => Receipts::None,
        }
    }

    /// How each thing that is covered is counted.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = InvalidationKind> {
        let everything = match self.everything {
            Everything::Covered => 1,
            Everything::Kept => 0,
        };
        let counted = [
            (InvalidationKind::All, everything),
            (InvalidationKind::Group, self.groups.len()),
            (
                InvalidationKind::Key,
                self.keys.len().saturating_add(self.urls.len()),
            ),
            (InvalidationKind::Pattern, self.patterns.len()),
            (InvalidationKind::Prefix, self.prefixes.len()),
            (InvalidationKind::Tag, self.tags.len()),
        ];
        let each = counted.into_iter();
        each.flat_map(|(kind, count)| std::iter::repeat_n(kind, count))
    }

    /// What its prefixes and patterns are called, in the order of the invalidations that they become.
    pub(crate) fn pattern_names(&self) -> impl Iterator<Item = Named> {
        let prefixes = self.prefixes.iter();
        let prefixes = prefixes.map(|text| Named::new(InvalidationKind::Prefix, text));
        let patterns = self.patterns.iter();
        prefixes.chain(patterns.map(|text| Named::new(InvalidationKind::Pattern, text)))
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        let mut names = |name, most, longest| {
            let texts = fields.optional(name, |cursor| texts(cursor, most, longest));
            texts.unwrap_or(Vec::new())
        };
        let keys = names("keys", MOST_NAMES, LONGEST);
        Self {
            urls: names("urls", MOST_NAMES, LONGEST),
            keys: keys.into_iter().map(String::into_bytes).collect(),
            tags: names("tags", MOST_NAMES, LONGEST_TAG),
            prefixes: names("prefixes", MOST_PATTERNS, LONGEST),
            patterns: names("patterns", MOST_PATTERNS, LONGEST),
            groups: fields.optional("groups", groups).unwrap_or(Vec::new()),
            everything: match fields.optional("all", Cursor::flag).unwrap_or(false) {
                true => Everything::Covered,
                false => Everything::Kept,
            },
            mode: fields
                .optional("mode", |cursor| cursor.word(&MODES))
                .unwrap_or(Mode::Hard),
            run: match fields.optional("dry_run", Cursor::flag).unwrap_or(false) {
                true => Run::Dry,
                false => Run::Real,
            },
            origin: Origin::Api,
            templates: Everything::Kept,
        }
    }

    /// Takes `mode` and `dry_run` from a query.
    pub(crate) fn with_parameters(mut self, parameters: &Parameters) -> Result<Self, String> {
        if let Some(mode) = parameters.get("mode") {
            let known = MODES.iter().find(|(word, _)| *word == mode);
            self.mode = known.ok_or("mode: must be `hard` or `soft`")?.1;
        }
        self.run = match parameters.get("dry_run").as_deref() {
            None | Some("false") => self.run,
            Some("true") => Run::Dry,
            Some(_) => return Err("dry_run: must be `true` or `false`".to_owned()),
        };
        Ok(self)
    }

    /// The invalidations that cover all of it, under this configuration, when `head` is that of the call.
    ///
    /// # Errors
    /// What names nothing that can be covered, for people.
    pub(crate) fn invalidations(
        &self,
        head: &RequestHead,
        config: &Config,
    ) -> Result<Vec<Invalidation>, String> {
        let mode = self.mode;
        let of = |coverage| Invalidation { coverage, mode };
        if self.everything == Everything::Covered {
            return Ok(vec![of(Coverage::All)]);
        }
        let mut stamps = Vec::new();
        for url in &self.urls {
            stamps.extend(url_stamps(url, head, config)?);
        }
        for group in &self.groups {
            stamps.push(group_stamp(group, head)?);
        }
        let mut all = vec![of(Coverage::Stamps(stamps))];
        for key in &self.keys {
            // A name is text; other bytes are no name.
            all.push(of(Coverage::of_name(&String::from_utf8_lossy(key))));
        }
        all.extend(
            self.tags
                .iter()
                .map(|tag| of(Coverage::of_tag(&tag_name(tag.as_bytes())))),
        );
        let mut all = join_stamps(all);
        let named = |kind: &str, text: &str, problem: String| {
            let shown: String = text.chars().take(60).collect();
            [kind, " `", &shown, "` ", &problem].concat()
        };
        for text in &self.prefixes {
            let pattern = NamePattern::prefix(text);
            let pattern = pattern.map_err(|problem| named("prefix", text, problem))?;
            all.push(of(Coverage::Names(pattern)));
        }
        let of_templates = match self.templates {
            Everything::Covered => templates(config),
            Everything::Kept => Vec::new(),
        };
        for text in self.patterns.iter().chain(&of_templates) {
            let pattern = NamePattern::parse(text);
            let pattern = pattern.map_err(|problem| named("pattern", text, problem))?;
            all.push(of(Coverage::Names(pattern)));
        }
        Ok(all)
    }
}

/// Patterns of all keys that the templates of these rules make. Which URLs stand behind them nobody can say.
fn templates(config: &Config) -> Vec<String> {
    let policies = config.rules.iter().filter_map(|rule| match &rule.action {
        Action::Cache(policy) => policy.key.template.as_ref(),
        Action::Bypass | Action::Invalidate(_) | Action::Refuse => None,
    });
    let mut patterns = Vec::new();
    for template in policies {
        let mut pattern = "regex:(?:".to_owned();
        for part in template.parts() {
            match part {
                TemplatePart::Capture(_) => pattern.push_str(".*"),
                TemplatePart::Literal(text) => escape(text, &mut pattern),
            }
        }
        pattern.push_str(r")(?:\?.*)?");
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    patterns
}

/// A text as a regular expression that means itself.
fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        if letter.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(letter);
    }
}

/// One invalidation for all stamps: each takes a place in the order, and one is enough.
fn join_stamps(all: Vec<Invalidation>) -> Vec<Invalidation> {
    let mut stamps: Vec<Stamp> = Vec::new();
    let mut joined = Vec::new();
    let mut mode = Mode::Hard;
    for invalidation in all {
        mode = invalidation.mode;
        match invalidation.coverage {
            Coverage::Stamps(more) => {
                stamps.extend(more);
            }
            coverage @ (Coverage::All | Coverage::Names(_)) => {
                joined.push(Invalidation { coverage, mode });
            }
        }
    }
    if !stamps.is_empty() {
        sort_by(&mut stamps, |one, other| one.0.cmp(&other.0));
        stamps.dedup();
        let coverage = Coverage::Stamps(stamps);
        joined.push(Invalidation { coverage, mode });
    }
    joined
}

fn url_stamps(url: &str, head: &RequestHead, config: &Config) -> Result<Vec<Stamp>, String> {
    let called = Uri::of_request(head.scheme(), head.authority(), b"/");
    let uri = called.and_then(|called| called.resolve(url.as_bytes()));
    let stamps = uri
        .map(|uri| stamps_of_uri(&uri, config))
        .unwrap_or_default();
    if stamps.is_empty() {
        let shown: String = url.chars().take(60).collect();
        return Err(["`", &shown, "` is no URL that anything could be stored for"].concat());
    }
    Ok(stamps)
}

fn group_stamp(group: &Group, head: &RequestHead) -> Result<Stamp, String> {
    let host = group
        .host
        .as_deref()
        .map_or(head.authority(), str::as_bytes);
    let authority = Authority::parse(host).ok_or("a group's `host` must be a host")?;
    let origin = &authority.origin(head.scheme());
    let name = group.name.as_bytes();
    Ok(Scope::Group { origin, name }.stamp())
}

fn texts(cursor: Cursor<'_>, most: usize, longest: usize) -> Given<Vec<String>> {
    cursor.items(most).map(|items| {
        let text = |item: Cursor<'_>| item.text(1..=longest).map(str::to_owned).value();
        items.into_iter().filter_map(text).collect()
    })
}

fn groups(cursor: Cursor<'_>) -> Given<Vec<Group>> {
    cursor.items(MOST_NAMES).map(|items| {
        items
            .into_iter()
            .filter_map(|item| group(item).value())
            .collect()
    })
}

fn group(cursor: Cursor<'_>) -> Given<Group> {
    if cursor.value.is_string() {
        let name = cursor.text(1..=LONGEST_TAG);
        return name.map(|name| Group {
            host: None,
            name: name.to_owned(),
        });
    }
    cursor.object(|fields| {
        let host = fields.optional("host", |cursor| cursor.text(1..=255));
        let name = fields.required("name", |cursor| cursor.text(1..=LONGEST_TAG));
        Group {
            host: host.map(str::to_owned).value(),
            name: name.unwrap_or("").to_owned(),
        }
    })
}

#[cfg(test)]
mod tests;
