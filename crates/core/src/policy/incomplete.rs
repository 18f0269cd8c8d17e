//! Parts of a representation that is not stored whole: which are kept, and which belong together (RFC 9111 sections
//! 3.3 and 3.4).
//!
//! "a 206 (Partial Content) response MAY be stored as if it were an incomplete 200 (OK) response" (section 3.3). So it is
//! judged as the 200 that it is a part of ([`super::storable`]), after it has shown here that it is one part, where that
//! belongs, and of what. Of a URL one part is kept, without gaps: what grows is the part that is there, by parts that
//! touch it.
//!
//! A part is of a representation that a strong entity tag names. A modification date may be strong too (RFC 9110 section
//! 8.8.2.2), but by a judgement about clocks; a wrong guess about an If-Range costs one client a part, a wrong guess here
//! gives everybody a body that never was. The coding has to be the same as well, since there are origins that compress
//! and leave the tag as it was.

use crate::config::SetCookie;
use crate::http::{
    ContentRange, EntityTag, Headers, Method, RangeSet, RequestHead, ResponseHead, Span, Strength,
    list,
};
use crate::policy::partial::Metadata;
use crate::policy::range::{Coverage, RangeRequest, Validators};
use crate::policy::{Reason, fields, freshening, storable};
use crate::time::Timestamp;

/// Fields of a 206 that say something about its own content and not about the representation.
const ABOUT_THE_PART: [&str; 3] = ["content-digest", "content-md5", "content-range"];

/// A part that the origin sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which part it is.
    pub range: ContentRange,
    /// The head of the 200 that it is a part of.
    pub head: ResponseHead,
    /// Whether the head is all of that head.
    pub metadata: Completeness,
}

/// Whether the fields of a 206 are those that a 200 would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// They are.
    Complete,
    /// The client knew some already, and they were left out: "A sender that generates a 206 response to a request with an
    /// If-Range header field SHOULD NOT generate other representation header fields beyond those required" RFC 9110
    /// section 15.3.7. It might be Content-Type, or Content-Encoding, without which the bytes mean nothing.
    Lacking,
}

/// What is stored already under the same key.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Its fields.
    pub headers: &'a Headers,
    /// Which part it is.
    pub range: ContentRange,
    /// What it is worth.
    pub worth: Worth,
}

/// What a stored part is worth by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It may answer requests.
    Fresh,
    /// It can only become part of something fresher.
    Stale,
}

/// What is kept of a part and of what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// The part alone.
    Part,
    /// The part, with what was known of its representation.
    PartUpdating,
    /// Both, as this part.
    Union(ContentRange),
}

/// The parts that a request asks for of the stored part's representation, where all of them lie within the stored part.
///
/// "A cache MUST NOT use an incomplete response to answer requests unless the response has been made complete, or the
/// request is partial and specifies a range wholly within the incomplete response." RFC 9111 section 3.3. A range behind
/// the end lies within nothing.
pub fn coverage(
    request: &RequestHead,
    stored: &Headers,
    range: ContentRange,
) -> Option<(Vec<Span>, Metadata)> {
    match RangeRequest::of(request)?.evaluate(200, stored, range.length(), Validators::All) {
        Coverage::Partial(spans, metadata) => {
            let mut all = spans.iter();
            let is_covered = all.all(|span| span.within(range.span()).is_some());
            is_covered.then_some((spans, metadata))
        }
        Coverage::Full | Coverage::Unsatisfiable => None,
    }
}

