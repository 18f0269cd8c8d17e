//! What a write makes invalid (RFC 9111 section 4.4, RFC 9875 section 3).
//!
//! "Because unsafe request methods (Section 9.2.1 of [HTTP]) such as PUT, POST, or DELETE have the potential for changing
//! state on the origin server, intervening caches are required to invalidate stored responses to keep their contents up
//! to date."
//!
//! What is invalidated is a resource ([`crate::key::Resource`]): as each rule that could have stored something for the URI
//! reads it, since a rule may leave out parameters or put a template in the path's place. Whether the write itself
//! matches a rule does not matter, nor what that rule says.

use crate::config::Config;
use crate::entry::Stamp;
use crate::epoch::{Coverage, Invalidation, MAX_PATTERN_BYTES, Mode, Scope, stamps_of_name};
use crate::http::{Authority, Headers, Method, RequestHead, Target, Uri, groups, overrides_method};
use crate::key::{Attributes, Key, Resource};
use crate::policy::{Reason, orders};

/// What a request that may change something is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    uri: Uri,
    stamps: Vec<Stamp>,
    /// What the operator's rules say.
    ordered: Vec<Caused>,
}

/// An invalidation, and what has brought it about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caused {
    /// Who.
    pub by: Cause,
    /// It.
    pub invalidation: Invalidation,
}

/// What has brought an invalidation about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The keys that a rule names.
    Keys,
    /// A pattern that a rule names.
    Patterns,
    /// The tags that a rule names.
    Tags,
    /// The write itself, and what the response to it says.
    Write,
}

impl Write {
    /// What a request would invalidate if it succeeded; `None` where its method is safe, or its URI is one that nothing
    /// can be stored for.
    pub fn of(head: &RequestHead, attributes: &dyn Attributes, config: &Config) -> Option<Self> {
        if is_safe(head) {
            return None;
        }
        let target = Target::of_write(head.target())?;
        let target = target.as_str().as_bytes();
        let uri = Uri::of_request(head.scheme(), head.authority(), target)?;
        let stamps = stamps(&uri, config);
        let ordered = orders::of(head, attributes, &uri, config);
        let is_idle = stamps.is_empty() && ordered.is_empty();
        (!is_idle).then_some(Self {
            uri,
            stamps,
            ordered,
        })
    }

    /// About how many bytes of memory it takes.
    pub fn size(&self) -> usize {
        let Uri {
            scheme,
            authority,
            target,
        } = &self.uri;
        let stamps = |coverage: &Coverage| match coverage {
            Coverage::All => 0,
            Coverage::Names(_) => MAX_PATTERN_BYTES,
            Coverage::Stamps(stamps) => stamps.len().saturating_mul(8),
        };
        let ordered = self
            .ordered
            .iter()
            .map(|ordered| stamps(&ordered.invalidation.coverage));
        [scheme, authority, target]
            .iter()
            .map(|text| text.len())
            .chain(ordered)
            .fold(self.stamps.len().saturating_mul(8), usize::saturating_add)
    }

    /// What is invalid now that the origin has answered like this.
    pub fn invalidates(self, status: u16, response: &Headers, config: &Config) -> Vec<Caused> {
        // "a "non-error response" is one with a 2xx (Successful) or 3xx (Redirection) status code." RFC 9111 section 4.4.
        if !(200..400).contains(&status) {
            return Vec::new();
        }
        let Self {
            uri,
            mut stamps,
            ordered,
        } = self;
        // "A cache MAY invalidate other URIs when it receives a non-error status code in response to an unsafe request
        // method (including methods whose safety is unknown). In particular, the URI(s) in the Location and
        // Content-Location response header fields (if present) are candidates for invalidation" (as before).
        for name in ["location", "content-location"] {
            let named = response.only(name).and_then(|value| uri.resolve(value));
            // "a cache MUST NOT trigger an invalidation under these conditions if the origin (Section 4.3.1 of [HTTP]) of the
            // URI to be invalidated differs from that of the target URI" (as before).
            if let Some(named) = named.filter(|named| uri.is_same_origin(named)) {
                add(&mut stamps, self::stamps(&named, config));
            }
        }
        add(&mut stamps, group_stamps(&uri, response));
        let has_stamps = !stamps.is_empty();
        let implied = Invalidation {
            coverage: Coverage::Stamps(stamps),
            mode: Mode::Invalid,
        };
        let implied = has_stamps.then_some(Caused {
            by: Cause::Write,
            invalidation: implied,
        });
        implied.into_iter().chain(ordered).collect()
    }
}

