//! Which responses are templates of pages ([`crate::config::Templates`]), and what of their heads is not a page's.

use crate::config::{Esi, Switch, Templates};
use crate::http::{Headers, list};

/// In what a template says where fragments go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Edge Side Includes.
    Esi,
    /// JSON with members such as `{"$include": "/path"}`.
    Json,
}

/// What a response is to who makes pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A template in a content coding, of which no page can be made.
    Coded,
    /// No template.
    Plain,
    /// A template.
    Template(Language),
}

impl Kind {
    /// That of a response under a rule which says this of templates.
    pub fn of(templates: Templates, status: u16, headers: &Headers) -> Self {
        if !is_document(status) {
            return Self::Plain;
        }
        match language(templates, headers) {
            None => Self::Plain,
            Some(_) if is_coded(headers) => Self::Coded,
            Some(language) => Self::Template(language),
        }
    }

    /// In which language it is a template, if a page can be made of it.
    pub fn language(self) -> Option<Language> {
        match self {
            Self::Template(language) => Some(language),
            Self::Coded | Self::Plain => None,
        }
    }
}

/// Whether a response of this status has a document for people, and all of it: what they are shown where something has failed has
/// a head and a foot, too. A redirect is nothing to look at.
fn is_document(status: u16) -> bool {
    matches!(status, 200..=203 | 400..=599)
}

/// Whether a response may be a template at all.
pub fn is_possible(templates: Templates) -> bool {
    templates.esi != Esi::Never || templates.json == Switch::On
}

/// Whether it is known before a response comes that it may be a template.
pub fn is_announced(templates: Templates) -> bool {
    templates.esi == Esi::Always || templates.json == Switch::On
}

fn language(templates: Templates, headers: &Headers) -> Option<Language> {
    let is_marked = || headers.contains(SURROGATE_CONTROL) && is_marked(headers);
    match templates {
        Templates {
            esi: Esi::Marked,
            json: Switch::Off,
            ..
        } => is_marked().then_some(Language::Esi),
        Templates { esi, json, .. } => {
            let essence = headers.first("content-type").unwrap_or_default();
            let essence = essence.split(|byte| *byte == b';').next();
            let essence = list::trim(essence.unwrap_or_default()).to_ascii_lowercase();
            let is =
                |type_name: &[u8], suffix: &[u8]| essence == type_name || essence.ends_with(suffix);
            if json == Switch::On && is(b"application/json", b"+json") {
                return Some(Language::Json);
            }
            let is_esi = match esi {
                Esi::Never => false,
                Esi::Marked => is_marked(),
                Esi::Always => {
                    essence.starts_with(b"text/") || is(b"application/xml", b"+xml") || is_marked()
                }
            };
            is_esi.then_some(Language::Esi)
        }
    }
}

/// Where an origin says who is to compose a page, and how (Edge Architecture Specification, section 2.3).
pub const SURROGATE_CONTROL: &str = "surrogate-control";

/// Whether it says that it is to be composed here: `content="ESI/1.0"`, to all surrogates or to Larder.
fn is_marked(headers: &Headers) -> bool {
    list::elements(headers.all(SURROGATE_CONTROL)).any(|element| {
        let Some(value) = element.bytes().strip_prefix(b"content") else {
            return false;
        };
        let Some(value) = list::trim(value).strip_prefix(b"=") else {
            return false;
        };
        let mut parts = value.split(|byte| *byte == b';');
        let languages = list::trim(parts.next().unwrap_or_default());
        let mut languages = languages.split(|byte| matches!(byte, b' ' | b'"'));
        languages.any(|language| language.eq_ignore_ascii_case(b"ESI/1.0"))
            && parts.all(|device| list::trim(device) == b"larder")
    })
}

