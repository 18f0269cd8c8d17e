//! Pages of templates and fragments: made in real Envoys, from the cache, from the origin, and from both.

mod bounds;
mod crowd;
mod early;
mod failing;
mod heads;
mod hostile;
mod passed;
mod shared;

use larder_harness::client::{Answer, Request};
use larder_harness::origin::Reply;

use crate::management;
use crate::stage::Stage;

/// Every text is a template, and everything is kept as long as its origin says.
pub const ESI: &str = r#"{"rules": [{"name": "pages", "match": {"path": "/.*"}, "esi": true}]}"#;

/// The same with a management API.
pub async fn managed(workers: usize) -> Stage {
    let configuration = ESI.replacen('{', r#"{"management": {}, "#, 1);
    management::stage_of(workers, management::managed(&configuration)).await
}

pub fn html(body: &str) -> Reply {
    Reply::ok(body.to_owned())
        .header("content-type", "text/html")
        .header("cache-control", "max-age=60")
}

pub fn include(path: &str) -> String {
    format!(r#"<esi:include src="{path}"/>"#)
}

pub fn get(path: &str) -> Request {
    Request::get(path)
}

/// What the client reads, and how often the origin was asked for each of these.
#[track_caller]
pub fn assert_page(answer: &Answer, page: &str) {
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, page),
        "{answer:?}"
    );
}

#[track_caller]
pub fn assert_asked(stage: &Stage, expected: &[(&str, usize)]) {
    let asked: Vec<_> = expected
        .iter()
        .map(|(path, _)| (*path, stage.origin.count(path)))
        .collect();
    assert_eq!(asked, expected);
}
