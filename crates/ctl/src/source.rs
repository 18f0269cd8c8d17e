//! A file, and the configurations of Larder in it.
//!
//! What the plugin is given is JSON. In an Envoy's configuration, an Istio `WasmPlugin` or an `EnvoyExtensionPolicy` of Envoy
//! Gateway it stands somewhere inside of YAML (or JSON), as a text or as an object; it is found there by itself.

use std::io::Read;
use std::path::Path;

use crate::document::{Broken, Kind, Node, Place, read, scan};
use crate::exit::Failure;

/// A file of the command line.
#[derive(Debug)]
pub(crate) struct Source {
    /// As people name it.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A configuration of Larder in a file.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// What the plugin is given.
    pub(crate) json: String,
    /// The same with places in the file; none where there is nothing at all.
    pub(crate) document: Option<Node>,
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is no document.
    Broken(Broken),
    /// There is nothing that looks like one.
    None,
    /// There are several Wasm plugins, and none of them says that it is Larder.
    Unnamed(usize),
}

impl Source {
    /// Reads a file; `-` is standard input.
    pub(crate) fn open(file: &Path) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        let (name, read) = match file.as_os_str() == "-" {
            true => ("-".to_owned(), std::io::stdin().read_to_end(&mut bytes)),
            false => {
                let read = std::fs::File::open(file);
                let read = read.and_then(|mut file| file.read_to_end(&mut bytes));
                (file.display().to_string(), read)
            }
        };
        read.map_err(|error| Failure::unreadable(&name, &error))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text }),
            Err(_) => Err(Failure::usage(format!("{name}: is no text in UTF-8"))),
        }
    }

    /// The configurations in it.
    pub(crate) fn configurations(&self) -> Result<Vec<Configuration>, Missing> {
        if self.text.is_empty() {
            return Ok(vec![Configuration::nothing()]);
        }
        if self.is_yaml() {
            let documents = read(&self.text).map_err(Missing::Broken)?;
            return found(&documents, Others::AreNone);
        }
        let document = scan(&self.text).map_err(Missing::Broken)?;
        found(&[document], Others::AreOurs)
    }

    /// The only configuration in it.
    pub(crate) fn configuration(&self) -> Result<Configuration, Failure> {
        let mut found = self
            .configurations()
            .map_err(|missing| missing.failure(&self.name))?;
        match (found.pop(), found.len()) {
            (Some(only), 0) => Ok(only),
            (_, others) => Err(Failure::usage(format!(
                "{}: has {} configurations; put the one that is meant into a file of its own",
                self.name,
                others.saturating_add(1)
            ))),
        }
    }

    /// By its name; where that says nothing, JSON begins with a brace.
    fn is_yaml(&self) -> bool {
        let extension = Path::new(&self.name).extension();
        match extension.and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml") => true,
            Some("json") => false,
            Some(_) | None => !self.text.trim_start().starts_with('{'),
        }
    }
}

impl Missing {
    /// The same, where a command can do nothing without.
    pub(crate) fn failure(&self, name: &str) -> Failure {
        Failure::usage(match self {
            Self::Broken(Broken { place, problem }) => {
                format!("{name}:{}:{}: {problem}", place.line, place.column)
            }
            Self::None => format!(
                "{name}: has no configuration of Larder: neither a plugin's JSON with `rules`, nor an Envoy's filter with \
                 `vm_config` and `configuration`, nor a WasmPlugin with `pluginConfig`"
            ),
            Self::Unnamed(number) => format!(
                "{name}: has {number} Wasm plugins, and none says that it is Larder; name one `larder` (its name, root_id, \
                 vm_id or file)"
            ),
        })
    }
}

impl Configuration {
    /// No bytes at all mean every default.
    fn nothing() -> Self {
        Self {
            json: String::new(),
            document: None,
        }
    }

    /// A text that is JSON in another document, or an object of that document.
    fn of(node: &Node) -> Result<Self, Missing> {
        let Kind::Text(text, letters) = &node.kind else {
            return Ok(Self {
                json: node.json(),
                document: Some(node.clone()),
            });
        };
        if text.is_empty() {
            return Ok(Self::nothing());
        }
        let to = |place: Place| letters.get(place.at).copied().unwrap_or(node.place);
        match scan(text) {
            Ok(document) => Ok(Self {
                json: text.clone(),
                document: Some(document.moved(&to)),
            }),
            Err(Broken { place, problem }) => Err(Missing::Broken(Broken {
                place: to(place),
                problem,
            })),
        }
    }
}

/// What documents are that have no plugin in them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    /// Configurations of Larder.
    AreOurs,
    /// Something else, unless they have `rules`.
    AreNone,
}

/// A plugin of whatever kind.
struct Plugin<'a> {
    configuration: Option<&'a Node>,
    is_ours: bool,
}

fn found(documents: &[Node], others: Others) -> Result<Vec<Configuration>, Missing> {
    let mut plugins = Vec::new();
    for document in documents {
        collect(document, &mut plugins);
    }
    let ours = plugins.iter().filter(|plugin| plugin.is_ours).count();
    match (plugins.len(), ours) {
        (0, _) => {
            let is_one = |document: &&Node| match others {
                Others::AreOurs => true,
                Others::AreNone => document.field("rules").is_some(),
            };
            let found: Result<Vec<_>, _> = documents.iter().filter(is_one).map(bare).collect();
            found.and_then(|found| match found.is_empty() {
                true => Err(Missing::None),
                false => Ok(found),
            })
        }
        (1, 0) => plugins.iter().map(configured).collect(),
        (several, 0) => Err(Missing::Unnamed(several)),
        (_, _) => {
            let ours = plugins.iter().filter(|plugin| plugin.is_ours);
            ours.map(configured).collect()
        }
    }
}

