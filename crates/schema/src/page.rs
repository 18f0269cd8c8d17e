//! The description as tables of the manual's page, in the places that its prose leaves for them.

use larder_core::policy::Reason;

use crate::beyond::BEYOND;
use crate::model::{Absent, Field, Group, Kind, List, Part, Table, Unit, Whole};
use crate::tables::{rule, top};

/// The page without its tables.
const PROSE: &str = include_str!("../configuration.md");
/// What the first line of the page says to who edits it.
const NOTICE: &str = "<!-- Written by `make schema`: the prose stands in crates/schema/configuration.md, the fields in crates/schema/src/tables. -->\n";

/// The page as it is committed.
#[must_use]
pub fn page() -> String {
    let (top, rule) = (top(), rule());
    let groups: Vec<&Group> = top.groups.iter().chain(&rule.groups).collect();
    let mut page = NOTICE.to_owned();
    for line in PROSE.lines() {
        let mark = line
            .strip_prefix("<!-- ")
            .and_then(|rest| rest.strip_suffix(" -->"));
        match mark {
            None => page.push_str(line),
            Some("reasons") => page.push_str(&reasons()),
            Some("beyond") => page.push_str(&beyond()),
            Some(name) => match groups.iter().find(|group| group.mark == name) {
                Some(group) => page.push_str(&table(group)),
                None => page.push_str(line),
            },
        }
        page.push('\n');
    }
    page
}

fn reasons() -> String {
    let rows = Reason::ALL
        .iter()
        .map(|reason| format!("\n| `{}` | {} |", reason.code(), reason.description()));
    let rows: String = rows.collect();
    format!("| reason | meaning |\n|---|---|{rows}")
}

fn beyond() -> String {
    let items: Vec<String> = BEYOND
        .iter()
        .map(|beyond| format!("- {}", beyond.what))
        .collect();
    items.join(";\n") + "."
}

fn table(group: &Group) -> String {
    let mut out = "| field | value | default | what it does |\n|---|---|---|---|".to_owned();
    for field in &group.fields {
        rows(field, "", &mut out);
    }
    out
}

/// The row of a field, and of those in it, with the names that lead there.
fn rows(field: &Field, above: &str, out: &mut String) {
    let name = format!("{above}{}", field.name);
    let section = field.section.map(|anchor| format!(" [More](#{anchor})"));
    let cells = [
        format!("`{name}`"),
        value(field),
        default(field),
        field.about.to_owned() + &section.unwrap_or_default(),
    ];
    out.push_str("\n| ");
    out.push_str(&cells.join(" | "));
    out.push_str(" |");
    let below = match &field.kind {
        Kind::Object(table) => Some((table, ".")),
        // A rule has tables of its own.
        Kind::List(_) => field
            .table()
            .filter(|table| !is_apart(table))
            .map(|table| (table, "[].")),
        Kind::Any
        | Kind::Flag
        | Kind::OneOrMore(_)
        | Kind::Part(_)
        | Kind::Text(_)
        | Kind::Values
        | Kind::Whole(_)
        | Kind::Word(_) => None,
    };
    let Some((table, link)) = below else {
        return;
    };
    for field in table.fields() {
        rows(field, &[&name, link].concat(), out);
    }
}

fn is_apart(table: &Table) -> bool {
    table.groups.iter().any(|group| !group.mark.is_empty())
}

fn default(field: &Field) -> String {
    match &field.default {
        Absent::Is(value) => match (&field.kind, value.as_u64()) {
            (Kind::Whole(whole), Some(number)) if whole.unit == Unit::Bytes => bytes(number),
            (_, _) => format!("`{value}`"),
        },
        Absent::Nothing => String::new(),
        Absent::Refused => "required".to_owned(),
        Absent::Says(words) => (*words).to_owned(),
        Absent::Top => "as at the top".to_owned(),
    }
}

fn value(field: &Field) -> String {
    let value = of_kind(&field.kind);
    match field.nullable {
        true => value + " or `null`",
        false => value,
    }
}

fn of_kind(kind: &Kind) -> String {
    match kind {
        Kind::Any => "any JSON".to_owned(),
        Kind::Flag => "`true`, `false`".to_owned(),
        Kind::List(list) => self::list(list),
        Kind::Object(_) => "an object".to_owned(),
        Kind::OneOrMore(list) => format!("{}, or {}", of_kind(&list.of), self::list(list)),
        Kind::Part(part) => match part {
            Part::UpTo(most) => format!("`0` to `{most}`"),
            Part::Less => "`0` to less than 1".to_owned(),
            Part::Between => "more than 0, less than 1".to_owned(),
        },
        Kind::Text(text) => text.noun.0.to_owned(),
        Kind::Values => "fields and values".to_owned(),
        Kind::Whole(whole) => number(*whole),
        Kind::Word(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(", ")
        }
    }
}

fn list(list: &List) -> String {
    let many = match &list.of {
        Kind::Text(text) => text.noun.1.to_owned(),
        Kind::Object(_) => "objects".to_owned(),
        other @ (Kind::Any
        | Kind::Flag
        | Kind::List(_)
        | Kind::OneOrMore(_)
        | Kind::Part(_)
        | Kind::Values
        | Kind::Whole(_)
        | Kind::Word(_)) => of_kind(other),
    };
    let count = match list.least {
        0 => format!("up to {}", list.most),
        least => format!("{least} to {}", list.most),
    };
    match &list.of {
        Kind::Whole(_) => format!("a list of {count} numbers, {many}"),
        Kind::Any
        | Kind::Flag
        | Kind::List(_)
        | Kind::Object(_)
        | Kind::OneOrMore(_)
        | Kind::Part(_)
        | Kind::Text(_)
        | Kind::Values
        | Kind::Word(_) => format!("a list of {count} {many}"),
    }
}

fn number(whole: Whole) -> String {
    let shown = |number| match whole.unit {
        Unit::Bytes => bytes(number),
        Unit::Other => format!("`{number}`"),
    };
    let bounds = format!("{} to {}", shown(whole.least), shown(whole.most));
    match whole.step {
        1 => bounds,
        step => format!("{bounds}, a multiple of {step}"),
    }
}

/// A number of bytes, in the largest unit that has a whole number of it.
fn bytes(number: u64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB")];
    let found = units
        .iter()
        .find(|(unit, _)| number > 0 && number.is_multiple_of(*unit));
    match found {
        Some((unit, name)) => format!(
            "`{number}` ({} {name})",
            number.checked_div(*unit).unwrap_or(0)
        ),
        None => format!("`{number}`"),
    }
}
