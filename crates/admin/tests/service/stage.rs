//! Two replicas over one store, and who talks to them.

use std::sync::Arc;

use larder_admin::run::answer;
use larder_admin::server::Ending;
use larder_admin::service::Service;
use larder_admin::settings::{Settings, Surroundings, Wanted};
use larder_admin::store::{Bounds, Store};
use larder_core::config::{Config, RuleHash};
use larder_core::entry::{
    Coding, Epoch, FreshnessSource, Lifetime, Meta, StalePermission, Staleness, StampList,
    StoredResponse, TagNames, Validation, encode_response,
};
use larder_core::epoch::{Scope, stamps_of_name};
use larder_core::http::{Headers, Uri};
use larder_core::key::Key;
use larder_core::policy::invalidation::stamps_of_uri;
use larder_core::time::{Seconds, Timestamp};
use larder_core::wire::Frame;
use larder_harness::client::{Answer, Client, Protocol, Request};
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const SECRET: &str = "between-filter-and-service";
pub(crate) const TOKEN: &str = "correct-horse";

/// A replica that is being answered from.
pub(crate) struct Replica {
    pub(crate) service: Arc<Service>,
    address: std::net::SocketAddr,
    task: JoinHandle<Ending>,
}

struct Variables;

impl Surroundings for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "LARDER_ADMIN_SECRET" => Some(SECRET.to_owned()),
            "LARDER_TOKEN" => Some(TOKEN.to_owned()),
            _ => None,
        }
    }

    fn file(&self, _path: &std::path::Path) -> Result<String, String> {
        Err("there are no files".to_owned())
    }
}