fn bare(document: &Node) -> Result<Configuration, Missing> {
    Ok(Configuration {
        json: document.json(),
        document: Some(document.clone()),
    })
}

fn configured(plugin: &Plugin<'_>) -> Result<Configuration, Missing> {
    match plugin.configuration {
        Some(node) => Configuration::of(node),
        None => Ok(Configuration::nothing()),
    }
}

fn collect<'a>(node: &'a Node, plugins: &mut Vec<Plugin<'a>>) {
    if let Some(plugin) = plugin(node) {
        plugins.push(plugin);
        return;
    }
    for item in node.items() {
        collect(item, plugins);
    }
    for field in node.fields() {
        collect(&field.value, plugins);
    }
}

fn plugin(node: &Node) -> Option<Plugin<'_>> {
    let kind = node.field("kind").and_then(Node::text);
    if kind == Some("WasmPlugin") {
        return Some(Plugin {
            configuration: node.at(&["spec", "pluginConfig"]),
            is_ours: names_larder(node, "pluginConfig"),
        });
    }
    // Envoy reads its own names of fields in both forms.
    let vm = ["vm_config", "vmConfig"]
        .iter()
        .any(|name| node.field(name).is_some());
    if vm {
        let configuration = node.field("configuration");
        return Some(Plugin {
            configuration: configuration.map(|any| any.field("value").unwrap_or(any)),
            is_ours: names_larder(node, "configuration"),
        });
    }
    // One of `spec.wasm` of an EnvoyExtensionPolicy.
    let gateway = node
        .field("code")
        .is_some_and(|code| code.field("type").is_some());
    gateway.then(|| Plugin {
        configuration: node.field("config"),
        is_ours: names_larder(node, "config"),
    })
}

/// Whether a text of a plugin, its configuration aside, says so.
fn names_larder(node: &Node, aside: &str) -> bool {
    let says = |text: &str| text.to_ascii_lowercase().contains("larder");
    let fields = node.fields().iter().filter(|field| field.name != aside);
    let mut values = fields.map(|field| &field.value).chain(node.items());
    node.text().is_some_and(says) || values.any(|value| names_larder(value, aside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(name: &str, text: &str) -> Result<Vec<String>, Missing> {
        let source = Source {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let found = source.configurations()?;
        Ok(found.into_iter().map(|found| found.json).collect())
    }

    fn is(json: &str) -> Result<Vec<String>, Missing> {
        Ok(vec![json.to_owned()])
    }

    #[test]
    fn a_plugins_own_json_is_one_whatever_is_in_it() {
        assert_eq!(
            found_in("a.json", "{\"a\":1,\"a\":2}"),
            is("{\"a\":1,\"a\":2}")
        );
        assert_eq!(found_in("-", " {}"), is("{}"));
        assert_eq!(found_in("-", ""), is(""));
    }

    #[test]
    fn an_envoys_filter_has_one_as_a_text_or_as_an_object() {
        let filter = |configuration: &str| {
            format!("a:\n- vm_config: {{vm_id: larder}}\n  configuration:\n    {configuration}\n")
        };
        let text = filter("value: |\n      {\"rules\": []}");
        assert_eq!(found_in("envoy.yaml", &text), is("{\"rules\": []}\n"));
        let text = filter("value: {rules: []}");
        assert_eq!(found_in("envoy.yaml", &text), is("{\"rules\":[]}"));
        let text = r#"{"vmConfig": {}, "configuration": {"value": "{}"}}"#;
        assert_eq!(found_in("envoy.json", text), is("{}"));
    }

    #[test]
    fn meshes_have_one_as_an_object() {
        let istio =
            "kind: WasmPlugin\nspec:\n  url: oci://x/larder\n  pluginConfig:\n    rules: []\n";
        assert_eq!(found_in("a.yml", istio), is("{\"rules\":[]}"));
        let gateway = "kind: EnvoyExtensionPolicy\nspec:\n  wasm:\n  - name: larder\n    code: {type: Image}\n    config:\n      \
                       rules: []\n";
        assert_eq!(found_in("a.yml", gateway), is("{\"rules\":[]}"));
    }

    #[test]
    fn of_several_plugins_those_are_meant_that_say_so() {
        let plugin = |name: &str, json: &str| {
            format!("- name: {name}\n  vm_config: {{}}\n  configuration: {{value: '{json}'}}\n")
        };
        let both = plugin("waf", "{\"a\": 1}") + &plugin("larder", "{}");
        assert_eq!(found_in("a.yaml", &both), is("{}"));
        let none = plugin("waf", "{}") + &plugin("other", "{}");
        assert_eq!(found_in("a.yaml", &none), Err(Missing::Unnamed(2)));
        assert_eq!(found_in("a.yaml", &plugin("x", "{}")), is("{}"));
        assert_eq!(found_in("a.yaml", "a: 1"), Err(Missing::None));
    }
}
