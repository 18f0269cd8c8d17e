//! What a range request gets of a stored response (RFC 9110 sections 13.1.5 and 14.2).
//!
//! "A server MAY ignore the Range header field. However, origin servers and intermediate caches ought to support byte
//! ranges when possible" (section 14.2). Possible it is where the whole representation is stored, under a 200, and where
//! the part is that is asked for ([`super::incomplete`]). What cannot be understood, is about another unit, or looks like an attack is ignored: the client gets the whole, which
//! it has to be prepared for.
//!
//! Two limits stand against abuse (section 17.15). More than [`MAX_RANGES`](crate::http::MAX_RANGES) ranges are not
//! read, and more than one overlap is not served, so no byte is asked for again and again. That many small parts are
//! not larger together than the whole is seen to where they are put together ([`crate::exchange`]).
//!
//! Ranges that overlap once or touch become one. Preconditions come first ([`super::validation`]); a range that nothing
//! stored can answer goes to the origin as it came.

use super::Reason;
use super::partial::Metadata;
use crate::http::{EntityTag, Headers, Method, RangeSet, RequestHead, Span};
use crate::sorting::sort_by;
use crate::time::{Seconds, parse_http_date};

/// How much later than Last-Modified the Date of a stored response has to be for the modification date to be a strong
/// validator: "at least one second after the Last-Modified value", and "enough difference between the Last-Modified and
/// Date values to make clock synchronization issues unlikely" (RFC 9110 section 8.8.2.2). A minute is what RFC 7232
/// section 2.2.2 asked for; the clocks may differ, since a missing Date is ours.
const CLOCKS_APART: Seconds = Seconds::clamped(60);

/// A request for parts of a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeRequest<'a> {
    /// The value of Range.
    range: &'a [u8],
    /// The value of If-Range.
    condition: Option<&'a [u8]>,
}

/// What a range request gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The response as if no range were asked for.
    Full,
    /// 206 with these parts: at least one, none beside or over another, in the order in which they were asked for.
    Partial(Vec<Span>, Metadata),
    /// 416: none of what is asked for exists.
    Unsatisfiable,
}

impl<'a> RangeRequest<'a> {
    /// The ranges that a request asks for; `None` where it asks for none that count. Allocates nothing.
    pub fn of(head: &'a RequestHead) -> Option<Self> {
        // "A server MUST ignore a Range header field received with a request method that is unrecognized or for which
        // range handling is not defined. For this specification, GET is the only method for which range handling is
        // defined." RFC 9110 section 14.2.
        if head.method() != Method::Get {
            return None;
        }
        let range = head.headers().only("range")?;
        let condition = match head.headers().first("if-range") {
            None => None,
            // Two are no validator, and what is none cannot match.
            Some(_) => Some(head.headers().only("if-range")?),
        };
        Some(Self { range, condition })
    }

    /// Judges it for a stored response whose body has `length` bytes. Preconditions have been judged before: "The Range
    /// header field is evaluated after evaluating the precondition header fields defined in Section 13.1, and only if the
    /// result in absence of the Range header field would be a 200 (OK) response." RFC 9110 section 14.2.
    pub fn evaluate(
        &self,
        status: u16,
        stored: &Headers,
        length: usize,
        validators: Validators,
    ) -> Coverage {
        // "A server that supports range requests MAY ignore a Range header field when the selected representation has no
        // content" RFC 9110 section 14.2; no Content-Range could say what a part of it is.
        if status != 200 || length == 0 {
            return Coverage::Full;
        }
        let Ok(set) = RangeSet::parse(self.range) else {
            return Coverage::Full;
        };
        let metadata = match self.condition {
            None => Metadata::All,
            Some(validator) if is_current(validator, stored, validators) => Metadata::Required,
            // "A recipient of an If-Range header field MUST ignore the Range header field if the If-Range condition
            // evaluates as false." RFC 9110 section 13.1.5.
            Some(_) => return Coverage::Full,
        };
        let satisfiable = set.specs().iter().filter_map(|spec| spec.within(length));
        match coalesced(satisfiable.collect()) {
            None => Coverage::Full,
            // "A valid ranges-specifier is "satisfiable" if it contains at least one range-spec that is satisfiable" RFC
            // 9110 section 14.1.1.
            Some(spans) if spans.is_empty() => Coverage::Unsatisfiable,
            Some(spans) => Coverage::Partial(spans, metadata),
        }
    }
}

