//! The API of the demo: what stands behind Larder in `make run` and in docker-compose.
//!
//! A sales platform's back end in miniature: analytics and summaries that take their time, a
//! drift monitor, health checks, predictions and conversations nobody should cache, a profile for
//! each user, and a report that a write changes. It sends no `Cache-Control`: that the rules alone
//! make it cacheable is what the demo shows. Every body says when it was made and at which
//! revision of the data, so that a cached answer can be told from a fresh one by eye.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::origin::{Handler, Received, Reply};

/// The demo's API.
#[derive(Debug)]
pub struct Demo {
    slow: f64,
    revision: AtomicU64,
}

/// How long the real thing would think.
#[derive(Clone, Copy, Debug)]
enum Effort {
    None,
    Lookup,
    Query,
    Aggregation,
    Report,
}

impl Effort {
    const fn time(self) -> Duration {
        Duration::from_millis(match self {
            Self::None => 0,
            Self::Lookup => 40,
            Self::Query => 300,
            Self::Aggregation => 500,
            Self::Report => 800,
        })
    }
}

impl Demo {
    /// `slow` multiplies the time each answer takes: 1 is as slow as a real back end, 0 answers at
    /// once. Anything below 0 or not a number counts as 0, and nothing waits longer than a minute.
    #[must_use]
    pub fn new(slow: f64) -> Self {
        Self {
            slow: slow.max(0.0),
            revision: AtomicU64::new(1),
        }
    }

    fn answer(&self, effort: Effort, mut body: Value) -> Reply {
        body["generated_at"] = httpdate::fmt_http_date(SystemTime::now()).into();
        body["revision"] = self.revision.load(Ordering::Relaxed).into();
        let seconds = (effort.time().as_secs_f64() * self.slow).min(60.0);
        json_reply(200, &body).after(Duration::from_secs_f64(seconds))
    }

    fn update(&self) -> Reply {
        let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
        self.answer(
            Effort::Lookup,
            json!({"updated": true, "revision": revision}),
        )
    }

    /// Numbers that look alive, differ from subject to subject, and move with each write.
    fn figure(&self, subject: &str, least: u64, spread: u64) -> u64 {
        let seed = subject.bytes().fold(17, |seed: u64, byte| {
            seed.wrapping_mul(31).wrapping_add(byte.into())
        });
        let revision = self.revision.load(Ordering::Relaxed);
        least + (seed.wrapping_add(revision.wrapping_mul(7)) >> 3) % spread
    }

    fn analytics(&self, kind: &str, query: &str) -> Reply {
        let days = number(query, "days").unwrap_or(7).clamp(1, 90);
        let day = |day: u64| {
            let conversations = self.figure(&format!("{kind}/{day}"), 120, 60);
            json!({"day": day, "conversations": conversations, "converted": conversations / 6})
        };
        let series: Vec<Value> = (1..=days).map(day).collect();
        let total = series
            .iter()
            .filter_map(|day| day["conversations"].as_u64());
        self.answer(Effort::Query, json!({
            "kind": kind, "days": days, "total_conversations": total.sum::<u64>(), "series": series
        }))
    }

    fn drift(&self, model: &str) -> Reply {
        let score = self.figure(model, 1, 30);
        let status = if score > 20 { "drifting" } else { "stable" };
        self.answer(Effort::Query, json!({
            "model": model, "status": status, "score_percent": score, "samples": self.figure(model, 9000, 2000)
        }))
    }

    fn summary(&self, subject: &str) -> Reply {
        self.answer(
            Effort::Aggregation,
            json!({
                "subject": subject,
                "open": self.figure(subject, 10, 40),
                "closed": self.figure(subject, 200, 90),
                "text": format!("All is well with {subject}."),
            }),
        )
    }

    fn report(&self) -> Reply {
        let region = |name| json!({"region": name, "revenue": self.figure(name, 200_000, 20_000)});
        let regions = ["north", "south", "east", "west"].map(region);
        let revenue = self.figure("revenue", 800_000, 90_000);
        self.answer(
            Effort::Report,
            json!({"title": "Quarterly report", "revenue": revenue, "regions": regions}),
        )
    }

    fn profile(&self, id: &str, request: &Received) -> Reply {
        let caller = request.headers.all("x-user-id").next();
        match caller {
            None => problem(401, "say who you are by x-user-id"),
            Some(caller) if caller != id.as_bytes() => problem(403, "this is somebody else"),
            Some(_) => self.answer(
                Effort::Lookup,
                json!({
                    "user_id": id, "name": format!("User {id}"), "deals": self.figure(id, 1, 20)
                }),
            ),
        }
    }
}

impl Handler for Demo {
    fn reply(&self, request: &Received) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let reads = matches!(request.method.as_str(), "GET" | "HEAD");
        let writes = request.method == "POST";
        match segments.as_slice() {
            ["data", "update"] if writes => self.update(),
            ["data", "update"] => problem(405, "POST only").header("allow", "POST"),
            ["api", "predictive", subject] if reads || writes => self.answer(Effort::Lookup, json!({
                "subject": subject, "probability_percent": self.figure(query, 1, 99)
            })),
            ["api", "conversation", id] if reads || writes => self.answer(Effort::Lookup, json!({
                "conversation": id, "said": String::from_utf8_lossy(&request.body), "reply": "Tell me more."
            })),
            _ if !reads => problem(405, "read only").header("allow", "GET, HEAD"),
            ["api", "health", ..] => self.answer(Effort::None, json!({"status": "ok"})),
            ["api", "analytics", kind] => self.analytics(kind, query),
            ["api", "ml", "drift", "status", model] => self.drift(model),
            ["api", subject, "summary", ..] => self.summary(subject),
            ["user", id, "profile"] => self.profile(id, request),
            ["report"] => self.report(),
            _ => problem(404, "no such resource"),
        }
    }
}

fn number(query: &str, name: &str) -> Option<u64> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name)?.1.parse().ok()
}

fn problem(status: u16, text: &str) -> Reply {
    json_reply(status, &json!({"error": text}))
}

fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::new(status, format!("{body:#}\n")).header("content-type", "application/json")
}
