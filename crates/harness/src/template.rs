//! The marked values of a configuration file.
//!
//! A line that ends in `# <- NAME` has its value replaced, where a value is given for that name;
//! deeper lines below it, as of a block of text, belong to the value and go with it. The files
//! stay valid YAML as they are, so people can use them without this.

/// Where a value stands in, and the value.
pub type Value<'a> = (&'a str, String);

const MARK: &str = " # <- ";

/// Puts `values` into the marked lines of `text`. Values become quoted YAML strings unless they
/// are numbers.
///
/// # Errors
/// [`Unmarked`] for the first value that no line is marked for.
pub fn render(text: &str, values: &[Value<'_>]) -> Result<String, Unmarked> {
    let unused = values
        .iter()
        .find(|(name, _)| !text.lines().any(|line| mark(line) == Some(name)));
    if let Some((name, _)) = unused {
        return Err(Unmarked((*name).to_owned()));
    }
    let mut rendered = String::new();
    let mut replaced_at = None;
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        if replaced_at.is_some_and(|above| depth > above) {
            continue;
        }
        let found = mark(line).and_then(|name| values.iter().find(|(given, _)| *given == name));
        replaced_at = found.map(|_| depth);
        match (found, line.split_once(": ")) {
            (Some((_, value)), Some((key, _))) => {
                rendered.push_str(key);
                rendered.push_str(": ");
                rendered.push_str(&quote(value));
            }
            (Some(_), None) | (None, _) => rendered.push_str(line),
        }
        rendered.push('\n');
    }
    Ok(rendered)
}

/// The text that stands under the mark `name`, without its indentation.
#[must_use]
pub fn block(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| mark(line) != Some(name));
    let depth = |line: &str| line.len() - line.trim_start().len();
    let above = depth(lines.next()?);
    let body: Vec<&str> = lines.take_while(|line| depth(line) > above).collect();
    let indent = depth(body.first()?);
    let unindented = body
        .iter()
        .map(|line| line.get(indent..).unwrap_or_default());
    Some(unindented.fold(String::new(), |text, line| text + line + "\n"))
}

fn mark(line: &str) -> Option<&str> {
    line.split_once(MARK).map(|(_, name)| name.trim_end())
}

/// A JSON string is a YAML string, on one line whatever is in it.
fn quote(value: &str) -> String {
    if value.parse::<u64>().is_ok() {
        value.to_owned()
    } else {
        serde_json::Value::from(value).to_string()
    }
}

/// The file has no line for this value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmarked(String);

impl std::fmt::Display for Unmarked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no line is marked `# <- {}`; put the mark back", self.0)
    }
}

impl std::error::Error for Unmarked {}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "a:\n  port: 1 # <- PORT\n  b: | # <- TEXT\n    one\n      two\n  c: kept # why\n";

    #[test]
    fn marked_values_are_replaced_and_nothing_else() {
        let values = [("PORT", "80".to_owned()), ("TEXT", "x: \"y\"\n".to_owned())];
        let rendered = render(FILE, &values).unwrap();
        assert_eq!(
            rendered,
            "a:\n  port: 80\n  b: \"x: \\\"y\\\"\\n\"\n  c: kept # why\n"
        );
    }

    #[test]
    fn without_values_the_file_stays_as_it_is() {
        assert_eq!(render(FILE, &[]).unwrap(), FILE);
    }

    #[test]
    fn a_value_without_a_mark_is_an_error() {
        let unmarked = render(FILE, &[("HOST", String::new())]);
        assert_eq!(unmarked, Err(Unmarked("HOST".to_owned())));
    }

    #[test]
    fn a_marked_block_can_be_read_back() {
        assert_eq!(block(FILE, "TEXT").unwrap(), "one\n  two\n");
        assert_eq!(block(FILE, "HOST"), None);
    }
}
