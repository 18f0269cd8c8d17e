//! Calls by their method, as the plug-ins of content management systems make them for other caches.
//!
//! | who | sends |
//! |---|---|
//! | Symfony (FOSHttpCache), WordPress, Drupal, most others | `PURGE <url>` |
//! | FOSHttpCache for Varnish | `BAN /` with regular expressions in `X-Host`, `X-Url`, `X-Content-Type`; with `X-Cache-Tags: (a\|b)(,.+)?$` |
//! | FOSHttpCache for Varnish with xkey | `PURGEKEYS /` with `xkey-softpurge: a b` or `xkey-purge` |
//! | FOSHttpCache for Symfony | `PURGETAGS /` with `X-Cache-Tags: a,b`; `PURGE /` with `Clear-Cache: true` |
//! | Proxy Cache Purge (WordPress) | `PURGE /.*` with `X-Purge-Method: regex` |
//! | Magento | `PURGE *` with `X-Magento-Tags-Pattern: ((^\|,)a(,\|$))\|((^\|,)b(,\|$))` or `.*` |
//! | Purge (Drupal) | `BAN /` with `Cache-Tags: a b` or `a\|b` |
//! | Fastly's and Cloudflare's habits | `PURGE <url>` with `Surrogate-Key: a b`, `Cache-Tag: a,b`; `Fastly-Soft-Purge: 1` |
//!
//! (FOSHttpCache `src/ProxyClient`, Magento `CacheInvalidate/Model/PurgeCache.php`, Proxy Cache Purge
//! `varnish-http-purge.php`.)
//!
//! Varnish searches for a regular expression anywhere, Larder's patterns match the whole; so they are made whole. Keys that a
//! rule's template makes have no URL in them: a search in URLs covers all of those. What
//! cannot be said in a pattern is left out where that covers more, and refused where it would cover less.

use larder_core::epoch::Mode;
use larder_core::http::RequestHead;

use crate::order::{Everything, Order, Origin};

/// A method that purges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeMethod {
    /// BAN
    Ban,
    /// PURGE
    Purge,
    /// PURGEKEYS
    PurgeKeys,
    /// PURGETAGS
    PurgeTags,
}

/// How the names in a field are written.
#[derive(Clone, Copy)]
enum Writing {
    /// With commas in between.
    Commas,
    /// With white space, or `|`, in between.
    Spaces,
    /// As an alternation that is searched for in the list of an entry's tags.
    Search,
}

const TAG_FIELDS: [(&str, Writing); 10] = [
    ("surrogate-key", Writing::Spaces),
    ("xkey-purge", Writing::Spaces),
    ("xkey-softpurge", Writing::Spaces),
    ("xkey", Writing::Spaces),
    ("cache-tag", Writing::Commas),
    ("edge-cache-tag", Writing::Commas),
    ("cache-tags", Writing::Spaces),
    ("purge-cache-tags", Writing::Spaces),
    ("x-cache-tags", Writing::Search),
    ("x-magento-tags-pattern", Writing::Search),
];

impl PurgeMethod {
    /// Reads a method name, which is case-sensitive.
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        match name {
            b"BAN" => Some(Self::Ban),
            b"PURGE" => Some(Self::Purge),
            b"PURGEKEYS" => Some(Self::PurgeKeys),
            b"PURGETAGS" => Some(Self::PurgeTags),
            _ => None,
        }
    }
}

/// What a request by a purging method asks for.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn order(method: PurgeMethod, head: &RequestHead) -> Result<Order, String> {
    let mut order = Order::new(mode(head)?);
    order.origin = Origin::Purge;
    if has(head, "clear-cache", "true") {
        order.everything = Everything::Covered;
        return Ok(order);
    }
    if read_tags(head, &mut order)? {
        return Ok(order);
    }
    match method {
        PurgeMethod::Ban => ban(head, &mut order)?,
        PurgeMethod::Purge if has(head, "x-purge-method", "regex") => {
            let path = text(head.target());
            order.patterns.push(pattern(None, &path)?);
            order.templates = Everything::Covered;
        }
        PurgeMethod::Purge => order.urls.push(text(head.target())),
        PurgeMethod::PurgeKeys | PurgeMethod::PurgeTags => {
            return Err("names no tag".to_owned());
        }
    }
    Ok(order)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn has(head: &RequestHead, name: &str, value: &str) -> bool {
    let found = head.headers().first(name);
    found.is_some_and(|found| found.eq_ignore_ascii_case(value.as_bytes()))
}

/// How much is taken away, as headers say it.
pub(crate) fn mode(head: &RequestHead) -> Result<Mode, String> {
    let headers = head.headers();
    let is_soft = headers.contains("xkey-softpurge") || has(head, "fastly-soft-purge", "1");
    match headers.first("cache-purge-mode") {
        Some(word) if word.eq_ignore_ascii_case(b"soft") => Ok(Mode::Soft),
        Some(word) if word.eq_ignore_ascii_case(b"hard") => Ok(Mode::Hard),
        Some(_) => Err("cache-purge-mode: must be `hard` or `soft`".to_owned()),
        None if is_soft => Ok(Mode::Soft),
        None => Ok(Mode::Hard),
    }
}

