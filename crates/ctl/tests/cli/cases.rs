//! `larderctl test`

use serde_json::json;

use crate::{data, larderctl, larderctl_with, text};

/// One case about the quick start's configuration.
fn case(steps: &str) -> String {
    format!(
        "configuration: ../../../../../envoy/larder.json\ncases:\n- name: health\n  steps:\n{steps}"
    )
}

#[test]
fn the_quick_starts_cases_are_as_its_configuration_is() {
    let file = "../../../../../envoy/cases.yaml";
    let ran = larderctl(&["test", file]);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{}", ran.out);
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines.first(), Some(&file));
    let cases = lines.iter().filter(|line| line.starts_with("  ok     "));
    let total = format!("{} cases, all as expected", cases.count());
    assert_eq!(lines.last(), Some(&&*total));
}

#[test]
fn cases_can_tell_what_the_core_does() {
    let ran = larderctl(&["test", "plays.yaml"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.ends_with("10 cases, all as expected\n"),
        "{}",
        ran.out
    );
}

#[test]
fn what_is_not_as_expected_is_told_with_the_line_of_the_case() {
    let cases = case(
        "  - get: /api/health\n    expect: { x_cache: MISS, ttl: 60 }\n  - after: 30\n    get: /api/health\n    expect:\n      \
         x_cache: HIT\n      body_contains: 1\n      headers: { etag: ~ }\n",
    );
    let ran = larderctl_with(&["test", "-"], &cases);
    let expected = [
        "-",
        "  FAILED health",
        "    -:6:35: step 1: ttl: expected 60, got 30",
        "    -:10:16: step 2: headers.x-cache: expected \"HIT\", got \"MISS\"",
        "    -:11:22: step 2: body_contains: expected \"1\", got \"response 2\"",
        "1 case, 1 failed",
    ];
    assert_eq!((ran.out, ran.code), (text(&expected), 1));
}

#[test]
fn programs_are_told_in_json_and_in_junits_xml() {
    let cases = case("  - get: /api/health\n    expect: { headers: { via: <&> } }\n");
    let report = std::env::temp_dir().join(format!("larderctl-{}.xml", std::process::id()));
    let ran = larderctl_with(
        &[
            "test",
            "-o",
            "json",
            "--junit",
            report.to_str().unwrap(),
            "-",
        ],
        &cases,
    );
    let xml = std::fs::read_to_string(&report).unwrap();
    std::fs::remove_file(&report).unwrap();
    let expected = json!({
        "cases": [{"file": "-", "line": 3, "name": "health", "passed": false, "failures": [
            {"line": 6, "column": 31, "step": 1, "of": "headers.via", "expected": "<&>", "got": null}
        ]}],
        "total": 1, "failed": 1,
    });
    assert_eq!((ran.json(), ran.code), (expected, 1));
    let said = "-:6:31: step 1: headers.via: expected &quot;&lt;&amp;&gt;&quot;, got null";
    let expected = [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<testsuites>",
        "  <testsuite name=\"-\" tests=\"1\" failures=\"1\">",
        "    <testcase classname=\"-\" name=\"health\" file=\"-\" line=\"3\">",
        &format!("      <failure message=\"{said}\">{said}</failure>"),
        "    </testcase>",
        "  </testsuite>",
        "</testsuites>",
    ];
    assert_eq!(xml, text(&expected));
}

#[test]
fn a_mistake_in_a_case_is_wrong_usage_and_told_with_its_line() {
    for (steps, problem) in [
        (
            "  - gte: /a\n",
            "-:5:5: `gte` is unknown; here may stand `after`, `get`,",
        ),
        ("  - get: a\n", "-:5:5: `a` is no path: it begins with `/`"),
        (
            "  - get: /a\n    purge: /a\n",
            "-:5:5: does several things: make a step of each",
        ),
        (
            "  - after: -1\n",
            "-:5:12: must be a whole number, not below 0",
        ),
        (
            "  - get: /a\n    expect: { x-cache: HIT }\n",
            "-:6:15: `x-cache` is unknown; expected can be `status`,",
        ),
        (
            "  - get: /a\n    expect: { stored: yes }\n",
            "-:6:23: must be true or false",
        ),
        (
            "  - request: /a\n",
            "-:5:14: must be a method and a path, such as `POST /a`",
        ),
        (
            "  - after: 5\n    expect: { status: 200 }\n",
            "-:5:5: does nothing that something could be expected of",
        ),
    ] {
        let ran = larderctl_with(&["test", "-"], &case(steps));
        assert!(
            ran.err.starts_with(&format!("larderctl: {problem}")),
            "{steps}{ran:?}"
        );
        assert_eq!((ran.code, &*ran.out), (2, ""));
    }
    let ran = larderctl_with(
        &["test", "-"],
        "configuration: { rules: 1 }\ncases: [{ name: a, steps: [{ get: / }] }]",
    );
    let expected =
        "larderctl: -: the configuration is not good: rules: must be an array, not a number\n";
    assert_eq!((&*ran.err, ran.code), (expected, 2));
}

#[test]
fn an_origin_that_is_asked_for_what_it_has_not_fails_the_case() {
    let cases =
        "configuration: {}\ncases:\n- name: a\n  origin: { /b: x }\n  steps: [{ get: /a }]\n";
    let ran = larderctl_with(&["test", "-"], cases);
    let said = "    -:5:11: step 1: origin: expected \"to be asked for what it has, or for anything by `*`\", got \"/a\"\n";
    assert!(ran.out.contains(said), "{ran:?}");
    assert_eq!(ran.code, 1);
}

#[test]
fn the_schema_is_the_one_that_is_shipped() {
    let shipped = data().join("../../../../../envoy/larder.schema.json");
    let ran = larderctl(&["schema"]);
    assert_eq!(
        (ran.out, ran.code),
        (std::fs::read_to_string(shipped).unwrap(), 0)
    );
}

#[test]
fn what_a_file_of_cases_says_makes_no_lines_of_its_own() {
    let cases = "configuration: {}\nhost: a\ncases:\n- name: \"evil\\e[2J\\n::error::evil\"\n  origin: { /a: { body: \"\\e[2J\\n::error::evil\" } }\n  \
                 steps:\n  - get: /a\n    expect: { body: \"\\r::error::evil\" }\n";
    let ran = larderctl_with(&["test", "-"], cases);
    assert_eq!((ran.code, ran.out.lines().count()), (1, 4), "{}", ran.out);
    let is_seen = |letter: char| letter == '\n' || !letter.is_control();
    assert!(ran.out.chars().all(is_seen), "{:?}", ran.out);
}