/// Sees what a 206 is a part of. [`Reason::PartialContent`] where it cannot be said, or where nothing would show that
/// another part belongs to it.
pub fn part(request: &RequestHead, response: &ResponseHead) -> Result<Part, Reason> {
    let headers = &response.headers;
    let range = headers
        .only("content-range")
        .and_then(ContentRange::parse)
        .filter(|_| asks_for_one_range(request) && !is_multipart(headers))
        .ok_or(Reason::PartialContent)?;
    let length = u64::try_from(range.span().len()).map_err(|_| Reason::PartialContent)?;
    let is_of_this_length =
        storable::announced_length(headers).is_none_or(|announced| announced == length);
    // All of it needs no other part, so nothing has to show what belongs to it.
    let is_named = range.is_whole() || strong_tag(headers).is_some();
    if !(is_of_this_length && is_named) {
        return Err(Reason::PartialContent);
    }
    let mut head = ResponseHead {
        status: 200,
        headers: headers.clone(),
    };
    for name in ABOUT_THE_PART {
        head.headers.remove(name);
    }
    let metadata = if request.headers().contains("if-range") {
        Completeness::Lacking
    } else {
        Completeness::Complete
    };
    Ok(Part {
        range,
        head,
        metadata,
    })
}

/// Decides what is kept; at most `limit` bytes.
pub fn judge(part: &Part, stored: Option<Stored<'_>>, limit: usize) -> Result<Keeping, Reason> {
    let is_complete = part.metadata == Completeness::Complete;
    if part.range.is_whole() && is_complete {
        return Ok(Keeping::Part);
    }
    // "A cache MAY combine these ranges into a single stored response, and reuse that response to satisfy later requests,
    // if they all share the same strong validator" RFC 9111 section 3.4.
    let Some(stored) = stored.filter(|stored| is_of_the_same(stored, part)) else {
        return if is_complete {
            Ok(Keeping::Part)
        } else {
            Err(Reason::PartialContent)
        };
    };
    let union = stored.range.span().joined(part.range.span());
    let union = union.and_then(|union| part.range.with_span(union));
    let (union, obstacle) = match union {
        Some(union) if union.span().len() <= limit => (Some(union), Reason::TooLarge),
        Some(_) => (None, Reason::TooLarge),
        None => (None, Reason::RangeGap),
    };
    if let Some(union) = union {
        return Ok(Keeping::Union(union));
    }
    // One part is kept. The larger one: otherwise whoever asks for a byte at the end would undo what others have gathered.
    let is_larger = part.range.span().len() > stored.range.span().len();
    match stored.worth {
        Worth::Fresh if !is_larger => Err(obstacle),
        Worth::Fresh | Worth::Stale => Ok(Keeping::PartUpdating),
    }
}

/// The stored head with what the part's head says, received at `received`.
///
/// "When combining the new response with one or more stored responses, a cache MUST update the stored response header
/// fields using the header fields provided in the new response, as per Section 3.2." RFC 9111 section 3.4.
pub fn updated(
    stored: Headers,
    part: &ResponseHead,
    cookies: SetCookie,
    received: Timestamp,
) -> Headers {
    let kept = fields::stored(&part.headers, cookies, received);
    freshening::replace(stored, &kept)
}

/// The entity tag, where it names one sequence of bytes.
fn strong_tag(headers: &Headers) -> Option<EntityTag<'_>> {
    let tag = headers.only("etag").and_then(EntityTag::parse)?;
    match tag.strength() {
        Strength::Strong => Some(tag),
        Strength::Weak => None,
    }
}

fn is_of_the_same(stored: &Stored<'_>, part: &Part) -> bool {
    let (ours, theirs) = (stored.headers, &part.head.headers);
    let has_same_tag = match (strong_tag(ours), strong_tag(theirs)) {
        (Some(ours), Some(theirs)) => ours.matches_strongly(&theirs),
        (None, _) | (_, None) => false,
    };
    let codings = |headers| list::elements(Headers::all(headers, "content-encoding"));
    let is_left_out = part.metadata == Completeness::Lacking && codings(theirs).next().is_none();
    let has_same_coding = codings(ours)
        .map(|coding| coding.bytes())
        .eq(codings(theirs).map(|coding| coding.bytes()));
    has_same_tag && (has_same_coding || is_left_out) && stored.range.length() == part.range.length()
}

