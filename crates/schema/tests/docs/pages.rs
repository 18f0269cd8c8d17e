//! The pages of the manual, as their readers read them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// What is built or fetched, and what is not written by hand.
const ELSEWHERE: [&str; 4] = ["target", "dist", ".tools", ".git"];
/// The page's prose without its tables: its links are those of the page.
const PROSE: &str = "crates/schema/configuration.md";

/// A page.
pub(crate) struct Page {
    /// Its place below the root.
    pub(crate) name: String,
    /// Where its links lead.
    pub(crate) links: Vec<String>,
    /// The anchors of its headings.
    pub(crate) anchors: BTreeSet<String>,
    /// Words of code in its text.
    pub(crate) spans: Vec<String>,
    /// Blocks of code, with what stands behind the three ticks.
    pub(crate) blocks: Vec<(String, String)>,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Files below a directory whose names end so, by their places below the root.
pub(crate) fn files(ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), ending, &mut found);
    found.sort();
    found
}

fn walk(directory: &Path, ending: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !ELSEWHERE.contains(&name) {
            walk(&path, ending, found);
        } else if path.is_file() && name.ends_with(ending) {
            let place = path.strip_prefix(root()).unwrap();
            found.push(place.to_str().unwrap().to_owned());
        }
    }
}

/// All pages, by their places.
pub(crate) fn all() -> BTreeMap<String, Page> {
    let pages: BTreeMap<String, Page> = files(".md")
        .into_iter()
        .filter(|name| name != PROSE)
        .map(|name| (name.clone(), Page::read(name)))
        .collect();
    for name in ["README.md", "docs/configuration.md", "envoy/README.md"] {
        assert!(pages.contains_key(name), "{name} was not read");
    }
    pages
}

impl Page {
    fn read(name: String) -> Self {
        let text = fs::read_to_string(root().join(&name)).unwrap();
        let mut page = Self {
            name,
            links: Vec::new(),
            anchors: BTreeSet::new(),
            spans: Vec::new(),
            blocks: Vec::new(),
        };
        let (mut heading, mut block) = (None, None);
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES | Options::ENABLE_GFM) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = slug(&heading.take().unwrap_or_default());
                    page.add_anchor(anchor);
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = match kind {
                        CodeBlockKind::Fenced(language) => language.to_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    block = Some((language, String::new()));
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.to_string());
                }
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                    page.spans.push(code.to_string());
                }
                Event::Text(text) => match (&mut heading, &mut block) {
                    (Some(heading), _) => heading.push_str(&text),
                    (None, Some((_, block))) => block.push_str(&text),
                    (None, None) => {}
                },
                Event::Start(_)
                | Event::End(_)
                | Event::InlineMath(_)
                | Event::DisplayMath(_)
                | Event::Html(_)
                | Event::InlineHtml(_)
                | Event::FootnoteReference(_)
                | Event::SoftBreak
                | Event::HardBreak
                | Event::Rule
                | Event::TaskListMarker(_) => {}
            }
        }
        page
    }

    /// A second heading of the same words has a number behind its anchor.
    fn add_anchor(&mut self, anchor: String) {
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let mut free = [anchor.clone()].into_iter().chain(numbered);
        let free = free.find(|anchor| !self.anchors.contains(anchor));
        self.anchors.extend(free);
    }

    /// The place that a path named here has below the root, if it is there.
    pub(crate) fn find(&self, path: &str) -> Option<String> {
        let here = root().join(&self.name);
        let place = here.parent().unwrap().join(path).canonicalize().ok()?;
        let place = place.strip_prefix(root()).ok()?;
        Some(place.to_str().unwrap().to_owned())
    }
}

/// The anchor of a heading: lower case, a hyphen for each space, and of all else only letters, digits, hyphens and `_`.
fn slug(heading: &str) -> String {
    let letters = heading.trim().chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || matches!(letter, '-' | '_') => Some(letter),
        _ => None,
    });
    letters.flat_map(char::to_lowercase).collect()
}

#[test]
fn anchors_are_those_of_the_site_that_shows_the_pages() {
    assert_eq!(
        slug("`GET /v1/entries/{digest}`: what *is* there?"),
        "get-v1entriesdigest-what-is-there"
    );
    assert_eq!(
        slug("Several Envoys, one cache"),
        "several-envoys-one-cache"
    );
}
