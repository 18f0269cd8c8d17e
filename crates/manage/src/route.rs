//! Which requests are calls, and what their paths and methods ask for.
//!
//! | path, behind the prefix | methods |
//! |---|---|
//! | `/stats`, `/performance` | GET |
//! | `/config` | GET, PUT, DELETE |
//! | `/invalidate`, `/invalidate/key/{key}`, `/invalidate/tag/{tag}`, `/invalidate/pattern?pattern=` | POST |
//! | `/invalidations/{id}` | GET |
//! | `/entries?prefix=&limit=&cursor=` | GET |
//! | `/entries/{key}` | GET, PUT, DELETE |
//! | `/users/{id}` | DELETE |
//! | `/users/receipts/{id}` | GET |
//! | `/warm` | POST |
//! | `/warm/{id}` | GET |
//! | `/explain` | POST |
//!
//! All that follows `/key/` and `/entries/` is the key, its query too, escaped or not; since a key may have escapes of its
//! own, it is read both ways ([`readings`]).

use larder_core::config::Management;
use larder_core::http::{RequestHead, Target, form, normalize_percent};

use crate::purge::PurgeMethod;

/// A request that is a call, or should have been one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addressed {
    /// To a path of the API.
    Api {
        /// What stands behind the prefix: nothing, or `/` and more.
        path: String,
        /// What stands behind the first `?`.
        query: Option<String>,
    },
    /// To a path that a less careful server would read as one of the API.
    Nearly,
    /// By a purging method.
    Purge(PurgeMethod),
}

impl Addressed {
    /// Whether a request is a call.
    pub(crate) fn of(head: &RequestHead, management: &Management) -> Option<Self> {
        let method = head.headers().first(":method").unwrap_or_default();
        if let Some(method) = PurgeMethod::parse(method) {
            return Some(Self::Purge(method));
        }
        let prefix = management.prefix.as_str();
        let Ok(text) = std::str::from_utf8(head.target()) else {
            // Over HTTP/2 any bytes may come. What is no text is no path of the API, but may be meant as one.
            let lossy = String::from_utf8_lossy(head.target());
            let path = lossy.split('?').next().unwrap_or_default();
            let is_meant = management.is_at(head.authority()) && behind(path, prefix).is_some();
            return is_meant.then_some(Self::Nearly);
        };
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (text, None),
        };
        if !management.is_at(head.authority()) {
            return None;
        }
        if let Some(path) = behind(path, prefix) {
            let path = path.to_owned();
            return Some(Self::Api { path, query });
        }
        let target = Target::parse(path.as_bytes()).ok()?;
        let loose = target.loose_path();
        let readings = [Some(target.path()), loose.as_deref()];
        readings
            .into_iter()
            .flatten()
            .any(|path| behind(path, prefix).is_some())
            .then_some(Self::Nearly)
    }
}

fn behind<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// A method of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// DELETE
    Delete,
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// What a path of the API is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The configuration in force.
    Config,
    /// What is stored, one after the other.
    Entries(Parameters),
    /// What is stored under a key.
    Entry(Key),
    /// What would be decided.
    Explain,
    /// Whatever the body names.
    Invalidate,
    /// A key.
    InvalidateKey(Key),
    /// The keys that a pattern matches.
    InvalidatePattern(Parameters),
    /// A tag.
    InvalidateTag(String, Parameters),
    /// What became of an invalidation.
    Invalidation(String),
    /// How well it works, and what would be better.
    Performance,
    /// The numbers.
    Stats,
    /// Everything about a user.
    User(String),
    /// What became of a user's data.
    UserReceipt(String),
    /// Fetching in advance.
    Warm,
    /// How far that has come.
    WarmJob(String),
}

/// A readable key as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

/// The parameters of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Option<String>);

/// Which body belongs to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// JSON.
    Json,
    /// None; one that is there all the same is not read.
    None,
    /// That of a response.
    Response,
}

/// Why a path or method asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Astray {
    /// There is no such path.
    Path,
    /// It has other methods.
    Method(String),
    /// A parameter has no name that is known here.
    Parameter(String),
}

impl Key {
    /// What it may mean: as it stands with its escapes in their normal form, and with its escapes undone.
    pub(crate) fn readings(&self) -> Vec<Vec<u8>> {
        let plain =
            normalize_percent(&self.0).map_or_else(|| self.0.clone(), |plain| plain.into_owned());
        let decoded = unescape(&self.0);
        let mut readings = vec![plain.into_bytes()];
        if !readings.contains(&decoded) {
            readings.push(decoded);
        }
        readings
    }
}

/// Undoes escapes; a `%` without two hexadecimal digits is itself, and so is a `+`.
fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split('+');
    let mut bytes = form::decode(parts.next().unwrap_or_default().as_bytes()).into_owned();
    for part in parts {
        bytes.push(b'+');
        bytes.extend_from_slice(&form::decode(part.as_bytes()));
    }
    bytes
}