/// "The Cache-Group-Invalidation header field MUST be ignored on responses to requests that have a safe method" (RFC 9875
/// section 3): this is asked of others only.
fn group_stamps(uri: &Uri, response: &Headers) -> Vec<Stamp> {
    let Some(origin) = origin(uri) else {
        return Vec::new();
    };
    let origin = origin.as_str();
    match groups(response, "cache-group-invalidation") {
        Ok(names) => names
            .iter()
            .map(|name| Scope::Group { origin, name }.stamp())
            .collect(),
        Err(_) => vec![Scope::AnyGroup { origin }.stamp()],
    }
}

/// The stamps of the groups that a response is in (RFC 9875 section 2).
///
/// # Errors
/// [`Reason::TagLimit`] where it is in more than can be remembered: it could not be invalidated by all of them.
pub fn stamps_of_groups(head: &RequestHead, response: &Headers) -> Result<Vec<Stamp>, Reason> {
    let names = groups(response, "cache-groups").map_err(|_| Reason::TagLimit)?;
    let authority = Authority::parse(head.authority());
    let (Some(authority), false) = (authority, names.is_empty()) else {
        return Ok(Vec::new());
    };
    let origin = &authority.origin(head.scheme());
    let named = names.iter().map(|name| Scope::Group { origin, name });
    let all = named.chain([Scope::AnyGroup { origin }]);
    Ok(all.map(Scope::stamp).collect())
}

/// The stamps of the key that a request's response stands under: of its resource, of its name, and of the URI that was asked
/// for, whatever the rule makes of it. Configurations that share their entries (two listeners, or one configuration after
/// another) may read a URI in different ways, and none knows the others' rules. Mostly resource and URI are one.
pub fn stamps_of_request(head: &RequestHead, key: &Key) -> impl Iterator<Item = Stamp> {
    let resource = key.resource();
    let uri = resource_of_uri(head).filter(|uri| *uri != resource);
    let uri = uri.map(|uri| Scope::Resource(&uri).stamp());
    let named = stamps_of_name(key);
    [Scope::Resource(&resource).stamp()]
        .into_iter()
        .chain(uri)
        .chain(named)
}

fn resource_of_uri(head: &RequestHead) -> Option<Resource> {
    let authority = Authority::parse(head.authority())?;
    let target = Target::parse(head.target()).ok()?;
    Resource::of_uri(head.scheme(), authority, &target)
}

fn stamp_of_uri(scheme: &[u8], authority: Authority<'_>, target: &Target) -> Option<Stamp> {
    let resource = Resource::of_uri(scheme, authority, target)?;
    Some(Scope::Resource(&resource).stamp())
}

fn origin(uri: &Uri) -> Option<String> {
    let authority = Authority::parse(uri.authority.as_bytes())?;
    Some(authority.origin(uri.scheme.as_bytes()))
}

/// The stamps of everything that can be stored for a URI; none where nothing can.
pub fn stamps_of_uri(uri: &Uri, config: &Config) -> Vec<Stamp> {
    stamps(uri, config)
}

/// The stamps of everything that can be stored for a URI.
fn stamps(uri: &Uri, config: &Config) -> Vec<Stamp> {
    let mut stamps = Vec::new();
    let (Some(authority), Some(target)) = (
        Authority::parse(uri.authority.as_bytes()),
        Target::of_write(uri.target.as_bytes()),
    ) else {
        return stamps; // nothing is stored under such a name
    };
    let scheme = uri.scheme.as_bytes();
    add(&mut stamps, stamp_of_uri(scheme, authority, &target));
    let max = config.limits.max_key_bytes;
    // An origin that merges slashes takes a write to `/a//b` for one to `/a/b`.
    for target in [Some(target.clone()), target.loose()].into_iter().flatten() {
        for policy in config.policies_of(authority.host(), &target) {
            let (policy, captures) = &policy;
            let resources = Resource::of(scheme, authority, &target, (policy, captures), max);
            add(
                &mut stamps,
                resources.map(|resource| Scope::Resource(&resource).stamp()),
            );
        }
    }
    stamps
}

fn add(stamps: &mut Vec<Stamp>, more: impl IntoIterator<Item = Stamp>) {
    for stamp in more {
        if !stamps.contains(&stamp) {
            stamps.push(stamp);
        }
    }
}

/// Whether nobody who sends such a request asks for a change (RFC 9110 section 9.2.1; QUERY: RFC 10008). CONNECT is no
/// request for a resource.
pub fn is_safe(head: &RequestHead) -> bool {
    if overrides_method(head) {
        return false; // whatever the origin takes it for
    }
    match head.method() {
        Method::Get | Method::Head | Method::Options | Method::Query => true,
        Method::Delete | Method::Patch | Method::Post | Method::Put => false,
        Method::Other => {
            let name = head.headers().first(":method").unwrap_or_default();
            [&b"CONNECT"[..], b"TRACE"].contains(&name)
        }
    }
}
