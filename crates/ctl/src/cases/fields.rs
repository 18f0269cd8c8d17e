//! Reading the fields of cases, each mistake with its place.

use serde_json::Value;

use crate::document::{Broken, Kind, Node};

/// What is wrong with a value.
pub(super) fn refuse<T>(node: &Node, problem: impl Into<String>) -> Result<T, Broken> {
    Err(Broken {
        place: node.place,
        problem: problem.into(),
    })
}

/// An object in which only these fields stand, each once.
pub(super) fn object<'a>(node: &'a Node, known: &[&str]) -> Result<&'a Node, Broken> {
    if !matches!(node.kind, Kind::Object(_)) {
        return refuse(node, "must be an object");
    }
    for (index, field) in node.fields().iter().enumerate() {
        let name = &field.name;
        let place = field.place;
        let mut before = node.fields().iter().take(index);
        if before.any(|before| before.name == *name) {
            let problem = format!("`{name}` stands twice");
            return Err(Broken { place, problem });
        }
        if !known.contains(&name.as_str()) {
            let known = known.join("`, `");
            let problem = format!("`{name}` is unknown; here may stand `{known}`");
            return Err(Broken { place, problem });
        }
    }
    Ok(node)
}

/// A text; a number or a flag is the text that it is written as.
pub(super) fn text(node: &Node) -> Result<String, Broken> {
    match &node.kind {
        Kind::Text(text, _) => Ok(text.clone()),
        Kind::Number(_) | Kind::Flag(_) => Ok(node.value().to_string()),
        Kind::Null | Kind::List(_) | Kind::Object(_) => refuse(node, "must be a text"),
    }
}

/// A whole number.
pub(super) fn number(node: &Node) -> Result<u64, Broken> {
    match &node.kind {
        Kind::Number(number) => match number.as_u64() {
            Some(number) => Ok(number),
            None => refuse(node, "must be a whole number, not below 0"),
        },
        Kind::Null | Kind::Flag(_) | Kind::Text(..) | Kind::List(_) | Kind::Object(_) => {
            refuse(node, "must be a whole number")
        }
    }
}

/// A status.
pub(super) fn status(node: &Node) -> Result<u16, Broken> {
    match number(node)? {
        status @ 200..=599 => Ok(u16::try_from(status).unwrap_or(200)),
        _ => refuse(node, "must be a status from 200 to 599"),
    }
}

/// True or false.
pub(super) fn flag(node: &Node) -> Result<bool, Broken> {
    match node.value() {
        Value::Bool(flag) => Ok(flag),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            refuse(node, "must be true or false")
        }
    }
}

/// One thing, or a list of them.
pub(super) fn one_or_many<T>(
    node: &Node,
    read: impl Fn(&Node) -> Result<T, Broken>,
) -> Result<Vec<T>, Broken> {
    match node.kind {
        Kind::List(_) => list(node)?.iter().map(read).collect(),
        Kind::Null | Kind::Flag(_) | Kind::Number(_) | Kind::Text(..) | Kind::Object(_) => {
            Ok(vec![read(node)?])
        }
    }
}

/// A list in which something stands.
pub(super) fn list(node: &Node) -> Result<&[Node], Broken> {
    match node.items() {
        [] => refuse(node, "must be a list in which something stands"),
        items => Ok(items),
    }
}

/// Lines of a head: `name: value`, or `name: [one, another]`.
pub(super) fn lines(node: &Node) -> Result<Vec<(String, String)>, Broken> {
    if !matches!(node.kind, Kind::Object(_)) {
        return refuse(node, "must be an object of fields");
    }
    let mut lines = Vec::new();
    for field in node.fields() {
        let name = field.name.to_ascii_lowercase();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return refuse(&field.value, format!("`{name}` is no name of a field"));
        }
        for value in one_or_many(&field.value, text)? {
            lines.push((name.clone(), value));
        }
    }
    Ok(lines)
}