fn is_coded(headers: &Headers) -> bool {
    let mut codings = list::elements(headers.all("content-encoding"));
    codings.any(|coding| !coding.bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether a field tells some caches how long they may keep a response (RFC 9213, and names like them): of a template, that is
/// no word about its pages.
pub fn is_targeted(name: &[u8]) -> bool {
    name.to_ascii_lowercase().ends_with(b"-cache-control")
}

/// Fields that are about the bytes of one template, and not of a page.
pub const ABOUT_THE_TEMPLATE: [&str; 10] = [
    "accept-ranges",
    "content-digest",
    "content-length",
    "content-md5",
    "digest",
    "etag",
    "last-modified",
    "repr-digest",
    "signature",
    "signature-input",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Heads;

    const JSON: Templates = Templates {
        esi: Esi::Never,
        json: Switch::On,
        heads: Heads::Sent,
    };
    const ALWAYS: Templates = Templates {
        esi: Esi::Always,
        json: Switch::Off,
        heads: Heads::Sent,
    };

    fn kind(templates: Templates, fields: &[(&str, &str)]) -> Kind {
        Kind::of(templates, 200, &fields.iter().copied().collect())
    }

    #[test]
    fn a_marked_response_is_a_template_unless_that_is_switched_off() {
        let never = Templates {
            esi: Esi::Never,
            ..ALWAYS
        };
        for value in [
            "content=\"ESI/1.0\"",
            "max-age=60, content=\"ESI/1.0\"",
            "content = \"ESI-INL/1.0 esi/1.0\"",
            "content=ESI/1.0",
            "content=\"ESI/1.0\";larder",
        ] {
            let marked = [("surrogate-control", value)];
            let esi = Kind::Template(Language::Esi);
            assert_eq!(kind(Templates::DEFAULT, &marked), esi, "{value}");
            assert_eq!(kind(ALWAYS, &marked), esi, "{value}");
            assert_eq!(kind(never, &marked), Kind::Plain, "{value}");
        }
        for value in [
            "max-age=60",
            "content=\"ESI/1.0\";another",
            "content=\"ESI/2.0\"",
            "content",
            "",
        ] {
            let marked = [("surrogate-control", value)];
            assert_eq!(kind(Templates::DEFAULT, &marked), Kind::Plain, "{value}");
        }
        let html = [("content-type", "text/html")];
        assert_eq!(kind(Templates::DEFAULT, &html), Kind::Plain);
    }

    #[test]
    fn a_rule_that_always_composes_takes_text_and_xml() {
        for (value, expected) in [
            ("text/html; charset=utf-8", true),
            ("Text/Plain", true),
            ("application/xml", true),
            ("application/xhtml+xml", true),
            ("application/json", false),
            ("image/png", false),
            ("", false),
        ] {
            let found = kind(ALWAYS, &[("content-type", value)]);
            assert_eq!(found.language().is_some(), expected, "{value}");
        }
    }

    #[test]
    fn json_is_a_template_where_the_rule_says_so() {
        let json = Kind::Template(Language::Json);
        assert_eq!(kind(JSON, &[("content-type", "application/json")]), json);
        let hal = [("content-type", "application/hal+json; a=b")];
        assert_eq!(kind(JSON, &hal), json);
        assert_eq!(kind(JSON, &[("content-type", "text/html")]), Kind::Plain);
        assert_eq!(kind(ALWAYS, &hal), Kind::Plain);
    }

    #[test]
    fn only_a_whole_document_that_is_not_coded_can_be_composed() {
        let html = Headers::from_iter([("content-type", "text/html")]);
        for status in [100, 103, 204, 205, 206, 301, 304, 600] {
            assert_eq!(Kind::of(ALWAYS, status, &html), Kind::Plain, "{status}");
        }
        for status in [200, 201, 203, 404, 422, 500, 503] {
            let language = Kind::of(ALWAYS, status, &html).language();
            assert_eq!(language, Some(Language::Esi), "{status}");
        }
        let coded = |coding| {
            kind(
                ALWAYS,
                &[("content-type", "text/html"), ("content-encoding", coding)],
            )
        };
        assert_eq!(coded("gzip"), Kind::Coded);
        assert_eq!(coded("identity"), Kind::Template(Language::Esi));
    }
}
