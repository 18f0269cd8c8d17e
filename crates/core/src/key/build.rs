//! The key of a request.

use super::canonical::{Canonical, Tag};
use super::identity::{self, Attributes, Found};
use super::query::parameters;
use super::{Key, KeyError, Search};
use crate::config::{
    CachePolicy, Captures, KeySpec, NoVarySearch, QueryOrder, QuerySpec, Template, TemplatePart,
    Trust,
};
use crate::http::{Authority, Headers, INFLUENCES, RequestHead, Target, cookies, said};

/// What a key is made of.
#[derive(Clone, Copy)]
pub struct KeyParts<'a> {
    /// The request.
    pub head: &'a RequestHead,
    /// What its `:path` means.
    pub target: &'a Target,
    /// The policy that holds for it.
    pub policy: &'a CachePolicy,
    /// What the policy's rule took of the path.
    pub captures: &'a Captures,
    /// What the host knows of it.
    pub attributes: &'a dyn Attributes,
    /// What its canonical bytes may take: `limits.max_key_bytes`.
    pub max_key_bytes: usize,
}

/// A key, and for whom it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltKey {
    /// The key.
    pub key: Key,
    /// For whom.
    pub principal: Principal,
    /// Where to find what No-Vary-Search says about the URL, where that counts.
    pub search: Option<Search>,
}

/// For whom a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The policy wants an identity, and the request has none.
    Anonymous,
    /// The request has the identity that the policy wants; it is part of the key.
    Known,
    /// The policy wants no identity.
    NotAsked,
}

impl Key {
    /// Builds the key of a request.
    ///
    /// # Errors
    ///
    /// A request without key is passed through: see [`KeyError`].
    pub fn build(parts: KeyParts<'_>) -> Result<BuiltKey, KeyError> {
        let KeyParts {
            head,
            target,
            policy,
            captures,
            attributes,
            max_key_bytes,
        } = parts;
        let mut canonical = Canonical::new(max_key_bytes);
        write_origin(&mut canonical, head)?;
        write_place(&mut canonical, target, policy, captures);
        write_query(&mut canonical, target, &policy.key);
        write_chosen(&mut canonical, head.headers(), &policy.key);
        write_influences(&mut canonical, head.headers(), &policy.key);
        let principal = match &policy.identity {
            None => Principal::NotAsked,
            Some(identity) => {
                let found = identity::find(identity, head.headers(), attributes)?;
                write_identity(&mut canonical, head.headers(), &found, identity.trust)
            }
        };
        let search = match policy.no_vary_search {
            NoVarySearch::Obey if has_query(&policy.key) => {
                Search::new(joined(target, &policy.key.query))
            }
            NoVarySearch::Ignore | NoVarySearch::Obey => None,
        };
        Ok(BuiltKey {
            key: canonical.finish()?,
            principal,
            search,
        })
    }
}

fn write_origin(canonical: &mut Canonical, head: &RequestHead) -> Result<(), KeyError> {
    let authority = Authority::parse(head.authority()).ok_or(KeyError::Authority)?;
    if !is_scheme(head.scheme()) {
        return Err(KeyError::Scheme);
    }
    write_scheme(canonical, head);
    write_host(canonical, head.scheme(), authority);
    Ok(())
}

/// The host, and the port unless it is the scheme's own.
pub(super) fn write_host(canonical: &mut Canonical, scheme: &[u8], authority: Authority<'_>) {
    let host = authority.lower_host();
    match authority.port_other_than_default(scheme) {
        Some(port) => canonical.bytes(Tag::Host, &[host.as_bytes(), b":", port.as_bytes()]),
        None => canonical.bytes(Tag::Host, &[host.as_bytes()]),
    }
}

/// The path, or what the policy's template puts in its place.
pub(super) fn write_place(
    canonical: &mut Canonical,
    target: &Target,
    policy: &CachePolicy,
    captures: &Captures,
) {
    match &policy.key.template {
        Some(template) => write_template(canonical, template, captures),
        None => canonical.bytes(Tag::Path, &[target.path().as_bytes()]),
    }
}

/// `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )` (RFC 3986 section 3.1): nothing with a comma.
fn is_scheme(scheme: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    scheme.first().is_some_and(u8::is_ascii_alphabetic) && scheme.iter().all(is_part)
}

/// The scheme, and behind a comma the one that the origin is told, where that is another.
///
/// `:scheme` is the client's to choose (an absolute target, HTTP/2), while origins decide by `x-forwarded-proto` whether
/// to redirect and how to write links: what was fetched with one word is no answer to a request with the other.
fn write_scheme(canonical: &mut Canonical, head: &RequestHead) {
    let told = head
        .headers()
        .first("x-forwarded-proto")
        .unwrap_or(head.scheme());
    if told.eq_ignore_ascii_case(head.scheme()) {
        canonical.bytes(Tag::Scheme, &[head.scheme()]);
    } else {
        canonical.bytes(Tag::Scheme, &[head.scheme(), b",", told]);
    }
}

