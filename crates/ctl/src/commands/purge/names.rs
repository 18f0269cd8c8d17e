//! What is to be purged, as it stands on the command line.

use serde_json::{Map, Value, json};

use crate::remote::{Call, Slashes, escaped};

/// What is to be purged.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "What to purge (each may be given several times)")]
pub(crate) struct Names {
    /// A URL; without a host, one of the host that is asked
    #[arg(long = "url", value_name = "URL")]
    pub(super) urls: Vec<String>,
    /// A key, as `larderctl entries` shows it
    #[arg(long = "key", value_name = "KEY")]
    pub(super) keys: Vec<String>,
    /// A tag, and all below it: `user:42` covers `user:42:profile`
    #[arg(long = "tag", value_name = "TAG")]
    pub(super) tags: Vec<String>,
    /// A pattern of keys with `*` in it, or a regular expression behind `regex:`
    #[arg(long = "pattern", value_name = "PATTERN")]
    pub(super) patterns: Vec<String>,
    /// What keys begin with, or paths where it begins with `/`
    #[arg(long = "prefix", value_name = "PREFIX")]
    pub(super) prefixes: Vec<String>,
    /// A cache group of the host that is asked (RFC 9875)
    #[arg(long = "group", value_name = "NAME")]
    pub(super) groups: Vec<String>,
    /// A user, with everything that is stored about them; the answer has a receipt
    #[arg(long = "user", value_name = "ID")]
    pub(super) users: Vec<String>,
    /// Everything there is
    #[arg(long)]
    pub(super) all: bool,
}

/// Patterns and prefixes that leave nothing out.
const EVERYTHING: [&str; 9] = [
    "",
    "/",
    "regex:",
    "regex:.*",
    "regex:^",
    "regex:^.*$",
    "regex:/",
    "regex:/.*",
    "regex:^.*",
];

impl Names {
    /// Each kind, as it is called in a body.
    fn kinds(&self) -> [(&'static str, &[String]); 6] {
        [
            ("urls", &self.urls),
            ("keys", &self.keys),
            ("tags", &self.tags),
            ("patterns", &self.patterns),
            ("prefixes", &self.prefixes),
            ("groups", &self.groups),
        ]
    }

    /// Whether nothing is named but users.
    pub(super) fn is_only_users(&self) -> bool {
        !self.all && self.kinds().iter().all(|(_, names)| names.is_empty())
    }

    /// Whether nothing is named at all.
    pub(super) fn is_empty(&self) -> bool {
        self.is_only_users() && self.users.is_empty()
    }

    /// Whether it leaves nothing out.
    pub(super) fn covers_everything(&self) -> bool {
        let is_all = |text: &&String| {
            let text = text.trim();
            let is_stars = !text.starts_with("regex:")
                && text.bytes().all(|byte| byte == b'*' || byte == b'/');
            is_stars || EVERYTHING.contains(&text)
        };
        self.all
            || self
                .patterns
                .iter()
                .chain(&self.prefixes)
                .any(|text| is_all(&text))
    }

    /// The call that names it. One tag, key or pattern needs no body, and works where bodies do not come.
    pub(super) fn call(&self, is_soft: bool, is_dry: bool) -> Call {
        let mode = if is_soft { "soft" } else { "hard" };
        let count = self
            .kinds()
            .iter()
            .map(|(_, names)| names.len())
            .sum::<usize>();
        let is_one = count == 1 && !self.all && (self.users.is_empty() || !is_dry);
        let query = format!("mode={mode}&dry_run={is_dry}");
        match (self.tags.first(), self.patterns.first(), self.keys.first()) {
            (Some(tag), _, _) if is_one => {
                let tag = escaped(tag, Slashes::Escaped);
                Call::post(format!("/invalidate/tag/{tag}?{query}"))
            }
            (_, Some(pattern), _) if is_one => {
                let pattern = escaped(pattern, Slashes::Escaped);
                Call::post(format!("/invalidate/pattern?pattern={pattern}&{query}"))
            }
            (_, _, Some(key)) if is_one && !is_dry => {
                let path = format!("/invalidate/key/{}", escaped(key, Slashes::Kept));
                Call::post(path).field("cache-purge-mode", mode)
            }
            _ => Call::post("/invalidate").body(self.body(mode, is_dry)),
        }
    }

    fn body(&self, mode: &str, is_dry: bool) -> Value {
        let mut body = Map::new();
        for (kind, names) in self.kinds().iter().filter(|(_, names)| !names.is_empty()) {
            let names: Vec<Value> = match *kind {
                "groups" => names.iter().map(|name| json!({"name": name})).collect(),
                _ => names.iter().map(|name| json!(name)).collect(),
            };
            body.insert((*kind).to_owned(), Value::Array(names));
        }
        // What a user has is found by a tag; that it is removed is another call, with a receipt of its own.
        if is_dry && !self.users.is_empty() {
            let users = self.users.iter().map(|user| json!(format!("user:{user}")));
            let tags = body.entry("tags").or_insert_with(|| json!([]));
            if let Value::Array(tags) = tags {
                tags.extend(users);
            }
        }
        body.insert("all".to_owned(), self.all.into());
        body.insert("mode".to_owned(), mode.into());
        body.insert("dry_run".to_owned(), is_dry.into());
        Value::Object(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(patterns: &[&str], prefixes: &[&str]) -> Names {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Names {
            patterns: owned(patterns),
            prefixes: owned(prefixes),
            ..Names::default()
        }
    }

    #[test]
    fn everything_is_known_by_its_other_names_too() {
        for names in [
            of(&["*"], &[]),
            of(&["/*"], &[]),
            of(&["/a", "regex:.*"], &[]),
            of(&[], &["/"]),
            of(&[], &[""]),
        ] {
            assert!(names.covers_everything(), "{names:?}");
        }
        for names in [
            of(&["/a*"], &[]),
            of(&["regex:/a.*"], &["/a/"]),
            Names::default(),
        ] {
            assert!(!names.covers_everything(), "{names:?}");
        }
        assert!(
            Names {
                all: true,
                ..Names::default()
            }
            .covers_everything()
        );
    }

    #[test]
    fn a_trial_looks_for_what_users_have() {
        let names = Names {
            users: vec!["42".to_owned()],
            tags: vec!["a".to_owned()],
            ..Names::default()
        };
        assert_eq!(names.body("hard", true)["tags"], json!(["a", "user:42"]));
        assert_eq!(names.body("hard", false)["tags"], json!(["a"]));
    }
}