/// "A server MUST NOT generate a multipart response to a request for a single range" RFC 9110 section 15.3.7.2; what is
/// an answer to several, or to none, is left alone.
fn asks_for_one_range(request: &RequestHead) -> bool {
    let range = request.headers().only("range").map(RangeSet::parse);
    let is_one = matches!(range, Some(Ok(set)) if set.specs().len() == 1);
    is_one && request.method() == Method::Get
}

fn is_multipart(headers: &Headers) -> bool {
    const MULTIPART: &[u8] = b"multipart/byteranges";
    let mut types = headers.all("content-type");
    types.any(|value| {
        list::trim(value)
            .get(..MULTIPART.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(MULTIPART))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample::Fields;

    const TAG: (&str, &str) = ("etag", "\"v1\"");

    fn headers(fields: Fields<'_>) -> Headers {
        fields.iter().copied().collect()
    }

    fn asking(method: &str, fields: Fields<'_>) -> RequestHead {
        let pseudo = [(":method", method), (":authority", "a"), (":path", "/")];
        RequestHead::parse(pseudo.iter().chain(fields).copied().collect()).unwrap()
    }

    fn sent(fields: Fields<'_>) -> ResponseHead {
        ResponseHead {
            status: 206,
            headers: headers(fields),
        }
    }

    fn range(text: &str) -> ContentRange {
        ContentRange::parse(format!("bytes {text}").as_bytes()).unwrap()
    }

    #[test]
    fn a_206_that_is_one_part_of_something_with_a_name() {
        let one: Fields<'_> = &[("range", "bytes=2-4")];
        let place = ("content-range", "bytes 2-4/10");
        let part_of = |method, request, response| part(&asking(method, request), &sent(response));
        #[rustfmt::skip]
        let rows: [(&str, Fields<'_>, Fields<'_>, bool); 18] = [
            ("one part", one, &[TAG, place], true),
            ("of this length", one, &[TAG, place, ("content-length", "3")], true),
            ("of another length", one, &[TAG, place, ("content-length", "4")], false),
            ("another part than asked for", one, &[TAG, ("content-range", "bytes 0-7/10")], true),
            ("a suffix", &[("range", "bytes=-5")], &[TAG, place], true),
            ("no name", one, &[place], false),
            ("a weak name", one, &[("etag", "W/\"v1\""), place], false),
            ("two names", one, &[TAG, TAG, place], false),
            ("a date for a name", one, &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"), place], false),
            ("all, without a name", one, &[("content-range", "bytes 0-9/10")], true),
            ("no place", one, &[TAG], false),
            ("two places", one, &[TAG, place, place], false),
            ("of unknown length", one, &[TAG, ("content-range", "bytes 2-4/*")], false),
            ("several ranges asked for", &[("range", "bytes=2-3,4-4")], &[TAG, place], false),
            ("no range asked for", &[], &[TAG, place], false),
            ("another unit asked for", &[("range", "lines=2-4")], &[TAG, place], false),
            ("several parts", one, &[TAG, ("content-type", "multipart/byteranges; boundary=x")], false),
            ("several parts with a place", one, &[TAG, place, ("content-type", " Multipart/ByteRanges;boundary=x")], false),
        ];
        for (name, request, response, expected) in rows {
            let found = part_of("GET", request, response);
            assert_eq!(found.is_ok(), expected, "{name}");
            assert!(
                expected || found == Err(Reason::PartialContent),
                "{name}: {found:?}"
            );
        }
        assert!(part_of("HEAD", one, &[TAG, place]).is_err());
    }

    #[test]
    fn requests_for_what_lies_within_a_part() {
        let if_range = |tag| [("range", "bytes=20-29"), ("if-range", tag)];
        #[rustfmt::skip]
        let rows: [(&str, &str, Fields<'_>, Option<usize>); 16] = [
            ("the part", "GET", &[("range", "bytes=20-59")], Some(1)),
            ("inside", "GET", &[("range", "bytes=30-39")], Some(1)),
            ("begins before", "GET", &[("range", "bytes=19-30")], None),
            ("ends behind", "GET", &[("range", "bytes=50-60")], None),
            ("to the end", "GET", &[("range", "bytes=50-")], None),
            ("a suffix", "GET", &[("range", "bytes=-50")], None),
            ("behind the end", "GET", &[("range", "bytes=100-")], None),
            ("several inside", "GET", &[("range", "bytes=20-21,50-51")], Some(2)),
            ("one of two inside", "GET", &[("range", "bytes=20-21,70-71")], None),
            ("one inside, one that does not exist", "GET", &[("range", "bytes=20-21,100-")], Some(1)),
            ("no range", "GET", &[], None),
            ("no range that counts", "GET", &[("range", "bytes=30-29")], None),
            ("HEAD", "HEAD", &[("range", "bytes=30-39")], None),
            ("of this representation", "GET", &if_range("\"v1\""), Some(1)),
            ("of another", "GET", &if_range("\"v2\""), None),
            ("of a like one", "GET", &if_range("W/\"v1\""), None),
        ];
        let stored = headers(&[TAG]);
        for (name, method, fields, expected) in rows {
            let found = coverage(&asking(method, fields), &stored, range("20-59/100"));
            assert_eq!(found.map(|(spans, _)| spans.len()), expected, "{name}");
        }
        let last = coverage(
            &asking("GET", &[("range", "bytes=-10")]),
            &stored,
            range("90-99/100"),
        );
        assert!(last.is_some(), "a suffix counts from the end of the whole");
    }

    #[test]
    fn its_head_is_that_of_the_whole() {
        let response = sent(&[
            TAG,
            ("content-type", "text/plain"),
            ("Content-Range", "bytes 2-4/10"),
            ("content-digest", "sha-256=:x:"),
            ("repr-digest", "sha-256=:y:"),
        ]);
        let asked = [("range", "bytes=2-4")];
        let found = part(&asking("GET", &asked), &response).unwrap();
        let expected = headers(&[
            TAG,
            ("content-type", "text/plain"),
            ("repr-digest", "sha-256=:y:"),
        ]);
        assert_eq!((found.head.status, found.head.headers), (200, expected));
        assert_eq!(found.range, range("2-4/10"));
        assert_eq!(found.metadata, Completeness::Complete);
        let asked = [asked[0], ("if-range", "\"v1\"")];
        let found = part(&asking("GET", &asked), &response).unwrap();
        assert_eq!(found.metadata, Completeness::Lacking);
    }

    fn judged(
        stored: Option<(Fields<'_>, &str, Worth)>,
        (fields, place, metadata): (Fields<'_>, &str, Completeness),
    ) -> Result<Keeping, Reason> {
        let part = Part {
            range: range(place),
            head: ResponseHead {
                status: 200,
                headers: headers(fields),
            },
            metadata,
        };
        let stored = stored.map(|(fields, place, worth)| (headers(fields), range(place), worth));
        let stored = stored.as_ref().map(|(headers, range, worth)| Stored {
            headers,
            range: *range,
            worth: *worth,
        });
        judge(&part, stored, 60)
    }

    #[test]
    fn parts_of_one_representation_that_touch_become_one() {
        use Completeness::{Complete, Lacking};
        use Worth::{Fresh, Stale};
        let tag: Fields<'_> = &[TAG];
        let other: Fields<'_> = &[("etag", "\"v2\"")];
        let weak: Fields<'_> = &[("etag", "W/\"v1\"")];
        let zipped: Fields<'_> = &[TAG, ("content-encoding", "gzip")];
        let all = |text| Ok(Keeping::Union(range(text)));
        let (alone, updating) = (Ok(Keeping::Part), Ok(Keeping::PartUpdating));
        #[rustfmt::skip]
        let rows = [
            ("nothing stored", None, (tag, "0-9/100", Complete), alone),
            ("nothing stored, fields left out", None, (tag, "0-9/100", Lacking), Err(Reason::PartialContent)),
            ("beside", Some((tag, "0-9/100", Fresh)), (tag, "10-19/100", Complete), all("0-19/100")),
            ("before", Some((tag, "10-19/100", Fresh)), (tag, "0-9/100", Lacking), all("0-19/100")),
            ("overlapping", Some((tag, "0-9/100", Stale)), (tag, "5-19/100", Complete), all("0-19/100")),
            ("within", Some((tag, "0-9/100", Stale)), (tag, "5-6/100", Complete), all("0-9/100")),
            ("to the end", Some((tag, "0-9/20", Fresh)), (tag, "10-19/20", Complete), all("0-19/20")),
            ("as much as fits", Some((tag, "0-9/100", Fresh)), (tag, "10-59/100", Complete), all("0-59/100")),
            ("more than fits", Some((tag, "0-9/100", Fresh)), (tag, "10-60/100", Complete), updating),
            ("more than fits, and less than there is", Some((tag, "0-50/100", Fresh)), (tag, "51-61/100", Complete), Err(Reason::TooLarge)),
            ("apart, smaller", Some((tag, "0-9/100", Fresh)), (tag, "50-58/100", Complete), Err(Reason::RangeGap)),
            ("apart, as large", Some((tag, "0-9/100", Fresh)), (tag, "50-59/100", Complete), Err(Reason::RangeGap)),
            ("apart, larger", Some((tag, "0-9/100", Fresh)), (tag, "50-60/100", Lacking), updating),
            ("apart of what is stale", Some((tag, "0-9/100", Stale)), (tag, "50-50/100", Lacking), updating),
            ("another tag", Some((tag, "0-9/100", Fresh)), (other, "10-19/100", Complete), alone),
            ("another tag, fields left out", Some((tag, "0-9/100", Fresh)), (other, "10-19/100", Lacking), Err(Reason::PartialContent)),
            ("a weak tag stored", Some((weak, "0-9/100", Fresh)), (tag, "10-19/100", Complete), alone),
            ("another length", Some((tag, "0-9/101", Fresh)), (tag, "10-19/100", Complete), alone),
            ("another coding", Some((zipped, "0-9/100", Fresh)), (tag, "10-19/100", Complete), alone),
            ("a coding left out", Some((zipped, "0-9/100", Fresh)), (tag, "10-19/100", Lacking), all("0-19/100")),
            ("a coding where there was none", Some((tag, "0-9/100", Fresh)), (zipped, "10-19/100", Lacking), Err(Reason::PartialContent)),
            ("the same coding", Some((zipped, "0-9/100", Fresh)), (zipped, "10-19/100", Complete), all("0-19/100")),
            ("all of it", Some((tag, "0-9/20", Fresh)), (weak, "0-19/20", Complete), alone),
            ("all of it, fields left out", Some((tag, "0-9/20", Fresh)), (tag, "0-19/20", Lacking), all("0-19/20")),
        ];
        for (name, stored, part, expected) in rows {
            assert_eq!(judged(stored, part), expected, "{name}");
        }
    }

    #[test]
    fn a_part_updates_what_is_known() {
        let stored = headers(&[
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("content-type", "video/mp4"),
            ("cache-control", "max-age=1"),
            ("x-kept", "1"),
        ]);
        let part = ResponseHead {
            status: 200,
            headers: headers(&[
                ("date", "Mon, 07 Nov 1994 08:49:37 GMT"),
                ("cache-control", "max-age=60"),
                ("content-length", "3"),
                ("connection", "close"),
            ]),
        };
        let expected = headers(&[
            ("content-type", "video/mp4"),
            ("x-kept", "1"),
            ("date", "Mon, 07 Nov 1994 08:49:37 GMT"),
            ("cache-control", "max-age=60"),
        ]);
        let found = updated(stored, &part, SetCookie::Bypass, Timestamp::from_secs(0));
        assert_eq!(found, expected);
    }
}
