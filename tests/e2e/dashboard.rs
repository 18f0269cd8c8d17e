//! What `envoy/grafana/` names is there: the numbers of a real Envoy and a real larder-admin, read by a real Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use larder_harness::admin::{Admin, SECRET, TOKEN};
use larder_harness::client::{self, Request};
use larder_harness::envoy::Envoy;
use larder_harness::origin::{Origin, Reply};
use larder_harness::prometheus::{self, Prometheus, Target, promtool};
use larder_harness::valkey::Valkey;
use larder_harness::wait::{PATIENCE, eventually};
use larder_harness::{template, tools};
use serde_json::Value;

const DASHBOARD: &str = include_str!("../../envoy/grafana/larder.json");
const ALERTS: &str = include_str!("../../envoy/grafana/alerts.yaml");

fn directory() -> PathBuf {
    tools::checkout().join("envoy/grafana")
}

/// One Envoy as `envoy/fleet.yaml` has it, and the service behind it.
struct Stage {
    envoy: Envoy,
    admin: Admin,
    _valkey: Valkey,
    _origin: Origin,
}

impl Stage {
    async fn start() -> Self {
        let (origin, valkey) = (
            Origin::start().await.unwrap(),
            Valkey::builder().start().await.unwrap(),
        );
        origin.on("/*", Reply::ok("0123456789".repeat(300)));
        let admin = Admin::over(&valkey.url()).start().await.unwrap();
        let module = tools::module().unwrap();
        let values = [
            ("LARDER_ADMIN_PORT", "0".to_owned()),
            ("LARDER_ADDRESS", "127.0.0.1".to_owned()),
            ("LARDER_PORT", "0".to_owned()),
            ("LARDER_WASM", module.display().to_string()),
            ("ORIGIN_ADDRESS", origin.address().ip().to_string()),
            ("ORIGIN_PORT", origin.address().port().to_string()),
            ("ADMIN_1_ADDRESS", admin.address().ip().to_string()),
            ("ADMIN_1_PORT", admin.address().port().to_string()),
            ("ADMIN_2_ADDRESS", admin.address().ip().to_string()),
            ("ADMIN_2_PORT", admin.address().port().to_string()),
        ];
        let file = template::render(include_str!("../../envoy/fleet.yaml"), &values).unwrap();
        let file = Envoy::of_file(&file, 2)
            .environment("LARDER_ADMIN_SECRET", SECRET)
            .environment("LARDER_TOKEN", TOKEN);
        let (envoy, _) = file.start().await.unwrap();
        Self {
            envoy,
            admin,
            _valkey: valkey,
            _origin: origin,
        }
    }

    /// A little of everything that happens on a day without trouble.
    async fn traffic(&self) {
        let send = async |request: Request| {
            let request = request.authority("api.example.com");
            client::send(self.envoy.address("api"), request)
                .await
                .unwrap()
        };
        for path in ["/api/analytics/a", "/api/health", "/api/predictive/a"] {
            for _ in 0..20 {
                send(Request::get(path)).await;
            }
        }
        send(Request::new("POST", "/data/update")).await;
        let purge = Request::new("POST", "/api/cache/invalidate/tag/analytics");
        let purge = purge.header("authorization", format!("Bearer {TOKEN}"));
        assert_eq!(send(purge).await.status, 200);
    }

    /// What both show Prometheus.
    async fn scrape(&self) -> Shown {
        let envoy = self.envoy.ask("GET", "/stats/prometheus").await.unwrap();
        let admin = client::get(self.admin.address(), "/metrics").await.unwrap();
        Shown::read(&(envoy.text() + "\n" + &admin.text()))
    }
}

/// Families by name, each with the values that its labels have.
#[derive(Default)]
struct Shown(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Shown {
    fn read(text: &str) -> Self {
        let mut shown = Self::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                let parts: &[&str] = match kind {
                    "histogram" => &["_bucket", "_count", "_sum"],
                    _ => &[""],
                };
                for part in parts {
                    shown.0.entry(format!("{name}{part}")).or_default();
                }
            } else if let Some(selector) = selectors(line).into_iter().next() {
                let labels = shown.0.entry(selector.name).or_default();
                for (label, _, value) in selector.labels {
                    labels.entry(label).or_default().insert(value);
                }
            }
        }
        shown
    }
}

/// `name{label="value", other=~"a|b"}`
struct Selector {
    name: String,
    labels: Vec<(String, String, String)>,
}

fn is_word(byte: char) -> bool {
    byte.is_ascii_alphanumeric() || byte == '_'
}

/// What an expression, or any text, says of numbers of ours and of Envoy's.
fn selectors(text: &str) -> Vec<Selector> {
    let starts = text.match_indices(['l', 'e', 'u']).filter(|(at, _)| {
        let (before, rest) = text.split_at(*at);
        let is_ours = ["larder_", "envoy_", "up{"]
            .iter()
            .any(|name| rest.starts_with(name));
        is_ours && !before.ends_with(|byte| is_word(byte) || "-.~?\"".contains(byte))
    });
    starts
        .map(|(at, _)| selector(text.split_at(at).1))
        .collect()
}

