//! Accept-Encoding and Accept-Language in one spelling for each meaning.
//!
//! Browsers, libraries and proxies write the same wish in many ways, and each way would be a variant of its own. RFC 9111
//! section 4.1 lets a cache match them by "normalizing both header field values in a way that is known to have identical
//! semantics, according to the header field's specification (e.g., reordering field values when order is not significant;
//! case-normalization, where values are defined to be case-insensitive)". So this changes spelling and nothing else:
//!
//! - Names are written in lower case, weights in thousandths, a weight of 1 not at all, a repetition once. `x-gzip` is `gzip`
//!   (RFC 9110 section 8.4.1.3).
//! - Codings are sorted by name, since their order says nothing. One that is refused (`br;q=0`) is left out where nothing
//!   would admit it anyway, that is without `*`; `identity` is admitted by its absence, so its refusal stays.
//! - Languages are sorted by weight; equal ones stay in their order, because some origins take it for the client's
//!   (section 12.5.4).
//!
//! Weights stay, and so do codings that nobody knows: an origin may choose by either, and what it chose for one client can
//! be the wrong thing, or even unreadable, for another. A value that does not follow the grammar has no meaning that could
//! be preserved; it is left as it is.

use std::borrow::Cow;

use super::canonical::List;
use crate::http::list::{self, Element};
use crate::sorting::sort_by;

/// What stands for a weight of 1. Weights are in thousandths.
const WHOLE: u16 = 1000;

/// A longer list is left as it is.
const MAX_ELEMENTS: usize = 64;

/// A member of the field: its name in lower case, and its weight.
type Choice<'a> = (Cow<'a, [u8]>, u16);

/// The choices a request field offers, in their one order; `None` where the field is another, is not there, or does not
/// follow its grammar. An empty list is a value too: it refuses every coding.
pub(super) fn normalized<'a>(
    name: &str,
    lines: impl Iterator<Item = &'a [u8]>,
) -> Option<Vec<Choice<'a>>> {
    match name {
        "accept-encoding" => choices(lines, coding).map(by_name),
        "accept-language" => choices(lines, language_range).map(by_weight),
        _ => None,
    }
}

/// Writes the choices as elements of a key.
pub(super) fn write(list: &mut List<'_>, choices: &[Choice<'_>]) {
    // A field without elements is written as one empty element: it is there.
    if choices.is_empty() {
        list.element(&[]);
    }
    for (name, weight) in choices {
        match *weight {
            WHOLE => list.element(&[name]),
            weight => list.element(&[name, format!(";q=0.{weight:03}").as_bytes()]),
        }
    }
}

fn choices<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    read_name: fn(&'a [u8]) -> Option<Cow<'a, [u8]>>,
) -> Option<Vec<Choice<'a>>> {
    let mut lines = lines.peekable();
    lines.peek()?;
    let mut choices: Vec<Choice<'a>> = Vec::new();
    for element in list::elements(lines) {
        let Element::Complete(bytes) = element else {
            return None;
        };
        let (name, weight) = weighted(bytes)?;
        let name = read_name(name)?;
        match choices.iter().find(|(other, _)| *other == name) {
            None if choices.len() == MAX_ELEMENTS => return None,
            None => choices.push((name, weight)),
            Some((_, other)) if *other == weight => {}
            Some(_) => return None, // two weights for one thing mean nothing in particular
        }
    }
    Some(choices)
}