/// What tells whether parts are of one representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validators {
    /// Entity tags, and dates that are strong.
    All,
    /// Entity tags alone: another representation has the same date.
    Tags,
}

/// Whether the answer to a request that was forwarded may be stored, as far as a Range in it matters: an error may be
/// about the range (416, or 400 for one that makes no sense), which is no part of the key, so it is not kept for others.
/// A 200 is the whole, and [`super::incomplete`] knows a 206.
pub fn judge_answer(head: &RequestHead, status: u16) -> Result<(), Reason> {
    if status >= 400 && head.headers().contains("range") {
        return Err(Reason::Range);
    }
    Ok(())
}

/// Whether the client's parts are of the stored representation (RFC 9110 section 13.1.5).
fn is_current(validator: &[u8], stored: &Headers, validators: Validators) -> bool {
    // "If the entity-tag validator provided exactly matches the ETag field value for the selected representation using
    // the strong comparison function (Section 8.8.3.2), the condition is true."
    if let Some(tag) = EntityTag::parse(validator) {
        let own = stored.only("etag").and_then(EntityTag::parse);
        return own.is_some_and(|own| tag.matches_strongly(&own));
    }
    match validators {
        Validators::All => {}
        Validators::Tags => return false,
    }
    // "If the HTTP-date validator provided is not a strong validator in the sense defined by Section 8.8.2.2, the
    // condition is false. If the HTTP-date validator provided exactly matches the Last-Modified field value for the
    // selected representation, the condition is true."
    let date = |name| stored.only(name).and_then(parse_http_date);
    match (
        parse_http_date(validator),
        date("last-modified"),
        date("date"),
    ) {
        (Some(given), Some(modified), Some(made)) => {
            given == modified && made.since(modified) >= CLOCKS_APART
        }
        (None, _, _) | (_, None, _) | (_, _, None) => false,
    }
}

/// The ranges, those that overlap or touch made one, each where the first of its kind was asked for. `None` for "more
/// than two overlapping ranges", which RFC 9110 section 14.2 takes for "indications of either a broken client or a
/// deliberate denial-of-service attack".
///
/// "a server MAY coalesce any of the ranges that overlap, or that are separated by a gap that is smaller than the
/// overhead of sending multiple parts" RFC 9110 section 15.3.7.2. Gaps are left: nobody gets what nobody asked for.
fn coalesced(spans: Vec<Span>) -> Option<Vec<Span>> {
    let mut sorted: Vec<(Span, usize)> = spans.into_iter().zip(0..).collect();
    sort_by(&mut sorted, Ord::cmp);
    let mut apart: Vec<(Span, usize)> = Vec::with_capacity(sorted.len());
    let mut overlaps = 0_usize;
    for (span, place) in sorted {
        let last = apart.last_mut();
        overlaps = overlaps.saturating_add(usize::from(
            last.as_ref().is_some_and(|(last, _)| last.overlaps(span)),
        ));
        match last {
            Some((last, first_place)) if last.joined(span).is_some() => {
                *last = last.joined(span)?;
                *first_place = place.min(*first_place);
            }
            Some(_) | None => apart.push((span, place)),
        }
    }
    // "A server that generates a multipart response SHOULD send the parts in the same order that the corresponding
    // range-spec appeared in the received Range header field" RFC 9110 section 15.3.7.2.
    sort_by(&mut apart, |(_, one), (_, other)| one.cmp(other));
    (overlaps <= 1).then(|| apart.into_iter().map(|(span, _)| span).collect())
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test may fail"
)]
mod tests {
    use super::*;
    use crate::policy::sample::Fields;
    use proptest::prelude::*;

    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const A_MINUTE_LATER: &str = "Sun, 06 Nov 1994 08:50:37 GMT";
    const JUST_LESS: &str = "Sun, 06 Nov 1994 08:50:36 GMT";

    fn request(method: &str, fields: Fields<'_>) -> RequestHead {
        let pseudo = [(":method", method), (":authority", "a"), (":path", "/")];
        RequestHead::parse(pseudo.iter().chain(fields).copied().collect()).unwrap()
    }