impl Replica {
    /// Over this store, when it follows its log.
    pub(crate) async fn start(store: &Store, flags: &[&str]) -> Self {
        let arguments = ["larder-admin"].iter().chain(flags).map(Into::into);
        let settings = match Settings::read(arguments, &Variables).unwrap() {
            Wanted::Run(settings) | Wanted::Check(settings) => *settings,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = Service::new(settings, store.clone());
        let task = tokio::spawn(answer(listener, Arc::clone(&service)));
        let replica = Self {
            service,
            address,
            task,
        };
        eventually("the replica is ready", PATIENCE, async || {
            replica.get("/readyz").await.status == 200
        })
        .await;
        replica
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    pub(crate) async fn send(&self, request: Request) -> Answer {
        let mut client = Client::connect(self.address, Protocol::Http1)
            .await
            .unwrap();
        client.send(request).await.unwrap()
    }

    /// With the secret.
    pub(crate) async fn ask(&self, request: Request) -> Answer {
        let secret = format!("Bearer {SECRET}");
        let request = request.header("authorization", secret);
        self.send(request.header("larder-wire", "1")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path)).await
    }

    /// Says that something is over; where that stands in the log.
    pub(crate) async fn invalidate(&self, record: Value) -> String {
        let body = serde_json::json!({"wire": 1, "records": [record]});
        let answer = self.post("/v1/invalidations", &body).await;
        json(&answer)["ids"][0].as_str().unwrap().to_owned()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = Request::new("POST", path).body(body.to_string());
        let answer = self.ask(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// Where the log ends.
    pub(crate) async fn end(&self) -> String {
        let answer = json(&self.get("/v1/invalidations").await);
        assert_eq!(answer["reset"], true, "{answer}");
        answer["cursor"].as_str().unwrap().to_owned()
    }

    /// Ends it as a signal would.
    pub(crate) async fn drain(self) -> Ending {
        self.service.begin_drain();
        self.task.await.unwrap()
    }
}

/// A store in memory, and two replicas over it.
pub(crate) async fn pair() -> (Store, Replica, Replica) {
    let store = Store::memory(Bounds::USUAL);
    let one = Replica::start(&store, &[]).await;
    let other = Replica::start(&store, &[]).await;
    (store, one, other)
}

pub(crate) fn json(answer: &Answer) -> Value {
    let parsed = serde_json::from_slice(&answer.body);
    parsed.unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// The key of a plain GET of `http://a<path>`.
pub(crate) fn key(path: &str) -> Key {
    let mut canonical = b"\x01\x02\x01\0\0\0a\x03".to_vec();
    canonical.extend_from_slice(&(path.len() as u32).to_le_bytes());
    canonical.extend_from_slice(path.as_bytes());
    Key::from_canonical(canonical)
}

/// The frame of a response with these tags and this body.
pub(crate) fn frame(key: &Key, tags: &[&str], body: &[u8]) -> Vec<u8> {
    frame_for(key, tags, body, 300)
}

/// The same, fresh for so many seconds; it is two seconds old.
pub(crate) fn frame_for(key: &Key, tags: &[&str], body: &[u8], seconds: u64) -> Vec<u8> {
    let tagged = tags.iter().map(|tag| Scope::Tag(tag.as_bytes()).stamp());
    let name = key.name();
    let path = name.from_path().unwrap_or("/").as_bytes();
    let uri = Uri::of_request(b"http", b"a", path).unwrap();
    let resources = stamps_of_uri(&uri, &Config::parse(b"{}").unwrap());
    let stamps = tagged.chain(stamps_of_name(key)).chain(resources);
    let stamps: StampList = stamps.collect();
    let response = StoredResponse {
        meta: Meta {
            request_time: Timestamp::from_secs(1_000),
            response_time: Timestamp::from_secs(1_001),
            initial_age: Seconds::clamped(0),
            lifetime: Lifetime {
                seconds: Seconds::clamped(seconds),
                source: FreshnessSource::Rule,
            },
            epoch: Epoch::UNKNOWN,
            rule: RuleHash(7),
            validation: Validation::WhenStale,
            staleness: Staleness {
                permission: StalePermission::Granted,
                while_revalidate: None,
                if_error: None,
            },
        },
        status: 200,
        stamps: stamps.as_stamps(),
        tags: TagNames::default(),
        pairs: &Headers::from_iter([("content-type", "text/plain")]).to_pairs(),
        coding: Coding::AsReceived,
        body,
    };
    let payload = encode_response(&response).unwrap();
    let at = Timestamp::from_secs(1_002);
    let until = Timestamp::from_secs(1_300);
    Frame::encode(at, key, (at, until), &payload).unwrap()
}

/// What brings an entry.
pub(crate) fn put(key: &Key, cursor: &str, frame: Vec<u8>) -> Request {
    Request::new("PUT", &format!("/v1/entries/{}", key.digest()))
        .header("larder-cursor", cursor)
        .header("larder-keep-ms", "60000")
        .body(frame)
}

/// Where an entry stands, with these parameters.
pub(crate) fn place(key: &Key, parameters: &str) -> String {
    format!("/v1/entries/{}{parameters}", key.digest())
}

pub(crate) fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.one(name)
}

/// A call of the management API, with its token.
pub(crate) async fn call(replica: &Replica, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::new(method, path).header("authorization", format!("Bearer {TOKEN}"));
    let content = match body.is_null() {
        true => String::new(),
        false => body.to_string(),
    };
    replica.send(request.body(content)).await
}

/// One that is answered.
pub(crate) async fn get(replica: &Replica, path: &str) -> Value {
    let answer = call(replica, "GET", path, &Value::Null).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    json(&answer)
}

/// An instance says what it is, and what it is configured with.
pub(crate) async fn report(replica: &Replica, id: &str, more: Value) {
    let mut report = serde_json::json!({"wire": 1, "node": format!("node-{id}"), "config_hash": "c0ffee",
        "configuration": {"rules": [{"name": "a", "match": {"path": "/a/.*"}, "ttl_seconds": 60}]}});
    let fields = report.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    replica.post(&format!("/v1/instances/{id}"), &report).await;
}