fn by_name(mut codings: Vec<Choice<'_>>) -> Vec<Choice<'_>> {
    // "If the representation's content coding is one of the content codings listed in the Accept-Encoding field value, then
    // it is acceptable unless it is accompanied by a qvalue of 0" RFC 9110 section 12.5.3; what is neither listed nor
    // matched by "*" is not acceptable either, but for identity.
    let has_rest = codings.iter().any(|(name, _)| **name == *b"*");
    codings.retain(|(name, weight)| *weight > 0 || has_rest || **name == *b"identity");
    sort_by(&mut codings, Choice::cmp);
    codings
}

fn by_weight(mut languages: Vec<Choice<'_>>) -> Vec<Choice<'_>> {
    sort_by(&mut languages, |(_, one), (_, other)| other.cmp(one));
    languages
}

/// Splits `name [ OWS ";" OWS "q=" qvalue ]` (RFC 9110 section 12.4.2).
pub(crate) fn weighted(element: &[u8]) -> Option<(&[u8], u16)> {
    let mut halves = element.splitn(2, |byte| *byte == b';');
    let name = list::trim(halves.next()?);
    match halves.next() {
        None => Some((name, WHOLE)),
        Some(weight) => Some((name, thousandths(list::trim(weight))?)),
    }
}

/// Reads `"q=" ( "0" [ "." 0*3DIGIT ] / "1" [ "." 0*3("0") ] )`; the `q` has no case.
fn thousandths(weight: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', whole, fraction @ ..] = weight else {
        return None;
    };
    let digits = match fraction {
        [] => fraction,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut value = 0_u16;
    for place in 0..3 {
        let digit = match digits.get(place) {
            None => 0,
            Some(digit @ b'0'..=b'9') => digit.saturating_sub(b'0'),
            Some(_) => return None,
        };
        value = value.saturating_mul(10).saturating_add(digit.into());
    }
    match (whole, value) {
        (b'0', value) => Some(value),
        (b'1', 0) => Some(WHOLE),
        _ => None,
    }
}

fn coding(name: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_token = !name.is_empty() && name.iter().copied().all(list::is_token_byte);
    let name = is_token.then(|| lower(name))?;
    Some(match &name[..] {
        // "A recipient SHOULD consider "x-gzip" to be equivalent to "gzip"." RFC 9110 section 8.4.1.3; x-compress likewise.
        b"x-gzip" => Cow::Borrowed(b"gzip"),
        b"x-compress" => Cow::Borrowed(b"compress"),
        _ => name,
    })
}

/// `(1*8ALPHA *("-" 1*8alphanum)) / "*"` (RFC 4647 section 2.1).
fn language_range(range: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut parts = range.split(|byte| *byte == b'-');
    let is_part =
        |part: &[u8]| (1..=8).contains(&part.len()) && part.iter().all(u8::is_ascii_alphanumeric);
    let first = parts.next()?;
    let is_language = is_part(first) && first.iter().all(u8::is_ascii_alphabetic);
    let is_range = range == b"*" || is_language && parts.all(is_part);
    is_range.then(|| lower(range))
}

/// In lower case, as most are written.
fn lower(name: &[u8]) -> Cow<'_, [u8]> {
    match name.iter().any(u8::is_ascii_uppercase) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use crate::http::Headers;
    use crate::key::Key;
    use proptest::prelude::*;
    use std::cmp::Reverse;

    const ENCODING: &str = "accept-encoding";
    const LANGUAGE: &str = "accept-language";

    fn key(name: &str, lines: &[&str]) -> Key {
        let request = Headers::from_iter(lines.iter().map(|line| (name, *line)));
        let primary = Key::from_canonical(b"primary".to_vec());
        primary.variant(&[name], &request, 4096).unwrap()
    }

    #[test]
    fn spellings_of_one_meaning_share_a_variant() {
        for (name, field, one, other) in [
            (
                "order",
                ENCODING,
                "gzip, deflate, br, zstd",
                "zstd,br,deflate,gzip",
            ),
            ("case", ENCODING, "GZip;Q=0.5", "gzip;q=0.5"),
            (
                "white space",
                ENCODING,
                "gzip ;\tq=0.5 , br",
                "gzip;q=0.5,br",
            ),
            (
                "digits of a weight",
                ENCODING,
                "gzip;q=0.50, br;q=1.000",
                "gzip;q=0.5, br",
            ),
            ("an old name", ENCODING, "x-gzip, gzip", "gzip"),
            ("refused without need", ENCODING, "gzip, br;q=0", "gzip"),
            ("nothing but refusals", ENCODING, "gzip;q=0.000", ""),
            ("empty elements", ENCODING, ",, gzip,", "gzip"),
            (
                "case of a language",
                LANGUAGE,
                "de-CH, EN;q=0.5",
                "de-ch,en;q=0.5",
            ),
            (
                "languages by weight",
                LANGUAGE,
                "en;q=0.5, de, *;q=0",
                "de, en;q=0.50, *;q=0.0",
            ),
            ("a language twice", LANGUAGE, "de, en, de", "de,en"),
        ] {
            assert_eq!(key(field, &[one]), key(field, &[other]), "{name}");
        }
        assert_eq!(key(ENCODING, &["gzip", "br"]), key(ENCODING, &["br, gzip"]));
    }

    #[test]
    fn meanings_that_differ_have_variants_of_their_own() {
        #[rustfmt::skip]
        let encodings: &[&[&str]] = &[
            &[], &[""], &["gzip"], &["gzip, br"], &["gzip, br;q=0.5"], &["gzip, br;q=0.501"],
            &["gzip, identity;q=0"], &["gzip, identity"], &["gzip, *;q=0"], &["gzip, *"], &["gzip, *, br;q=0"],
            &["gzip, *;q=0.5"], &["*"], &["*;q=0"], &["identity;q=0"], &["gzip, unheard-of"],
            &["gzip;q=1.5"], &["gzip;q=0.5555"], &["gzip;q=.5"], &["gzip; level=1"], &["gzip;q=0.5;q=0.5"],
            &["gzip, gzip;q=0.5"], &["gz ip"], &["\"gzip"],
        ];
        #[rustfmt::skip]
        let languages: &[&[&str]] = &[
            &[], &["de"], &["de, en"], &["en, de"], &["de, en;q=0.9"], &["de, en;q=0"], &["de, *"], &["de-ch"],
            &["de_ch"], &["de, de;q=0.5"], &["abcdefghi"],
        ];
        for (name, cases) in [(ENCODING, encodings), (LANGUAGE, languages)] {
            for (index, one) in cases.iter().enumerate() {
                for other in cases.iter().skip(index + 1) {
                    assert_ne!(key(name, one), key(name, other), "{one:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn a_long_list_is_left_as_it_is() {
        let list = |count: u32| {
            let codings: Vec<_> = (0..count).map(|index| format!("c{index}")).collect();
            codings.join(",")
        };
        let reversed = |count: u32| {
            let codings: Vec<_> = (0..count).rev().map(|index| format!("c{index}")).collect();
            codings.join(",")
        };
        assert_eq!(key(ENCODING, &[&list(64)]), key(ENCODING, &[&reversed(64)]));
        assert_ne!(key(ENCODING, &[&list(65)]), key(ENCODING, &[&reversed(65)]));
    }

    /// The members of a value as its specification reads them, `None` where one makes no sense.
    fn members(value: &str) -> Option<Vec<(String, u32)>> {
        let pieces = value
            .split(',')
            .map(str::trim)
            .filter(|piece| !piece.is_empty());
        let read = |piece: &str| {
            let (name, weight) = piece.split_once(';').unwrap_or((piece, "q=1"));
            let number = weight.trim().to_ascii_lowercase();
            let number = number.strip_prefix("q=")?.to_owned();
            let is_proper = (number.starts_with(['0', '1']) && number.len() <= 5)
                && number.get(1..2).is_none_or(|dot| dot == ".");
            let weight: f64 = number.parse().ok().filter(|weight| *weight <= 1.0)?;
            is_proper.then(|| {
                (
                    name.trim().to_ascii_lowercase(),
                    (weight * 1000.0).round() as u32,
                )
            })
        };
        pieces.map(read).collect()
    }

    /// How much a client wants a coding: the first of its own weight, that of `*`, and what holds without either.
    fn wish(members: &[(String, u32)], coding: &str) -> Option<u32> {
        let of = |name: &str| {
            members
                .iter()
                .find(|(other, _)| other == name)
                .map(|(_, weight)| *weight)
        };
        let unlisted = if coding == "identity" { None } else { Some(0) };
        of(coding).or(of("*")).or(unlisted)
    }

    /// How a language stands among the others: by weight, then by place.
    fn rank(members: &[(String, u32)], name: &str) -> Option<(Reverse<u32>, usize)> {
        let place = members.iter().position(|(other, _)| other == name)?;
        Some((Reverse(members.get(place)?.1), place))
    }

    /// Values of few words, so that many of them mean the same.
    fn values(names: &[&'static str]) -> impl Strategy<Value = Vec<String>> {
        let name = proptest::sample::select(names.to_vec());
        let weight = proptest::sample::select(vec![
            "", "", ";q=1", ";q=1.0", "; Q=0.5", ";q=0.50", ";q=0.501", ";q=0", ";q=0.000", ";q=2",
            ";x=1",
        ]);
        let member = (name, weight).prop_map(|(name, weight)| format!("{name}{weight}"));
        let separator = proptest::sample::select(vec![",", " ,\t"]);
        let value = (proptest::collection::vec(member, 0..4), separator)
            .prop_map(|(members, separator)| members.join(separator));
        proptest::collection::vec(value, 12)
    }

    /// All pairs of values that share a key.
    fn sharing<'a>(name: &str, values: &'a [String]) -> Vec<(&'a str, &'a str)> {
        let keyed: Vec<_> = values
            .iter()
            .map(|value| (key(name, &[value]), value.as_str()))
            .collect();
        let pairs = keyed.iter().enumerate().flat_map(|(index, (key, one))| {
            let others = keyed
                .iter()
                .skip(index)
                .filter(move |(other, _)| other == key);
            others.map(move |(_, other)| (*one, *other))
        });
        pairs.filter(|(one, other)| one != other).collect()
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn codings_under_one_key_are_wished_for_alike(
            values in values(&["gzip", "GZIP", "br", "identity", "*"]),
        ) {
            for (one, other) in sharing(ENCODING, &values) {
                let (one, other) = (members(one), members(other));
                prop_assert_eq!(one.is_some(), other.is_some(), "only one of them makes sense");
                for coding in ["gzip", "br", "identity", "*", "zstd"] {
                    let wish = |value: &Option<Vec<_>>| value.as_deref().map(|value| wish(value, coding));
                    prop_assert_eq!(wish(&one), wish(&other), "{}", coding);
                }
            }
        }

        #[test]
        fn languages_under_one_key_are_ranked_alike(values in values(&["de", "en", "EN", "en-us", "*"])) {
            for (one, other) in sharing(LANGUAGE, &values) {
                let (one, other) = (members(one), members(other));
                prop_assert_eq!(one.is_some(), other.is_some(), "only one of them makes sense");
                let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
                for first in ["de", "en", "en-us", "*"] {
                    let weight = |members: &[_]| rank(members, first).map(|(weight, _)| weight);
                    prop_assert_eq!(weight(&one), weight(&other), "{}", first);
                    for second in ["de", "en", "en-us", "*"] {
                        let order = |members: &[_]| rank(members, first).cmp(&rank(members, second));
                        prop_assert_eq!(order(&one), order(&other), "{} {}", first, second);
                    }
                }
            }
        }

        #[test]
        fn any_order_of_codings_is_the_same(mut codings in proptest::collection::btree_set("[a-z]{1,5}", 0..6)
            .prop_map(Vec::from_iter), turn in 0..6_usize)
        {
            let one = codings.join(", ");
            let turn = turn.min(codings.len());
            codings.rotate_left(turn);
            prop_assert_eq!(key(ENCODING, &[&one]), key(ENCODING, &[&codings.join(",").to_uppercase()]));
        }

    }
}