    fn evaluate(fields: Fields<'_>, stored: Fields<'_>, length: usize) -> Coverage {
        let head = request("GET", fields);
        let stored = stored.iter().copied().collect();
        RangeRequest::of(&head).map_or(Coverage::Full, |asked| {
            asked.evaluate(200, &stored, length, Validators::All)
        })
    }

    /// The parts, as they stand in Content-Range.
    fn parts(coverage: &Coverage) -> String {
        match coverage {
            Coverage::Full => "full".to_owned(),
            Coverage::Partial(spans, _) => {
                let text = spans
                    .iter()
                    .map(|span| format!("{}-{}", span.first(), span.last()));
                text.collect::<Vec<_>>().join(" ")
            }
            Coverage::Unsatisfiable => "none".to_owned(),
        }
    }

    #[test]
    fn what_is_asked_for_of_ten_thousand_bytes() {
        #[rustfmt::skip]
        let rows = [
            ("a range", "bytes=0-499", "0-499"),
            ("open-ended", "bytes=9500-", "9500-9999"),
            ("a suffix", "bytes=-500", "9500-9999"),
            ("the first and the last byte", "bytes=0-0,-1", "0-0 9999-9999"),
            ("in another order", "bytes=-1,0-0", "9999-9999 0-0"),
            ("side by side", "bytes=500-600,601-999", "500-999"),
            ("overlapping", "bytes=500-700,601-999", "500-999"),
            ("side by side, many", "bytes=0-1,2-3,4-5,6-7", "0-7"),
            ("three that overlap", "bytes=0-9,5-14,10-19", "full"),
            ("the same three times", "bytes=0-9,0-9,0-9", "full"),
            ("two pairs that overlap", "bytes=0-5,3-9,20-25,23-29", "full"),
            ("joined where the first stands", "bytes=50-59,0-9,60-69", "50-69 0-9"),
            ("one that exists", "bytes=20000-,5-6", "5-6"),
            ("none that exists", "bytes=10000-", "none"),
            ("none of two", "bytes=10000-,-0", "none"),
            ("all of it", "bytes=0-", "0-9999"),
            ("no ranges", "bytes=", "full"),
            ("another unit", "lines=0-1", "full"),
        ];
        for (name, range, expected) in rows {
            let found = evaluate(&[("Range", range)], &[], 10_000);
            assert_eq!(parts(&found), expected, "{name}");
        }
    }

    #[test]
    fn where_ranges_do_not_count() {
        let range = ("range", "bytes=0-0");
        for method in ["HEAD", "POST", "get"] {
            assert_eq!(
                RangeRequest::of(&request(method, &[range])),
                None,
                "{method}"
            );
        }
        let get = |fields: Fields<'_>| RangeRequest::of(&request("GET", fields)).is_some();
        assert!(get(&[range]));
        assert!(!get(&[]));
        assert!(!get(&[("if-range", "\"a\"")]));
        assert!(!get(&[range, range]));
        assert!(!get(&[range, ("if-range", "\"a\""), ("if-range", "\"a\"")]));

        let head = request("GET", &[range]);
        let asked = RangeRequest::of(&head).unwrap();
        for status in [203, 204, 206, 301, 404, 500] {
            assert_eq!(
                asked.evaluate(status, &Headers::new(), 10, Validators::All),
                Coverage::Full,
                "{status}"
            );
        }
        assert_eq!(
            asked.evaluate(200, &Headers::new(), 0, Validators::All),
            Coverage::Full
        );
    }

