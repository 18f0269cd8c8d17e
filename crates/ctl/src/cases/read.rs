//! Cases as people write them.

use std::path::Path;

use larder_core::http::Headers;
use larder_core::time::{Timestamp, parse_http_date};

use super::expect::expected;
use super::fields::{flag, lines, list, number, object, one_or_many, refuse, status, text};
use super::{Action, Case, Named, Step};
use crate::document::{Broken, Kind, Node, Place, read};
use crate::exit::Failure;
use crate::source::Source;
use crate::stage::{Ending, Response, Stage};

/// Midnight of the first of January 2026.
const BEGIN: Timestamp = Timestamp::from_secs(1_767_225_600);
const HOST: &str = "api.example.com";

/// The cases of a file.
pub(crate) fn cases(source: &Source) -> Result<Vec<Case>, Failure> {
    let problem = |Broken { place, problem }| {
        let Place { line, column, .. } = place;
        Failure::usage(format!("{}:{line}:{column}: {problem}", source.name))
    };
    let documents = read(&source.text).map_err(problem)?;
    let [document] = documents.as_slice() else {
        let name = &source.name;
        return Err(Failure::usage(format!(
            "{name}: must be one document with `configuration` and `cases`"
        )));
    };
    let document =
        object(document, &["configuration", "host", "clock", "cases"]).map_err(problem)?;
    let Some(cases) = document.field("cases") else {
        return refuse(document, "`cases` is missing").map_err(problem);
    };
    let mut read = Vec::new();
    for node in list(cases).map_err(problem)? {
        let mut case = case(node, document).map_err(problem)?;
        let named = node
            .field("configuration")
            .or(document.field("configuration"));
        let named = named.map_or_else(
            || {
                refuse(
                    node,
                    "`configuration` is missing: the name of a file, or an object",
                )
            },
            named_by,
        );
        case.json = configuration(&named.map_err(problem)?, source)?;
        read.push(case);
    }
    Ok(read)
}

fn named_by(node: &Node) -> Result<Named<'_>, Broken> {
    match &node.kind {
        Kind::Text(name, _) => Ok(Named::File(name)),
        Kind::Object(_) => Ok(Named::Inline(node)),
        Kind::Null | Kind::Flag(_) | Kind::Number(_) | Kind::List(_) => {
            refuse(node, "must be the name of a file, or an object")
        }
    }
}

/// A file's name is relative to the file of the cases.
fn configuration(named: &Named<'_>, cases: &Source) -> Result<String, Failure> {
    let (name, json) = match named {
        Named::Inline(node) => (cases.name.clone(), node.json()),
        Named::File(name) => {
            let around = Path::new(&cases.name).parent().unwrap_or(Path::new(""));
            let source = Source::open(&around.join(name))?;
            let json = source.configuration()?.json;
            (source.name, json)
        }
    };
    match Stage::new(&json, BEGIN) {
        Ok(_) => Ok(json),
        Err(problems) => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            let problems = problems.join("; ");
            Err(Failure::usage(format!(
                "{name}: the configuration is not good: {problems}"
            )))
        }
    }
}

fn case(node: &Node, document: &Node) -> Result<Case, Broken> {
    const FIELDS: [&str; 6] = ["name", "configuration", "host", "clock", "origin", "steps"];
    let node = object(node, &FIELDS)?;
    let Some(name) = node.field("name") else {
        return refuse(node, "`name` is missing");
    };
    let inherited = |name| node.field(name).or(document.field(name));
    let host = inherited("host").map_or(Ok(HOST.to_owned()), text)?;
    let Some(steps) = node.field("steps") else {
        return refuse(node, "`steps` is missing");
    };
    let steps = list(steps)?.iter().map(|node| step(node, &host));
    Ok(Case {
        name: text(name)?,
        place: node.place,
        json: String::new(),
        clock: inherited("clock").map_or(Ok(BEGIN), clock)?,
        origin: node.field("origin").map_or(Ok(Vec::new()), origin)?,
        steps: steps.collect::<Result<_, _>>()?,
    })
}

fn clock(node: &Node) -> Result<Timestamp, Broken> {
    match parse_http_date(text(node)?.as_bytes()) {
        Some(clock) => Ok(clock),
        None => refuse(
            node,
            "must be a date such as `Thu, 01 Jan 2026 00:00:00 GMT`",
        ),
    }
}