impl Parameters {
    /// The value of the first parameter of this name.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let mut all = form::parameters(self.0.as_deref().unwrap_or_default());
        let found = all.find(|parameter| *parameter.name == *name.as_bytes())?;
        Some(form::text(&found.value).into_owned())
    }

    fn only(query: Option<&str>, known: &[&str]) -> Result<Self, Astray> {
        let all = form::parameters(query.unwrap_or_default());
        for parameter in all {
            let name = form::text(&parameter.name);
            if !known.contains(&&*name) {
                let mut shown: String = name.chars().take(40).collect();
                shown = ["the parameter `", &shown, "` is unknown here"].concat();
                return Err(Astray::Parameter(shown));
            }
        }
        Ok(Self(query.map(str::to_owned)))
    }
}

impl Place {
    /// What a method and a path ask for.
    pub(crate) fn find(
        method: &[u8],
        path: &str,
        query: Option<&str>,
    ) -> Result<(Verb, Self), Astray> {
        let place = Self::of(path, query)?;
        let verbs = place.verbs();
        let verb = verbs.iter().find(|verb| verb.name().as_bytes() == method);
        match verb {
            Some(verb) => Ok((*verb, place)),
            None => {
                let names: Vec<_> = verbs.iter().map(|verb| verb.name()).collect();
                Err(Astray::Method(names.join(", ")))
            }
        }
    }

    fn of(path: &str, query: Option<&str>) -> Result<Self, Astray> {
        let whole = |rest: &str| match query {
            Some(query) => [rest, "?", query].concat(),
            None => rest.to_owned(),
        };
        // A key may be anything, so these come first.
        let keyed = [
            ("/invalidate/key/", Self::InvalidateKey as fn(Key) -> Self),
            ("/entries/", Self::Entry),
        ];
        for (before, place) in keyed {
            match path.strip_prefix(before) {
                Some("") if query.is_none() => return Err(Astray::Path),
                Some(key) => return Ok(place(Key(whole(key)))),
                None => {}
            }
        }
        let parameters = |known: &[&str]| Parameters::only(query, known);
        let place = match path {
            "/stats" => Self::Stats,
            "/performance" => Self::Performance,
            "/config" => Self::Config,
            "/explain" => Self::Explain,
            "/warm" => Self::Warm,
            "/invalidate" => Self::Invalidate,
            "/invalidate/pattern" => {
                return Ok(Self::InvalidatePattern(parameters(&[
                    "pattern", "mode", "dry_run",
                ])?));
            }
            "/entries" => return Ok(Self::Entries(parameters(&["prefix", "limit", "cursor"])?)),
            _ => return Self::named(path, query),
        };
        parameters(&[]).map(|_| place)
    }

    /// Places whose last part is a name.
    fn named(path: &str, query: Option<&str>) -> Result<Self, Astray> {
        let (place, name) = path.rsplit_once('/').ok_or(Astray::Path)?;
        let name = String::from_utf8(unescape(name)).map_err(|_| Astray::Path)?;
        if name.is_empty() {
            return Err(Astray::Path);
        }
        match place {
            "/invalidate/tag" => {
                let parameters = Parameters::only(query, &["mode", "dry_run"])?;
                return Ok(Self::InvalidateTag(name, parameters));
            }
            "/invalidations" | "/users" | "/users/receipts" | "/warm" => {}
            _ => return Err(Astray::Path),
        }
        Parameters::only(query, &[])?;
        Ok(match place {
            "/invalidations" => Self::Invalidation(name),
            "/users" => Self::User(name),
            "/users/receipts" => Self::UserReceipt(name),
            _ => Self::WarmJob(name),
        })
    }

    fn verbs(&self) -> &'static [Verb] {
        match self {
            Self::Config => &[Verb::Get, Verb::Put, Verb::Delete],
            Self::Entry(_) => &[Verb::Get, Verb::Put, Verb::Delete],
            Self::User(_) => &[Verb::Delete],
            Self::Explain
            | Self::Invalidate
            | Self::InvalidateKey(_)
            | Self::InvalidatePattern(_)
            | Self::InvalidateTag(..)
            | Self::Warm => &[Verb::Post],
            Self::Entries(_)
            | Self::Invalidation(_)
            | Self::Performance
            | Self::Stats
            | Self::UserReceipt(_)
            | Self::WarmJob(_) => &[Verb::Get],
        }
    }

    /// Which body belongs to a call.
    pub(crate) fn content(&self, verb: Verb) -> Content {
        match self {
            Self::Explain | Self::Invalidate | Self::Warm => Content::Json,
            Self::Config if verb == Verb::Put => Content::Json,
            Self::Entry(_) if verb == Verb::Put => Content::Response,
            Self::Config
            | Self::Entries(_)
            | Self::Entry(_)
            | Self::InvalidateKey(_)
            | Self::InvalidatePattern(_)
            | Self::InvalidateTag(..)
            | Self::Invalidation(_)
            | Self::Performance
            | Self::Stats
            | Self::User(_)
            | Self::UserReceipt(_)
            | Self::WarmJob(_) => Content::None,
        }
    }
}

#[cfg(test)]
mod tests;
