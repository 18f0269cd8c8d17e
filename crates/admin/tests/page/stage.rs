//! What plays stand on: a replica of the service over its own memory, a browser, and instances.

use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use larder_harness::admin::{Admin, TOKEN, wire};
use larder_harness::browser::{self, Browser, Key, Page};
use larder_harness::client;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A service and a browser.
pub(crate) struct Stage {
    pub(crate) admin: Admin,
    browser: Browser,
}

impl Stage {
    /// Over the service's own memory; `None`, and a line that says so, where there is no browser.
    pub(crate) async fn set() -> Option<Self> {
        Self::over("memory").await
    }

    /// Over this store.
    pub(crate) async fn over(store: &str) -> Option<Self> {
        if !browser::is_there() {
            return None;
        }
        Some(Self {
            admin: Admin::over(store).start().await.unwrap(),
            browser: Browser::start().await.unwrap(),
        })
    }

    /// The page, where it asks for the token.
    pub(crate) async fn closed(&self) -> Page {
        let url = format!("http://{}/", self.admin.address());
        self.browser.open(&url).await.unwrap()
    }

    /// The page, with the token given as a person gives it.
    pub(crate) async fn open(&self) -> Page {
        let page = self.closed().await;
        give_token(&page, TOKEN).await;
        page.until("!document.querySelector('#content').hidden")
            .await;
        page
    }

    /// Whatever the page has asked for, it was asked of this service; and nothing has gone wrong in it.
    pub(crate) fn is_content(&self, page: &Page) {
        let origin = format!("http://{}/", self.admin.address());
        let foreign = page.asked_for().into_iter();
        let foreign: Vec<_> = foreign.filter(|url| !url.starts_with(&origin)).collect();
        assert_eq!(foreign, [""; 0]);
        assert_eq!(page.complaints(), [""; 0]);
    }
}

/// Types the token, and presses Enter.
pub(crate) async fn give_token(page: &Page, token: &str) {
    page.until("document.activeElement?.id === 'token'").await;
    page.write(token).await;
    page.press(Key::Enter).await;
}

/// A picture for whoever wants to look.
pub(crate) async fn picture(page: &Page, name: &str) {
    if let Some(directory) = env::var_os("LARDER_PICTURES").filter(|value| !value.is_empty()) {
        let path = Path::new(&directory).join(name).with_extension("png");
        page.picture(&path).await.unwrap();
    }
}

/// The answer of the service to a call between filters and it.
async fn said(service: SocketAddr, method: &str, path: &str, body: &Value) -> Value {
    let request = wire(method, path).header("content-type", "application/json");
    let request = request.body(body.to_string());
    let answer = client::send(service, request).await.unwrap();
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{method} {path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// A process with the filter, as the service sees it: it says how it is every few seconds, as long as it lives.
pub(crate) struct Instance {
    service: SocketAddr,
    id: String,
    seq: u64,
    state: Arc<Mutex<State>>,
    heart: JoinHandle<()>,
}

/// What it would say of itself.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// What else its `performance` says.
    pub(crate) performance: Value,
    node: String,
    cursor: Option<String>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.heart.abort();
    }
}

impl Instance {
    /// One that is there, and up to date.
    pub(crate) async fn join(
        stage: &Stage,
        number: u64,
        node: &str,
        hits: u64,
        misses: u64,
    ) -> Self {
        let state = State {
            hits,
            misses,
            performance: json!({}),
            node: node.to_owned(),
            cursor: None,
        };
        let id = format!("{number:016x}");
        let state = Arc::new(Mutex::new(state));
        let service = stage.admin.address();
        let heart = beat(service, format!("/v1/instances/{id}"), Arc::clone(&state));
        let mut instance = Self {
            service,
            id,
            seq: 0,
            state,
            heart: tokio::spawn(heart),
        };
        instance.poll().await;
        instance.report().await;
        instance
    }

    /// Changes what it says of itself, and says so.
    pub(crate) async fn tell(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.report().await;
    }

    async fn report(&self) {
        let path = format!("/v1/instances/{}", self.id);
        let heartbeat = self.state.lock().unwrap().heartbeat();
        said(self.service, "POST", &path, &heartbeat).await;
    }

    /// Follows the log to its end, as it is now, and says that it has.
    pub(crate) async fn poll(&mut self) {
        loop {
            let before = self.state.lock().unwrap().cursor.clone();
            let after = before.as_ref().map(|cursor| format!("after={cursor}&"));
            let after = after.unwrap_or_default();
            let path = format!(
                "/v1/invalidations?{after}wait_seconds=0&instance={}&config=0",
                self.id
            );
            let answer = said(self.service, "GET", &path, &Value::Null).await;
            let cursor = answer["cursor"].as_str().map(str::to_owned);
            self.state.lock().unwrap().cursor.clone_from(&cursor);
            if before == cursor {
                return;
            }
        }
    }

    /// Invalidates a tag.
    pub(crate) async fn invalidate(&mut self, tag: &str) {
        self.seq += 1;
        let record = json!({ "seq": self.seq, "mode": "hard", "stamps": ["0123456789abcdef"], "kind": "tag", "value": tag });
        let batch = json!({ "wire": 1, "instance": self.id, "records": [record] });
        said(self.service, "POST", "/v1/invalidations", &batch).await;
    }
}

/// Says how it is, again and again.
async fn beat(service: SocketAddr, path: String, state: Arc<Mutex<State>>) {
    let mut beat = tokio::time::interval(Duration::from_secs(3));
    loop {
        beat.tick().await;
        let heartbeat = state.lock().unwrap().heartbeat();
        let request = wire("POST", &path).header("content-type", "application/json");
        // A service that is gone is what the play is about.
        let _ = client::send(service, request.body(heartbeat.to_string())).await;
    }
}

impl State {
    fn heartbeat(&self) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut performance = self.performance.clone();
        performance["middleware_metrics"] =
            json!({ "hits": self.hits, "misses": self.misses, "bypasses": 0 });
        performance["timed"] = json!({
            "hits": self.hits, "hits_us": self.hits * 90, "fetches": self.misses, "fetches_us": self.misses * 57_000,
        });
        json!({
            "wire": 1, "node": self.node, "cluster": "shop", "version": "0.1.0", "clock_ms": now.as_millis() as u64,
            "applied": self.cursor, "pending": 0, "config": 0, "config_hash": "00",
            "stats": { "total_entries": 40, "total_size_mb": 12.5, "worker_size_mb": 1.5 },
            "performance": performance,
        })
    }
}
