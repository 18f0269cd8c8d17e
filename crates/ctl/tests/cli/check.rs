//! `larderctl check`

use serde_json::json;

use crate::{larderctl, larderctl_with, text};

#[test]
fn five_mistakes_are_five_messages_with_line_and_path() {
    let ran = larderctl(&["check", "five-mistakes.json"]);
    let expected = [
        "five-mistakes.json:6:7: rules[0].ttl_secnds: is unknown; did you mean `ttl_seconds`?",
        "five-mistakes.json:10:26: rules[1].match.path: is no regular expression: found open group without closing ')'",
        "five-mistakes.json:11:22: rules[1].ttl_seconds: must be a whole number, not a string",
        "five-mistakes.json:13:5: rules[2].name: is missing",
        "five-mistakes.json:13:29: rules[2].match.methods: must not be empty",
    ];
    assert_eq!((ran.out, ran.code), (text(&expected), 1));
    assert_eq!(ran.err, "");
}

#[test]
fn programs_are_told_the_same_in_json() {
    let ran = larderctl(&["check", "-o", "json", "five-mistakes.json"]);
    let said = ran.json();
    assert_eq!(said["files"][0]["file"], "five-mistakes.json");
    let problems = said["files"][0]["problems"].as_array().unwrap();
    let expected = json!({
        "severity": "error", "line": 13, "column": 5, "path": "rules[2].name", "problem": "is missing"
    });
    assert_eq!((problems.len(), &problems[3], ran.code), (5, &expected, 1));
}

#[test]
fn the_configurations_that_are_shipped_are_good() {
    let shipped = [
        "larder.json",
        "fleet.json",
        "envoy.yaml",
        "fleet.yaml",
        "gateway/larder.yaml",
        "istio/held-heads.yaml",
        "istio/larder.yaml",
        "management.yaml",
    ];
    for file in shipped {
        let path = format!("../../../../../envoy/{file}");
        let ran = larderctl(&["check", "--strict", &path]);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{file}: {ran:?}");
        assert!(ran.out.starts_with(&format!("{path}: good, ")), "{ran:?}");
    }
}

#[test]
fn a_mistake_in_an_envoys_yaml_has_the_line_of_the_file() {
    let envoy = r#"static_resources:
  listeners:
  - filter_chains:
    - filters:
      - typed_config:
          http_filters:
          - name: larder
            typed_config:
              config:
                vm_config: { vm_id: larder }
                configuration:
                  "@type": type.googleapis.com/google.protobuf.StringValue
                  value: |
                    {
                      "rules": [],

                      "unmatched": "rfc"
                    }
"#;
    let ran = larderctl_with(&["check", "-"], envoy);
    let expected = "-:17:36: unmatched: must be one of `rfc9111`, `bypass`, not `rfc`\n";
    assert_eq!((&*ran.out, ran.code), (expected, 1));
}

#[test]
fn a_mistake_in_a_wasm_plugin_has_the_line_of_the_file() {
    let plugin = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nspec:\n  url: oci://registry/larder\n  \
                  pluginConfig:\n    rules:\n    - name: a\n      match: {}\n      ttl: 5\n      name: b\n";
    let ran = larderctl_with(&["check", "-"], plugin);
    let expected = [
        "-:9:7: rules[0].ttl: is unknown; did you mean `ttl_seconds`?",
        "-:10:7: rules[0].name: stands twice",
    ];
    assert_eq!((ran.out, ran.code), (text(&expected), 1));
}

#[test]
fn what_is_no_json_is_told_where_it_ends_to_be() {
    let ran = larderctl_with(&["check", "-"], "{\n  \"rules\": [,]\n}");
    let expected = "-:2:13: configuration: expected value\n";
    assert_eq!((&*ran.out, ran.code), (expected, 1));
    let ran = larderctl_with(&["check", "-"], "kind: WasmPlugin\nspec: [\n");
    assert!(ran.out.starts_with("-:3:1: configuration: "), "{ran:?}");
    assert_eq!(ran.code, 1);
}

#[test]
fn a_rule_that_never_holds_is_a_warning() {
    let rules = r#"{"rules": [
        {"name": "api", "match": {"path": "/api/.*"}, "ttl_seconds": 60},
        {"name": "health", "match": {"path": "/api/health"}, "ttl_seconds": 5}
    ]}"#;
    let ran = larderctl_with(&["check", "-"], rules);
    let expected = [
        "-:3:9: warning: rules[1]: never holds: `rules[0]` before it takes every request that it would; put it before that one",
        "-: good, 2 rules",
    ];
    assert_eq!((ran.out, ran.code), (text(&expected), 0));
    assert_eq!(larderctl_with(&["check", "--strict", "-"], rules).code, 1);
}

#[test]
fn what_cannot_be_read_is_wrong_usage() {
    let ran = larderctl(&["check", "nothing.json"]);
    let expected =
        "larderctl: nothing.json: cannot be read: No such file or directory (os error 2)\n";
    assert_eq!((&*ran.err, ran.code), (expected, 2));
    let ran = larderctl_with(&["check", "-"], "a: 1\n");
    assert!(
        ran.err
            .starts_with("larderctl: -: has no configuration of Larder: "),
        "{ran:?}"
    );
    assert_eq!(ran.code, 2);
}
