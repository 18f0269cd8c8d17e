//! What CI systems show: the XML of JUnit.

use std::fmt::Write;

use super::{Case, Miss};

/// A report of files and their cases.
pub(crate) fn junit<'a>(files: impl Iterator<Item = (&'a str, &'a [(Case, Vec<Miss>)])>) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for (file, cases) in files {
        suite(&mut xml, file, cases);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(xml: &mut String, file: &str, cases: &[(Case, Vec<Miss>)]) {
    let failed = cases
        .iter()
        .filter(|(_, misses)| !misses.is_empty())
        .count();
    let name = escaped(file);
    let tests = cases.len();
    // A text takes all that is written.
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\">"
    );
    for (case, misses) in cases {
        let title = escaped(&case.name);
        let head = format!(
            "    <testcase classname=\"{name}\" name=\"{title}\" file=\"{name}\" line=\"{}\"",
            case.place.line
        );
        if misses.is_empty() {
            let _ = writeln!(xml, "{head}/>");
            continue;
        }
        let said: Vec<_> = misses.iter().map(|miss| miss.line(file)).collect();
        let first = said.first().map(String::as_str).unwrap_or_default();
        let (first, all) = (escaped(first), escaped(&said.join("\n")));
        let _ = writeln!(
            xml,
            "{head}>\n      <failure message=\"{first}\">{all}</failure>\n    </testcase>"
        );
    }
    xml.push_str("  </testsuite>\n");
}

impl Miss {
    /// For people and editors.
    pub(crate) fn line(&self, file: &str) -> String {
        let Self {
            place,
            step,
            subject,
            expected,
            got,
        } = self;
        let (line, column) = (place.line, place.column);
        format!("{file}:{line}:{column}: step {step}: {subject}: expected {expected}, got {got}")
    }
}

/// XML 1.0 has no other control characters than these, however they are written.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\u{FFFE}' | '\u{FFFF}' => escaped.push('?'),
            letter if letter.is_control() && letter != '\t' => escaped.push('?'),
            letter => escaped.push(letter),
        }
    }
    escaped
}
