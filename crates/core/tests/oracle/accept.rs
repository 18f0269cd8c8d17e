//! The part of a variant's key that a request field makes.

use larder_core::http::{Headers, RequestHead};
use larder_core::key::Key;
use larder_core::transform::{Wish, wish};

use super::list::split;
use super::{field_lines, is_token, trim, values};

const FIELDS: [&str; 4] = ["accept-encoding", "accept-language", "cookie", "x"];

type Choice = (Vec<u8>, u32);

/// The weight in thousandths.
fn weight(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?.to_ascii_lowercase();
    let number = text.strip_prefix("q=")?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_fraction = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{fraction:0<3}")
        .parse()
        .ok()
        .filter(|_| is_fraction)?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

fn name(field: &str, text: &[u8]) -> Option<Vec<u8>> {
    let lower = text.to_ascii_lowercase();
    if field == "accept-encoding" {
        let known = match &lower[..] {
            b"x-gzip" => b"gzip".to_vec(),
            b"x-compress" => b"compress".to_vec(),
            other => other.to_vec(),
        };
        return is_token(text).then_some(known);
    }
    let text = String::from_utf8(lower.clone()).ok()?;
    let mut parts = text.split('-');
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_alphanumeric())
    };
    let first = parts.next()?;
    let is_language =
        is_part(first) && first.bytes().all(|it| it.is_ascii_alphabetic()) && parts.all(is_part);
    (is_language || text == "*").then_some(lower)
}

/// What the lines wish for, in the order in which it is said; `None` where they do not follow the grammar.
fn choices(field: &str, lines: &[&[u8]]) -> Option<Vec<Choice>> {
    let mut choices: Vec<Choice> = Vec::new();
    for (element, ends) in lines.iter().flat_map(|line| split(line)) {
        let mut halves = element.splitn(2, |byte| *byte == b';');
        let name = name(field, &trim(halves.next()?))?;
        let weight = halves
            .next()
            .map_or(Some(1000), |text| weight(&trim(text)))?;
        match choices.iter().find(|(other, _)| *other == name) {
            Some((_, other)) if *other != weight => return None,
            Some(_) => {}
            None => choices.push((name, weight)),
        }
        if !ends || choices.len() > 64 {
            return None;
        }
    }
    Some(choices)
}

/// The one spelling of what is wished for.
fn wishes(field: &str, lines: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    if lines.is_empty() || !field.starts_with("accept-") {
        return None;
    }
    let mut choices = choices(field, lines)?;
    if field == "accept-encoding" {
        let has_rest = choices.iter().any(|(name, _)| name == b"*");
        choices.retain(|(name, weight)| has_rest || *weight > 0 || name == b"identity");
        choices.sort();
    } else {
        let by_weight = (0..=1000)
            .rev()
            .flat_map(|weight| choices.iter().filter(move |choice| choice.1 == weight));
        choices = by_weight.cloned().collect();
    }
    if choices.is_empty() {
        return Some(vec![Vec::new()]);
    }
    let spelling = |(name, weight): Choice| match weight {
        1000 => name,
        _ => [&name[..], format!(";q=0.{weight:03}").as_bytes()].concat(),
    };
    Some(choices.into_iter().map(spelling).collect())
}

/// The elements of a line, empty ones too, or the line where its commas separate nothing.
fn elements(field: &str, line: &[u8]) -> Vec<Vec<u8>> {
    let (mut words, mut in_string) = (vec![Vec::new()], false);
    let mut bytes = line.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b',' && !in_string {
            words.push(Vec::new());
            continue;
        }
        let word = words.last_mut().unwrap();
        word.push(*byte);
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => word.extend(bytes.next()),
            _ => {}
        }
    }
    if in_string || field == "cookie" {
        return vec![trim(line)];
    }
    words.iter().map(|word| trim(word)).collect()
}

/// Whether gzip is wished for no less than no coding at all.
fn wishes_for_gzip(choices: &[Choice]) -> bool {
    let weight = |name: &[u8]| choices.iter().find(|it| it.0 == name).map(|it| it.1);
    let of = |name| weight(name).or(weight(b"*")).unwrap_or(0);
    of(b"gzip") > 0 && of(b"gzip") >= of(b"identity")
}

fn check_wish(lines: &[&[u8]]) {
    let pseudo = [(":method", "GET"), (":authority", "a"), (":path", "/")];
    let mut headers = Headers::from_iter(pseudo);
    lines
        .iter()
        .for_each(|line| headers.push("accept-encoding", line));
    let found = wish(&RequestHead::parse(headers).unwrap());
    let elements = lines.iter().flat_map(|line| split(line)).count();
    match choices("accept-encoding", lines) {
        Some(choices) if elements <= 64 => {
            assert_eq!(
                found == Wish::Gzip,
                wishes_for_gzip(&choices),
                "{choices:?}"
            );
        }
        Some(_) | None => {} // two weights for what nobody asks about are one reader's nonsense and not the other's
    }
}

pub(super) fn check(data: &[u8]) {
    let lines = field_lines(data, "accept-encoding");
    check_wish(&values(&lines, "accept-encoding"));
    let request = Headers::from_iter(lines.clone());
    let primary = Key::from_canonical(b"primary".to_vec());
    for field in FIELDS {
        let values = values(&lines, field);
        let parts = wishes(field, &values).unwrap_or_else(|| {
            values
                .iter()
                .flat_map(|line| elements(field, line))
                .collect()
        });
        let counted = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat();
        let list: Vec<u8> = std::iter::once(field.as_bytes().to_vec())
            .chain(parts)
            .flat_map(|part| counted(&part))
            .collect();
        let expected = [b"primary\x0b", &counted(&list)[..]].concat();
        let found = primary.variant(&[field.to_ascii_uppercase()], &request, 1 << 20);
        assert_eq!(found.unwrap().canonical(), expected, "{field}");
    }
}
