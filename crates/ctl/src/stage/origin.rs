//! The origin, as a script says.

use larder_core::http::Headers;

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) ending: Ending,
}

/// How a response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All of it comes.
    Complete,
    /// The connection is lost before its end.
    BreaksOff,
    /// There is none: the proxy answers that the origin cannot be reached.
    Unreachable,
}

/// The origin.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// What it answers with, by target; the last one again and again. Without any, it counts its responses.
    script: Vec<(String, Vec<Response>)>,
    /// What it was asked, pseudo-fields included.
    pub(crate) asked: Vec<Headers>,
    /// What it was asked for that the script does not know.
    pub(crate) unknown: Vec<String>,
}

impl Origin {
    /// One with this script.
    pub(crate) fn of(script: Vec<(String, Vec<Response>)>) -> Self {
        Self {
            script,
            ..Self::default()
        }
    }

    /// Its answer.
    pub(super) fn answer(&mut self, request: &Headers) -> Response {
        self.asked.push(request.clone());
        if self.script.is_empty() {
            return text(format!("response {}", self.asked.len()));
        }
        let target = request.first(":path").unwrap_or_default();
        let target = String::from_utf8_lossy(target).into_owned();
        match self.next(&target) {
            Some(response) => response,
            None => {
                self.unknown.push(target);
                Response::unreachable()
            }
        }
    }

    /// By the target as it is, by its path, or by `*`.
    fn next(&mut self, target: &str) -> Option<Response> {
        let path = target.split('?').next().unwrap_or_default();
        let place = [target, path, "*"].iter().find_map(|wanted| {
            let mut targets = self.script.iter();
            targets.position(|(target, _)| target == wanted)
        });
        let (_, responses) = self.script.get_mut(place?)?;
        match responses.len() {
            0 | 1 => responses.first().cloned(),
            _ => Some(responses.remove(0)),
        }
    }
}

impl Response {
    /// What the proxy answers with where there is no origin.
    pub(crate) fn unreachable() -> Self {
        Self {
            status: 503,
            headers: Vec::new(),
            body: b"upstream connect error or disconnect/reset before headers".to_vec(),
            ending: Ending::Unreachable,
        }
    }
}

/// A response without freshness.
fn text(body: String) -> Response {
    Response {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: body.into_bytes(),
        ending: Ending::Complete,
    }
}