fn origin(node: &Node) -> Result<Vec<(String, Vec<Response>)>, Broken> {
    if node.fields().is_empty() {
        return refuse(node, "must be an object of paths and their responses");
    }
    let mut script = Vec::new();
    for field in node.fields() {
        if !field.name.starts_with('/') && field.name != "*" {
            return refuse(&field.value, "its name must be a path, or `*`");
        }
        let responses = one_or_many(&field.value, response)?;
        script.push((field.name.clone(), responses));
    }
    Ok(script)
}

/// A text is the body of a response.
fn response(node: &Node) -> Result<Response, Broken> {
    if let Some(body) = node.text() {
        return Ok(answered(200, Vec::new(), body.to_owned()));
    }
    const FIELDS: [&str; 6] = [
        "status",
        "headers",
        "body",
        "json",
        "breaks_off",
        "unreachable",
    ];
    let node = object(node, &FIELDS)?;
    if node.field("unreachable").map_or(Ok(false), flag)? {
        return Ok(Response::unreachable());
    }
    let mut headers = node.field("headers").map_or(Ok(Vec::new()), lines)?;
    let body = match (node.field("body"), node.field("json")) {
        (Some(_), Some(json)) => return refuse(json, "has no place beside `body`"),
        (Some(body), None) => text(body)?,
        (None, Some(json)) => {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
            json.value().to_string()
        }
        (None, None) => String::new(),
    };
    let status = node.field("status").map_or(Ok(200), status)?;
    let mut response = answered(status, headers, body);
    if node.field("breaks_off").map_or(Ok(false), flag)? {
        response.ending = Ending::BreaksOff;
    }
    Ok(response)
}

fn answered(status: u16, headers: Vec<(String, String)>, body: String) -> Response {
    Response {
        status,
        headers,
        body: body.into_bytes(),
        ending: Ending::Complete,
    }
}

fn step(node: &Node, host: &str) -> Result<Step, Broken> {
    const FIELDS: [&str; 9] = [
        "after",
        "get",
        "request",
        "purge",
        "invalidate",
        "host",
        "headers",
        "body",
        "expect",
    ];
    let node = object(node, &FIELDS)?;
    Ok(Step {
        place: node.place,
        after: node.field("after").map_or(Ok(0), number)?,
        action: action(node, host)?,
        expected: node.field("expect").map_or(Ok(Vec::new()), expected)?,
    })
}

fn action(node: &Node, host: &str) -> Result<Action, Broken> {
    const ACTIONS: [&str; 4] = ["get", "request", "purge", "invalidate"];
    let named = node.fields().iter();
    let mut named = named.filter(|field| ACTIONS.contains(&field.name.as_str()));
    let (action, None) = (named.next(), named.next()) else {
        return refuse(node, "does several things: make a step of each");
    };
    let Some(action) = action else {
        if node.field("expect").is_some() {
            return refuse(node, "does nothing that something could be expected of");
        }
        return Ok(Action::Wait);
    };
    if action.name == "invalidate" {
        return Ok(Action::Invalidate(action.value.value()));
    }
    let told = text(&action.value)?;
    let (method, target) = match action.name.as_str() {
        "get" => ("GET", told.as_str()),
        "purge" => ("PURGE", told.as_str()),
        _ => match told.split_once(' ') {
            Some((method, target)) => (method, target.trim()),
            None => {
                return refuse(
                    &action.value,
                    "must be a method and a path, such as `POST /a`",
                );
            }
        },
    };
    let head = head(node, method, target, host)?;
    if action.name == "purge" {
        return Ok(Action::Purge(head));
    }
    let body = node.field("body").map(text).transpose()?;
    Ok(Action::Request(head, body.map(String::into_bytes)))
}

fn head(node: &Node, method: &str, target: &str, host: &str) -> Result<Headers, Broken> {
    if !target.starts_with('/') {
        return refuse(node, format!("`{target}` is no path: it begins with `/`"));
    }
    let host = node.field("host").map_or(Ok(host.to_owned()), text)?;
    let mut head = Headers::from_iter([
        (":method", method),
        (":scheme", "https"),
        (":authority", &host),
        (":path", target),
    ]);
    for (name, value) in node.field("headers").map_or(Ok(Vec::new()), lines)? {
        head.push(name, value);
    }
    if let Some(body) = node.field("body").map(text).transpose()? {
        head.push("content-length", body.len().to_string());
    }
    Ok(head)
}
