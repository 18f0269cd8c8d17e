//! `larderctl explain FILE`

use serde_json::json;

use crate::{larderctl, larderctl_with, text};

const QUICK_START: &str = "../../../../../envoy/larder.json";

#[test]
fn it_says_which_rule_holds_and_what_becomes_of_the_response() {
    let ran = larderctl(&[
        "explain",
        QUICK_START,
        "--url",
        "https://api.example.com/api/analytics/x?b=1",
        "--response-header",
        "cache-tag: a, b",
    ]);
    let expected = [
        "GET https://api.example.com/api/analytics/x?b=1",
        "tried      predictive: not its path",
        "tried      conversation: not its path",
        "rule       analytics caches",
        "key        GET:api.example.com/api/analytics/x?b=1",
        "stored     nothing",
        "request    goes to the origin",
        "response   is stored for 300 s, as the rule says, tags a, b",
        "under      GET:api.example.com/api/analytics/x?b=1",
        "adds       x-cache: MISS",
        "adds       cache-status: larder; fwd=uri-miss; stored",
        "adds       cache-control: public, max-age=300",
    ];
    assert_eq!((ran.out, ran.code), (text(&expected), 0));
}

#[test]
fn it_says_of_what_a_page_is_made() {
    let explain = |more: &[&str]| {
        let question = ["explain", "pages.json", "--url", "http://a/page"];
        let html = "content-type: text/html";
        let response = ["--response-header", html, "--response-body", "x"];
        larderctl(&[&question[..], &response, more].concat())
    };
    let expected = [
        "GET http://a/page",
        "rule       pages caches",
        "key        GET:a/page",
        "stored     nothing",
        "request    goes to the origin",
        "with       surrogate-capability: larder=\"ESI/1.0\"",
        "response   is stored for 60 s, as the rule says",
        "under      GET:a/page",
        "page       is made of it: it is a template (ESI)",
        "adds       x-cache: MISS",
        "adds       cache-status: larder; fwd=uri-miss; stored",
        "adds       cache-control: private, no-cache",
    ];
    let ran = explain(&[]);
    assert_eq!((ran.out, ran.code), (text(&expected), 0));
    let posted = explain(&["-X", "POST"]).out;
    assert!(posted.contains("\npage       is made of it"), "{posted}");
    let none = explain(&["--response-status", "404"]).out;
    assert!(none.contains("\npage       is made of it"), "{none}");
    let moved = explain(&["--response-status", "302"]).out;
    assert!(!moved.contains("\npage "), "{moved}");
}

#[test]
fn it_says_why_not() {
    let explain = |arguments: &[&str]| {
        let ran = larderctl(&[&["explain", QUICK_START, "--url"], arguments].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out
    };
    let predictive = explain(&["/api/predictive/x"]);
    assert_eq!(
        predictive,
        text(&[
            "GET /api/predictive/x",
            "rule       predictive says `cache: false`",
            "request    passes: The rule says `cache: false` (rule-bypass)",
        ])
    );
    let private = explain(&["/api/health", "--response-header", "cache-control: private"]);
    assert!(
        private.contains("\nresponse   is not stored: "),
        "{private}"
    );
    assert!(private.contains("(private)\n"), "{private}");
    let post = explain(&["/api/health", "-X", "POST"]);
    assert!(
        post.contains("tried      health: not its method\n"),
        "{post}"
    );
    assert!(post.contains("(method)\n"), "{post}");
}

#[test]
fn what_tells_requests_apart_is_named_without_its_values() {
    let rule = r#"{"rules": [{"name": "mine", "match": {"path": "/me", "host": "a.com"}, "ttl_seconds": 9,
        "identity": {"header": "x-user", "trusted": true}}]}"#;
    let url = ["--url", "http://a.com/me", "-H", "x-user: 42"];
    let ran = larderctl_with(&[&["explain", "-"], &url[..]].concat(), rule);
    assert!(
        ran.out.contains("key        GET:a.com/me (and identity)\n"),
        "{ran:?}"
    );
    assert!(!ran.out.contains("42"), "{ran:?}");
    let other = larderctl_with(&["explain", "-", "--url", "http://b.com/me"], rule);
    assert!(
        other.out.contains("tried      mine: not its host\n"),
        "{other:?}"
    );
}

#[test]
fn programs_get_what_the_management_api_answers_and_why_rules_do_not_match() {
    let arguments = [
        "explain",
        QUICK_START,
        "-o",
        "json",
        "--url",
        "http://a.com/api/analytics/x",
    ];
    let said = larderctl(&arguments).json();
    let rule = json!({
        "name": "analytics", "action": "cache", "not_matched": ["predictive", "conversation"],
        "why_not": {"predictive": "path", "conversation": "path"}
    });
    assert_eq!(said["rule"], rule);
    assert_eq!(
        said["outcome"],
        json!({"is": "forwarded", "headers_added": []})
    );
}

#[test]
fn what_cannot_be_explained_says_what_to_do() {
    let broken = larderctl(&["explain", "five-mistakes.json", "--url", "/"]);
    let expected = "larderctl: five-mistakes.json: has 5 problems; `larderctl check five-mistakes.json` shows them\n";
    assert_eq!((&*broken.err, broken.code), (expected, 1));
    let nothing = larderctl(&["explain", "--url", "/"]);
    let expected =
        "larderctl: explain: name a configuration, or an Envoy by --at URL (or LARDER_URL)\n";
    assert_eq!((&*nothing.err, nothing.code), (expected, 2));
    let url = larderctl(&["explain", QUICK_START, "--url", "mailto:x"]);
    assert_eq!(
        (&*url.err, url.code),
        (
            "larderctl: explain: url: is none that could be asked for\n",
            2
        )
    );
}
