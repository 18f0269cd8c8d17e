//! Why a request is answered as it is.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use larder_core::config::{Config, Misfit};
use larder_core::http::{Headers, RequestHead, Target, Uri};
use larder_core::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::explanation::lines;
use crate::output::{Output, Printer};
use crate::source::Source;
use crate::stage::Stage;

/// Explain what becomes of a request, and of a response to it
///
/// With a FILE by that configuration, as if nothing were stored; without one by the Envoy or the larder-admin that --at names,
/// and what is stored there counts. Nothing of it is done: no request is sent, nothing is stored or counted.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// A configuration, as for `check`
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// What is asked for, such as https://api.example.com/users?page=2
    #[arg(long, value_name = "URL")]
    url: String,
    /// The method
    #[arg(short = 'X', long, default_value = "GET")]
    method: String,
    /// A field of the request, `name: value`; may be given again
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE", value_parser = field)]
    headers: Vec<(String, String)>,
    /// The origin answers with this status
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..=599))]
    response_status: Option<u16>,
    /// A field of the origin's response, `name: value`; may be given again
    #[arg(long = "response-header", value_name = "NAME:VALUE", value_parser = field)]
    response_headers: Vec<(String, String)>,
    /// The body of the origin's response
    #[arg(long, value_name = "TEXT")]
    response_body: Option<String>,
}

fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        Some(_) | None => Err("must be `name: value`".to_owned()),
    }
}

impl Explain {
    pub(crate) fn run(&self, global: &Global, out: &mut Printer) -> Result<Exit, Failure> {
        let answer = match &self.file {
            Some(file) => self.here(&Source::open(file)?)?,
            None if global.reach.at.is_some() => global.reach.client()?.explain(self.question())?,
            None => {
                return Err(Failure::usage(
                    "explain: name a configuration, or an Envoy by --at URL (or LARDER_URL)",
                ));
            }
        };
        match out.output() {
            Output::Json => out.json(&answer)?,
            Output::Table => {
                let asked = format!("{} {}", self.method, self.url);
                for line in lines(&asked, &answer, out) {
                    out.line(&line)?;
                }
            }
        }
        Ok(Exit::Fine)
    }

    /// By a file's configuration, in which nothing is stored.
    fn here(&self, source: &Source) -> Result<Value, Failure> {
        let configuration = source.configuration()?;
        let stage = Stage::new(&configuration.json, now()).map_err(|errors| {
            let name = &source.name;
            Failure::said(
                Exit::No,
                format!(
                    "{name}: has {} problems; `larderctl check {name}` shows them",
                    errors.len()
                ),
            )
        })?;
        let said = stage.explain(&self.question());
        let said = said.ok_or_else(|| Failure::usage("explain: cannot ask"))?;
        if said.status != 200 {
            let message = said.body.pointer("/error/message");
            let message = message.and_then(Value::as_str).unwrap_or("was refused");
            return Err(Failure::usage(format!("explain: {message}")));
        }
        let mut answer = said.body;
        if let Some(rule) = answer.get_mut("rule").and_then(Value::as_object_mut) {
            rule.insert("why_not".to_owned(), self.misfits(stage.config(), rule));
        }
        Ok(answer)
    }

    /// The call that the management API takes.
    fn question(&self) -> Value {
        let mut question = json!({
            "method": self.method,
            "url": self.url,
            "headers": fields(&self.headers),
        });
        let status = self.response_status;
        let responds =
            status.is_some() || self.response_body.is_some() || !self.response_headers.is_empty();
        if let (true, Some(question)) = (responds, question.as_object_mut()) {
            let response = json!({
                "status": status.unwrap_or(200),
                "headers": fields(&self.response_headers),
                "body": self.response_body.as_deref().unwrap_or("a body"),
            });
            question.insert("response".to_owned(), response);
        }
        question
    }

    /// What the rules that were tried in vain ask for.
    fn misfits(&self, config: &Config, rule: &Map<String, Value>) -> Value {
        let tried = rule.get("not_matched").and_then(Value::as_array);
        let tried = tried.map_or(0, Vec::len);
        let Some((head, target)) = self.head() else {
            return Value::Null;
        };
        let misfits = config.rules.iter().take(tried).filter_map(|rule| {
            let because = match rule.misfit(&head, &target)? {
                Misfit::Header(name) => format!("header {name}"),
                Misfit::Host => "host".to_owned(),
                Misfit::Method => "method".to_owned(),
                Misfit::Path => "path".to_owned(),
            };
            Some((rule.name.clone(), Value::String(because)))
        });
        Value::Object(misfits.collect())
    }

    fn head(&self) -> Option<(RequestHead, Target)> {
        let here = Uri::of_request(b"http", b"localhost", b"/")?;
        let uri = here.resolve(self.url.as_bytes())?;
        let mut head = Headers::from_iter([
            (":method", &self.method),
            (":scheme", &uri.scheme),
            (":authority", &uri.authority),
            (":path", &uri.target),
        ]);
        for (name, value) in &self.headers {
            head.push(name.to_ascii_lowercase(), value);
        }
        let head = RequestHead::parse(head).ok()?;
        let target = Target::parse(head.target()).ok()?;
        Some((head, target))
    }
}

/// Lines of one field are a list.
fn fields(lines: &[(String, String)]) -> Value {
    let mut fields: Map<String, Value> = Map::new();
    for (name, value) in lines {
        let lines = fields.entry(name.to_ascii_lowercase()).or_insert(json!([]));
        if let Some(lines) = lines.as_array_mut() {
            lines.push(value.as_str().into());
        }
    }
    Value::Object(fields)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_secs(since.map_or(0, |since| since.as_secs()))
}