    #[test]
    fn if_range_is_a_strong_comparison() {
        let tagged: Fields<'_> = &[
            ("etag", "\"a\""),
            ("last-modified", THEN),
            ("date", A_MINUTE_LATER),
        ];
        #[rustfmt::skip]
        let rows: [(&str, &str, Fields<'_>, &str); 15] = [
            ("the same tag", "\"a\"", tagged, "0-0"),
            ("another tag", "\"b\"", tagged, "full"),
            ("a weak tag", "W/\"a\"", tagged, "full"),
            ("of a weak tag", "\"a\"", &[("etag", "W/\"a\"")], "full"),
            ("both weak", "W/\"a\"", &[("etag", "W/\"a\"")], "full"),
            ("no tag stored", "\"a\"", &[], "full"),
            ("two tags stored", "\"a\"", &[("etag", "\"a\""), ("etag", "\"a\"")], "full"),
            ("the same date", THEN, tagged, "0-0"),
            ("in another form", "Sunday, 06-Nov-94 08:49:37 GMT", tagged, "0-0"),
            ("a later date", A_MINUTE_LATER, tagged, "full"),
            ("an earlier date", "Sun, 06 Nov 1994 08:49:36 GMT", tagged, "full"),
            ("a weak date", THEN, &[("last-modified", THEN), ("date", JUST_LESS)], "full"),
            ("modified in the future", A_MINUTE_LATER, &[("last-modified", A_MINUTE_LATER), ("date", THEN)], "full"),
            ("no date stored", THEN, &[("date", A_MINUTE_LATER)], "full"),
            ("neither tag nor date", "a", tagged, "full"),
        ];
        for (name, validator, stored, expected) in rows {
            let fields = [("range", "bytes=0-0"), ("If-Range", validator)];
            assert_eq!(parts(&evaluate(&fields, stored, 10)), expected, "{name}");
        }
        let fields = [("range", "bytes=0-0"), ("if-range", "\"a\"")];
        let found = evaluate(&fields, tagged, 10);
        assert!(matches!(found, Coverage::Partial(_, Metadata::Required)));
        let found = evaluate(&fields[..1], tagged, 10);
        assert!(matches!(found, Coverage::Partial(_, Metadata::All)));
        let beyond = [("range", "bytes=10-"), ("if-range", "\"a\"")];
        assert_eq!(evaluate(&beyond, tagged, 10), Coverage::Unsatisfiable);
    }

    #[test]
    fn an_error_that_may_be_about_a_range_is_for_nobody_else() {
        let ranged = request("GET", &[("Range", "bytes=9-")]);
        for status in [400, 416, 503] {
            assert_eq!(
                judge_answer(&ranged, status),
                Err(Reason::Range),
                "{status}"
            );
            assert_eq!(
                judge_answer(&request("GET", &[]), status),
                Ok(()),
                "{status}"
            );
        }
        assert_eq!(judge_answer(&ranged, 200), Ok(()));
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn parts_are_what_was_asked_for_and_stand_apart(
            asked in proptest::collection::vec((0..60_usize, 0..20_usize), 1..8),
            length in 1..70_usize,
        ) {
            let text: Vec<String> = asked.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
            let range = format!("bytes={}", text.join(","));
            let wanted: Vec<bool> = (0..length)
                .map(|at| asked.iter().any(|(first, more)| (*first..=first + more).contains(&at)))
                .collect();
            let mut given = vec![false; length];
            match evaluate(&[("range", &range)], &[], length) {
                Coverage::Partial(spans, _) => {
                    for (index, span) in spans.iter().enumerate() {
                        prop_assert!(span.last() < length);
                        given[span.first()..=span.last()].fill(true);
                        prop_assert!(spans[..index].iter().all(|other| other.joined(*span).is_none()));
                    }
                    prop_assert_eq!(given, wanted);
                }
                Coverage::Unsatisfiable => prop_assert_eq!(given, wanted),
                Coverage::Full => {
                    let most = (0..length).any(|at| {
                        asked.iter().filter(|(first, more)| (*first..=first + more).contains(&at)).count() > 1
                    });
                    prop_assert!(most, "ignored without an overlap");
                }
            }
        }

        #[test]
        fn any_fields_are_judged(
            range in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                "bytes=[0-9,\\-]{0,40}".prop_map(String::into_bytes),
            ],
            validator in proptest::collection::vec(any::<u8>(), 0..40),
            status in 100..600_u16,
            length in any::<usize>(),
        ) {
            let asked = RangeRequest { range: &range, condition: Some(&validator) };
            let stored = Headers::from_iter([("etag", &validator), ("last-modified", &validator), ("date", &range)]);
            if let Coverage::Partial(spans, _) = asked.evaluate(status, &stored, length, Validators::All) {
                prop_assert!(spans.iter().all(|span| span.last() < length));
            }
        }
    }
}