fn selector(text: &str) -> Selector {
    let (name, rest) = text.split_at(text.find(|byte| !is_word(byte)).unwrap_or(text.len()));
    let inside = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let (inside, _) = inside.unwrap_or_default();
    // No value of ours has a quotation mark or a comma.
    let labels = inside.split(',').filter(|label| !label.is_empty());
    let labels = labels.map(|label| {
        let (name, rest) = label.split_at(label.find(['=', '!']).unwrap());
        let (operator, value) = rest.split_once('"').unwrap();
        let value = value.trim_end_matches('"');
        (
            name.trim().to_owned(),
            operator.to_owned(),
            value.to_owned(),
        )
    });
    Selector {
        name: name.to_owned(),
        labels: labels.collect(),
    }
}

/// Every expression of the dashboard, with the title of its panel.
fn expressions() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().into_iter().flatten();
        let texts = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
        texts.map(|text| (title.clone(), text)).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = panels.flat_map(of_panel).collect();
    let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    all.extend(annotations.map(|one| {
        let text = one["expr"].as_str().unwrap();
        (one["name"].as_str().unwrap().to_owned(), text.to_owned())
    }));
    all
}

/// What Prometheus itself adds.
const ADDED: [&str; 2] = ["instance", "job"];

fn check(shown: &Shown, place: &str, text: &str) {
    let found = selectors(text);
    assert!(
        !found.is_empty() || text.contains("__name__"),
        "{place}: {text}"
    );
    for Selector { name, labels } in found.into_iter().filter(|one| one.name != "up") {
        let family = shown.0.get(&name);
        let family = family.unwrap_or_else(|| panic!("{place}: there is no {name}"));
        for (label, operator, value) in labels {
            if ADDED.contains(&&*label) {
                continue;
            }
            // The service makes a series when something is counted: what is not there yet says nothing.
            let is_of_service = name.starts_with("larder_admin_");
            let Some(values) = family.get(&label) else {
                assert!(is_of_service, "{place}: {name} has no {label}");
                continue;
            };
            let is_exact = !value.contains(['$', '*']);
            for word in value.split('|').filter(|_| is_exact && !is_of_service) {
                let is_there = values.contains(word);
                assert!(is_there, "{place}: {name} {label}{operator}{word}");
            }
        }
    }
}

#[tokio::test]
async fn every_number_that_the_dashboard_and_the_alerts_name_is_shown() {
    let stage = Stage::start().await;
    stage.traffic().await;
    let shown = stage.scrape().await;
    for (title, text) in expressions() {
        check(&shown, &title, &text);
    }
    check(&shown, "alerts.yaml", ALERTS);
    // The one that is asked for by a pattern.
    assert!(shown.0.contains_key("envoy_wasm_larder_vm_reload_success"));
}

/// With words in place of what Grafana fills in.
fn filled(text: &str) -> String {
    text.replace("$instance", ".*")
        .replace("$rule", ".*")
        .replace("$__rate_interval", "30s")
}

#[tokio::test]
async fn prometheus_answers_every_panel_and_evaluates_every_alert() {
    let Some(program) = prometheus::find("prometheus") else {
        return;
    };
    let stage = Stage::start().await;
    let targets = [
        Target {
            job: "envoy",
            address: stage.envoy.admin(),
            path: "/stats/prometheus",
        },
        Target {
            job: "larder-admin",
            address: stage.admin.address(),
            path: "/metrics",
        },
    ];
    let rules = directory().join("alerts.yaml");
    let prometheus = Prometheus::start(&program, &targets, &rules).await.unwrap();
    // What is counted between two looks has a rate.
    let ratio = &filled(&expressions()[0].1);
    eventually("a hit ratio", PATIENCE, async || {
        stage.traffic().await;
        let result = prometheus.query(ratio).await.unwrap();
        let share = result.first().and_then(|one| one["value"][1].as_str());
        share.is_some_and(|share| share.parse::<f64>().unwrap() > 0.5)
    })
    .await;
    for (title, text) in expressions() {
        let result = prometheus.query(&filled(&text)).await;
        let result = result.unwrap_or_else(|error| panic!("{title}: {error}"));
        // Some are only there when something is wrong, or has happened at the service.
        let may_be_empty =
            text.ends_with("> 0") || text.contains("larder_admin_") || text.contains("lag");
        assert!(
            may_be_empty || !result.is_empty(),
            "{title}: nothing for {text}"
        );
    }
    let named = ALERTS.matches("- alert: ").count();
    eventually("all alerts are evaluated", PATIENCE, async || {
        let alerts = prometheus.alerts().await.unwrap();
        assert!(
            alerts
                .iter()
                .all(|(_, health)| health == "ok" || health == "unknown"),
            "{alerts:?}"
        );
        alerts.iter().filter(|(_, health)| health == "ok").count() == named
    })
    .await;
}

#[test]
fn the_alerts_play_as_they_should() {
    for arguments in [
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", "alerts.test.yaml"],
    ] {
        let Some(output) = promtool(&directory(), &arguments) else {
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}