/// Whether there were any.
fn read_tags(head: &RequestHead, order: &mut Order) -> Result<bool, String> {
    let mut found = false;
    for (name, writing) in TAG_FIELDS {
        for value in head.headers().all(name) {
            found = true;
            let value = text(value);
            match writing {
                Writing::Commas => add(order, value.split(',')),
                Writing::Spaces => {
                    add(
                        order,
                        value.split(|letter: char| letter.is_whitespace() || letter == '|'),
                    );
                }
                Writing::Search if matches!(value.as_str(), ".*" | "*") => {
                    order.everything = Everything::Covered;
                }
                Writing::Search => {
                    let tags = alternatives(&value)
                        .ok_or_else(|| [name, ": is no list of tags"].concat())?;
                    add(order, tags.iter().map(String::as_str));
                }
            }
        }
    }
    if found && order.tags.is_empty() && order.everything == Everything::Kept {
        return Err("names no tag".to_owned());
    }
    Ok(found)
}

fn add<'a>(order: &mut Order, tags: impl Iterator<Item = &'a str>) {
    let named = tags.map(str::trim).filter(|tag| !tag.is_empty());
    order.tags.extend(named.map(str::to_owned));
}

/// The names that a search for one of several in a list with commas looks for; `None` where it is more than that.
fn alternatives(search: &str) -> Option<Vec<String>> {
    let mut plain = search.to_owned();
    for around in ["(^|,)", "(,|$)", "(,.+)?$"] {
        plain = plain.replace(around, "");
    }
    let mut names = vec![String::new()];
    let mut letters = plain.chars();
    while let Some(letter) = letters.next() {
        let name = names.last_mut()?;
        match letter {
            '\\' => name.push(
                letters
                    .next()
                    .filter(|escaped| !escaped.is_ascii_alphanumeric())?,
            ),
            '|' | ',' => names.push(String::new()),
            '(' | ')' => {}
            '*' | '+' | '?' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            other => name.push(other),
        }
    }
    Some(names)
}

fn ban(head: &RequestHead, order: &mut Order) -> Result<(), String> {
    let field = |names: [&str; 2]| {
        let mut values = names.iter().filter_map(|name| head.headers().first(name));
        values.next().map(text)
    };
    let url = field(["x-ban-url", "x-url"]);
    let host = field(["x-ban-host", "x-host"]).filter(|host| host != ".*");
    match (url, host) {
        // That of the request, and all below it, as `BAN` without headers means it elsewhere.
        (None, None) => return Err("needs `X-Ban-Url`, `X-Url` or tags".to_owned()),
        (Some(url), None) if url == ".*" => order.everything = Everything::Covered,
        (url, host) => {
            let url = url.unwrap_or_else(|| ".*".to_owned());
            order.patterns.push(pattern(host.as_deref(), &url)?);
            order.templates = Everything::Covered;
        }
    }
    Ok(())
}

/// A pattern that matches a readable key where these regular expressions are found in its host and URL.
fn pattern(host: Option<&str>, url: &str) -> Result<String, String> {
    let url = whole(url)?;
    let Some(host) = host else {
        // From the path on.
        return Ok(["regex:[A-Z]+:[^/]*", &url].concat());
    };
    let host = whole(host)?;
    // Names of hosts are the same in either case, and keys have them in lower case.
    Ok(["regex:[A-Z]+:(?i:", &host, ")(?::[0-9]+)?", &url].concat())
}

/// A regular expression that is searched for, as one that matches the whole.
fn whole(search: &str) -> Result<String, String> {
    let is_alternation = has_alternatives(search);
    let (start, rest) = match search.strip_prefix('^') {
        Some(rest) if !is_alternation => ("", rest),
        Some(rest) => (".*", rest),
        None => (".*", search),
    };
    let (rest, end) = match rest.strip_suffix('$') {
        Some(rest) if rest.ends_with('\\') => return Err(unsupported(search)),
        Some(rest) if !is_alternation => (rest, ""),
        Some(rest) => (rest, ".*"),
        None => (rest, ".*"),
    };
    if has_anchor(rest) {
        return Err(unsupported(search));
    }
    Ok([start, "(?:", rest, ")", end].concat())
}

fn unsupported(search: &str) -> String {
    let shown: String = search.chars().take(60).collect();
    ["`", &shown, "` has `^` or `$` in the middle"].concat()
}

/// The letters of a regular expression that mean something, with the depth of the groups around them.
fn signs(search: &str) -> impl Iterator<Item = (char, usize)> {
    let mut letters = search.chars();
    let (mut depth, mut in_class) = (0_usize, false);
    std::iter::from_fn(move || {
        loop {
            let letter = letters.next()?;
            match letter {
                '\\' => {
                    letters.next();
                }
                '[' => in_class = true,
                ']' => in_class = false,
                _ if in_class => {}
                '(' => depth = depth.saturating_add(1),
                ')' => depth = depth.saturating_sub(1),
                other => return Some((other, depth)),
            }
        }
    })
}

fn has_alternatives(search: &str) -> bool {
    signs(search).any(|(letter, depth)| letter == '|' && depth == 0)
}

fn has_anchor(search: &str) -> bool {
    signs(search).any(|(letter, _)| matches!(letter, '^' | '$'))
}

#[cfg(test)]
mod tests;