fn write_template(canonical: &mut Canonical, template: &Template, captures: &Captures) {
    canonical.list(Tag::Template, |list| {
        for part in template.parts() {
            match part {
                TemplatePart::Capture(index) => match captures.get(*index) {
                    Some(capture) => list.element(&[b"C", capture.as_bytes()]),
                    None => list.element(&[b"N"]),
                },
                TemplatePart::Literal(text) => list.element(&[b"L", text.as_bytes()]),
            }
        }
    });
}

/// Whether the query is part of the key. A template replaces it too; only what is asked for by name is added to it.
pub(super) fn has_query(spec: &KeySpec) -> bool {
    spec.template.is_none() || spec.query.include.is_some()
}

/// The parameters that are part of the key, joined as in a query.
fn joined(target: &Target, spec: &QuerySpec) -> String {
    let query = target.query().unwrap_or_default();
    match spec.order {
        QueryOrder::AsSent | QueryOrder::Sorted => parameters(query, spec).join("&"),
        QueryOrder::Verbatim => query.to_owned(),
    }
}

/// The query, as far as it is part of the key.
pub(super) fn write_query(canonical: &mut Canonical, target: &Target, spec: &KeySpec) {
    let Some(query) = target.query().filter(|_| has_query(spec)) else {
        return;
    };
    match spec.query.order {
        QueryOrder::AsSent | QueryOrder::Sorted => {
            let parameters = parameters(query, &spec.query);
            if !parameters.is_empty() {
                canonical.list(Tag::Parameters, |list| {
                    for parameter in &parameters {
                        list.element(&[parameter.as_bytes()]);
                    }
                });
            }
        }
        QueryOrder::Verbatim => canonical.bytes(Tag::Query, &[query.as_bytes()]),
    }
}

fn write_chosen(canonical: &mut Canonical, headers: &Headers, spec: &KeySpec) {
    for name in &spec.headers {
        canonical.list(Tag::Header, |list| {
            list.element(&[name.as_bytes()]);
            for line in headers.all(name) {
                list.element(&[line]);
            }
        });
    }
    for name in &spec.cookies {
        canonical.list(Tag::Cookie, |list| {
            list.element(&[name.as_bytes()]);
            for cookie in cookies(headers, name) {
                match cookie {
                    Some(value) => list.element(&[b"=", value]),
                    None => list.element(&[]),
                }
            }
        });
    }
}

/// What the request makes the origin believe, so that nobody else gets what was made for that.
fn write_influences(canonical: &mut Canonical, headers: &Headers, spec: &KeySpec) {
    for name in INFLUENCES {
        if !headers.contains(name) || spec.headers.iter().any(|chosen| chosen == name) {
            continue;
        }
        let mut said = said(headers, name).peekable();
        if said.peek().is_some() {
            canonical.list(Tag::Header, |list| {
                list.element(&[name.as_bytes()]);
                said.for_each(|part| list.element(&[part]));
            });
        }
    }
}

fn write_identity(
    canonical: &mut Canonical,
    headers: &Headers,
    found: &Found,
    trust: Trust,
) -> Principal {
    let (kind, value): (&[u8], Option<&[u8]>) = match found {
        Found::Anonymous => (b"anonymous", None),
        Found::Integer(number) => (b"integer", Some(number.as_bytes())),
        Found::Text(text) => (b"text", Some(text)),
    };
    canonical.list(Tag::Identity, |list| {
        list.element(&[kind]);
        if let Some(value) = value {
            list.element(&[value]);
        }
    });
    match trust {
        Trust::Claimed => canonical.list(Tag::Credential, |list| {
            for line in headers.all("authorization") {
                list.element(&[line]);
            }
        }),
        Trust::Verified => {}
    }
    match found {
        Found::Anonymous => Principal::Anonymous,
        Found::Integer(_) | Found::Text(_) => Principal::Known,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{rule, try_key_of};
    use super::*;

    #[test]
    fn what_is_no_scheme_has_no_key() {
        let config = rule(r#""match": {}"#);
        let with = |scheme: &str| {
            let lines = [
                (":method", "GET"),
                (":scheme", scheme),
                (":authority", "a"),
                (":path", "/"),
            ];
            let head = RequestHead::parse(Headers::from_iter(lines)).unwrap();
            try_key_of(&config, &head).map(|_| ())
        };
        for scheme in ["http", "HTTPS", "a+b-c.1"] {
            assert_eq!(with(scheme), Ok(()), "{scheme}");
        }
        // "http,x" would be the key of http where the origin is told x.
        for scheme in ["", "http,x", "1a", "http:", "ht tp", "ä"] {
            assert_eq!(with(scheme), Err(KeyError::Scheme), "{scheme}");
        }
    }
}
