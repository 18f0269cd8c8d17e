//! The tags that a rule gives: texts with values of the request.
//!
//! A tag must be true for everybody who gets the response, so its values are those that the key holds: what the path's groups
//! took, the identity, and fields that are part of the key. With another field the tag of whoever asked first would stand on
//! what all get, and who purges by another's would miss it.

use super::compile::missing_groups;
use super::path::PathPattern;
use super::pattern::{Piece, group, pieces};
use super::problem::Problems;
use super::raw_rule::RawText;
use super::read::{Cursor, Given};
use super::{CachePolicy, IdentitySource};

/// The tags that a rule gives to what is stored under it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tagging {
    /// One template a tag.
    pub templates: Vec<TagTemplate>,
    /// The groups of the path that they name.
    pub groups: Vec<String>,
}

/// A text with values of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagTemplate(Vec<TagPart>);

/// A piece of such a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagPart {
    /// `{name}`: what a group of the path took; its place among the groups that are named.
    Capture(usize),
    /// `{header.name}`: a field of the request, by its name in lower case.
    Header(String),
    /// `{identity}`: whose entry it is.
    Identity,
    /// This text.
    Literal(String),
}

impl TagTemplate {
    /// Reads a template, and adds the groups that it names; the error is for people.
    pub(super) fn parse(text: &str, groups: &mut Vec<String>) -> Result<Self, String> {
        let part = |piece| match piece {
            Piece::Literal(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(TagPart::Literal(text))
            }
            Piece::Literal(_) => Err("may only have visible US-ASCII, without spaces".to_owned()),
            Piece::Name("identity") => Ok(TagPart::Identity),
            Piece::Name(name) => match name.strip_prefix("header.") {
                Some(field) => Ok(TagPart::Header(field.to_ascii_lowercase())),
                None => group(name, groups).map(TagPart::Capture),
            },
        };
        pieces(text)?
            .into_iter()
            .map(part)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The pieces in order.
    pub fn parts(&self) -> &[TagPart] {
        &self.0
    }
}

/// A text of at most so many bytes.
pub(super) fn read_text(cursor: Cursor<'_>, most: usize) -> Given<RawText> {
    let at = cursor.path.clone();
    cursor.text(1..=most).map(|text| RawText {
        at,
        text: text.to_owned(),
    })
}

/// Compiles the tags of a rule with this path, whose key is known.
pub(super) fn compile(
    raw: &[RawText],
    policy: &CachePolicy,
    path: &Given<PathPattern>,
    problems: &Problems,
) -> Tagging {
    let mut tagging = Tagging::default();
    for RawText { at, text } in raw {
        let known = tagging.groups.len();
        match TagTemplate::parse(text, &mut tagging.groups) {
            Ok(template) => {
                let missing = tagging.groups.get(known..).unwrap_or_default();
                let missing = missing_groups(missing, path);
                let untold = template
                    .parts()
                    .iter()
                    .filter_map(|part| untold(part, policy));
                for problem in missing.into_iter().chain(untold) {
                    problems.add(at.clone(), problem);
                }
                tagging.templates.push(template);
            }
            Err(problem) => problems.add(at.clone(), problem),
        }
    }
    tagging
}

/// What is wrong with a value that is not the same for all who share a response.
fn untold(part: &TagPart, policy: &CachePolicy) -> Option<String> {
    let identity = policy.identity.as_ref().map(|identity| &identity.source);
    match (part, identity) {
        (TagPart::Capture(_) | TagPart::Literal(_), _) | (TagPart::Identity, Some(_)) => None,
        (TagPart::Identity, None) => Some("has `{identity}`, but the rule has none".to_owned()),
        (TagPart::Header(name), Some(IdentitySource::Header(known))) if name == known => None,
        (TagPart::Header(name), _) if policy.key.headers.contains(name) => None,
        (TagPart::Header(name), _) => Some(format!(
            "has `{{header.{name}}}`, but `{name}` is not in `key.headers`: a response would have the tag of whoever asked first"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_text_with_values() {
        let mut groups = vec!["b".to_owned()];
        let mut parts = |text| TagTemplate::parse(text, &mut groups).map(|it| it.0);
        let literal = |text: &str| TagPart::Literal(text.to_owned());
        assert_eq!(
            parts("t:{header.X-Tenant}:{a}"),
            Ok(vec![
                literal("t:"),
                TagPart::Header("x-tenant".to_owned()),
                literal(":"),
                TagPart::Capture(1)
            ])
        );
        assert_eq!(
            parts("{identity}{{{b}"),
            Ok(vec![TagPart::Identity, literal("{"), TagPart::Capture(0)])
        );
        assert_eq!(
            parts("a b"),
            Err("may only have visible US-ASCII, without spaces".to_owned())
        );
        assert_eq!(
            parts("{user.id}"),
            Err("has `{user.id}`, which is no name of a group".to_owned())
        );
        assert_eq!(groups, ["b", "a"]);
    }
}
