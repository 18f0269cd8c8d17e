//! Calls of the management API.

use std::io;

use serde_json::Value;
use ureq::http::{self, Method};
use ureq::{Agent, Body};

use super::trust::tls;
use super::{Address, Answer, Line, Reach};
use crate::exit::{Exit, Failure};

/// No answer of the API is longer: a thousand entries, or the numbers of a fleet.
const LONGEST_ANSWER: u64 = 64 << 20;

/// Somebody to call.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    agent: Agent,
    at: Address,
    prefix: String,
    line: Line,
    token: Option<String>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    fields: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Call {
    /// Looks.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into())
    }

    /// Does.
    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into())
    }

    /// Takes away.
    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into())
    }

    fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            fields: Vec::new(),
            body: None,
        }
    }

    /// With a body.
    #[must_use]
    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// With a header field.
    #[must_use]
    pub(crate) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

impl Client {
    pub(super) fn new(reach: &Reach, token: Option<String>) -> Result<Self, Failure> {
        let prefix = format!("/{}", reach.api.trim_matches('/'));
        let at = reach.address()?;
        Ok(Self {
            agent: agent(&reach.line, at.scheme(), 4)?,
            at: at.without(&prefix),
            prefix,
            line: reach.line.clone(),
            token,
        })
    }

    /// Where it is, for people.
    pub(crate) fn place(&self) -> String {
        self.at.to_string()
    }

    /// Whether it is a fleet's service: that alone has an overview.
    ///
    /// # Errors
    /// Where nobody answered, or refuses.
    pub(crate) fn is_of_a_fleet(&self) -> Result<bool, Failure> {
        Ok(self.ask(Call::get("/overview"))?.found()?.is_some())
    }

    /// The body of the answer, where that is yes.
    ///
    /// # Errors
    /// Where nobody answered, or the answer is not yes.
    pub(crate) fn call(&self, call: Call) -> Result<Value, Failure> {
        self.ask(call)?.done()
    }

    /// The answer, whatever it says.
    ///
    /// # Errors
    /// Where nobody answered.
    pub(crate) fn ask(&self, call: Call) -> Result<Answer, Failure> {
        let place = format!("{}{}", self.at, self.prefix);
        let url = self.at.url(&format!("{}{}", self.prefix, call.path));
        self.send(&url, &place, self.token.as_deref(), call)
    }

    /// The answer of a path that is for instances, with a secret of its own.
    ///
    /// # Errors
    /// Where nobody answered.
    pub(crate) fn ask_beside(&self, secret: &str, call: Call) -> Result<Answer, Failure> {
        let url = self.at.url(&call.path);
        self.send(&url, &self.place(), Some(secret), call)
    }

    /// What `POST explain` says of a question in its form.
    ///
    /// # Errors
    /// Where nobody answered, or refuses.
    pub(crate) fn explain(&self, question: Value) -> Result<Value, Failure> {
        self.call(Call::post("/explain").body(question))
    }

    fn send(
        &self,
        url: &str,
        place: &str,
        token: Option<&str>,
        call: Call,
    ) -> Result<Answer, Failure> {
        let mut request = http::Request::builder().method(call.method).uri(url);
        if let Some(host) = &self.line.host {
            request = request.header("host", host);
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in call.fields {
            request = request.header(name, value);
        }
        let body = call.body.map(|body| body.to_string());
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let answered = match body {
            Some(body) => request.body(body).map(|request| self.agent.run(request)),
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let answered = answered
            .map_err(|error| Failure::usage(format!("this cannot be asked for: {error}")))?;
        let (status, text) = answered
            .and_then(read)
            .map_err(|error| unreachable(&self.at, &self.line, &error))?;
        Ok(Answer {
            place: place.to_owned(),
            has_token: token.is_some(),
            status,
            body: serde_json::from_slice(&text).unwrap_or(Value::Null),
        })
    }
}

fn read(answer: http::Response<Body>) -> Result<(u16, Vec<u8>), ureq::Error> {
    let status = answer.status().as_u16();
    let text = answer
        .into_body()
        .into_with_config()
        .limit(LONGEST_ANSWER)
        .read_to_vec()?;
    Ok((status, text))
}

/// Who speaks HTTP, and keeps so many connections.
///
/// # Errors
/// Where it is not known whom to trust.
pub(crate) fn agent(line: &Line, scheme: &str, connections: usize) -> Result<Agent, Failure> {
    let config = Agent::config_builder()
        .tls_config(tls(line, scheme)?)
        .timeout_global(Some(line.timeout))
        .http_status_as_error(false)
        // What is answered is what is wanted, a redirect too.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(connections)
        .max_idle_connections_per_host(connections)
        .user_agent(concat!("larderctl/", env!("CARGO_PKG_VERSION")))
        // What the environment says of proxies is about the world outside.
        .proxy(None);
    Ok(config.build().new_agent())
}

/// Why nobody answered, and what to do about it.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the client's errors are many, and few of them are anybody's to mend"
)]
pub(crate) fn unreachable(at: &Address, line: &Line, error: &ureq::Error) -> Failure {
    Failure::said(
        Exit::Unreachable,
        match error {
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => format!(
                "cannot reach {at}: connection refused; is the listener (or larder-admin) up, and is that its port?"
            ),
            ureq::Error::Timeout(_) => format!(
                "{at} did not answer within {} seconds (--timeout)",
                line.timeout.as_secs_f64()
            ),
            ureq::Error::HostNotFound => format!("cannot reach {at}: there is no such host"),
            ureq::Error::Io(error) if is_about_tls(error) => format!(
                "cannot speak TLS with {at}: {error}; --ca FILE names the certificates to trust"
            ),
            ureq::Error::Io(error) => format!("cannot reach {at}: {error}"),
            error => format!("{at} did not answer in HTTP: {error}"),
        },
    )
}

fn is_about_tls(error: &io::Error) -> bool {
    let within = error.get_ref();
    within.is_some_and(|within| within.is::<rustls::Error>())
}
