//! What holds for every input: each reader finds what a naive one finds, whatever the bytes.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that cannot go on should stop"
)]

mod oracle;

use proptest::prelude::*;

/// As many cases as find what happens once in a few thousand.
const CASES: u32 = 10_000;

/// Bytes of a reader's own words, in any order, with any others between them.
fn soup(words: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        12 => proptest::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..3),
        1 => proptest::sample::select(b" \t\n\r,;:=\"\\\0%/-".to_vec()).prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(word, 0..most).prop_map(|words| words.concat())
}

const WIRE: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"records\":[{",
    "}]",
    "\"cursor\":\"00000000000000ff.9.00000009\"",
    "\"id\":\"00000000000000ff.8.00000008\"",
    "\"instance\":\"0000000000000011\"",
    "\"seq\":1",
    "\"seq\":2",
    "\"mode\":\"soft\"",
    "\"mode\":\"hard\"",
    "\"all\":true",
    "\"stamps\":[\"00000000000000ab\"]",
    "\"pattern\":\"/a*\"",
    "\"prefix\":\"/a\"",
    "\"glob\":\"regex:\"",
    "\"tag\":\"a\"",
    "\"kind\":\"k\",\"value\":\"v\"",
    "\"reset\":true",
    "\"more\":true",
    "\"age_ms\":5",
    "\"ids\":[null]",
    "\"config\":{\"version\":1,\"patch\":{\"a\":0.5}}",
    "null",
    "1e99",
];

const DIRECTIVES: &[&str] = &[
    "max-age",
    "s-maxage",
    "max-stale",
    "min-fresh",
    "no-cache",
    "no-store",
    "private",
    "public",
    "must-revalidate",
    "proxy-revalidate",
    "must-understand",
    "only-if-cached",
    "stale-while-revalidate",
    "stale-if-error",
    "No-Store",
    "=60",
    "=0",
    "=60+9",
    "=\"60\"",
    "=\"set-cookie, x-a\"",
    "=\"vary\"",
    "=\"\"",
    "=?0",
    "=?1",
    "=x-b",
    "=-1",
    "=\"",
    ", ",
    ",",
    ",",
    "; ",
    "content=\"ESI/1.0\"",
    ";name",
    "\n",
    "\ncdn-cache-control:",
    "\nLarder-Cache-Control:",
    "\nsurrogate-control:",
    "\npragma:",
    "\nx:",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn spellings_of_a_wish(data in soup(&[
        "gzip", "br", "x-gzip", "GZIP", "identity", "*", "de", "en-US", "de-1-", ";q=0.5", "; Q=1.0", ";q=0", ";q=0.5001", ";q=1.1",
        ", ", ",", ",", "\n", "\naccept-language:", "\nAccept-Encoding:", "\ncookie:", "\nx:", "\"a, b\"", "\\",
    ], 14)) {
        oracle::named("accept")(&data);
    }

    #[test]
    fn authorities(data in soup(&["a", "example.com", "A-z_~.", ":", ":80", ":443", "[", "]", "::1", "[::1]", "@", "%41"], 5)) {
        oracle::named("authority")(&data);
    }

    #[test]
    fn cookie_pairs(data in soup(&["a", "a=1", "sid", "=", ";", "; ", "=\"x;y\"", "\ncookie:", "\nCookie:", "\nx:"], 12)) {
        oracle::named("cookie")(&data);
    }

    #[test]
    fn dates(data in prop_oneof![
        soup(&["Sun", ", ", "Sunday", "06", " ", "Nov", "6", "-", "94", "1994", "08:49:37", " GMT", "GMT", "29-Feb-00", ":60", "1000000000\n"], 12),
        "([0-9]{1,11}\n)?(sun|Mon), [0-3][0-9] (Feb|nov|Xxx) [0-9]{4} [0-2][0-9]:[0-6][0-9]:[0-6][0-9] (GMT|UTC)".prop_map(String::into_bytes),
        "([0-9]{1,11}\n)?(sunday|Monday), [0-3][0-9]-(Feb|nov)-[0-9]{2} [0-2][0-9]:[0-6][0-9]:[0-6][0-9] gmt".prop_map(String::into_bytes),
        "(sun|Mon) (Feb|dec) [ 0-3][0-9] [0-2][0-9]:[0-6][0-9]:[0-6][0-9] [0-9]{4}".prop_map(String::into_bytes),
    ]) {
        oracle::named("date")(&data);
    }

    #[test]
    fn cache_directives(data in soup(DIRECTIVES, 16)) {
        oracle::named("directives")(&data);
    }

    #[test]
    fn entries(data in proptest::collection::vec(prop_oneof![2 => Just(0u8), 2 => 0..5u8, 1 => any::<u8>()], 0..140)) {
        oracle::named("entry")(&data);
    }

    #[test]
    fn frames(data in proptest::collection::vec(prop_oneof![2 => Just(0u8), 2 => 0..5u8, 1 => any::<u8>()], 0..170)) {
        oracle::named("frame")(&data);
    }

    #[test]
    fn what_is_said_in_a_fleet(data in soup(WIRE, 30)) {
        oracle::named("wire")(&data);
        oracle::named("wire")(&[b"{", &data[..], b"}"].concat());
    }

    #[test]
    fn gzip_members(data in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        (0..8u8, proptest::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(block, rest)| [&[block], &rest[..]].concat()),
    ]) {
        oracle::named("gzip")(&data);
    }

    #[test]
    fn entity_tags(data in soup(&["\"", "\"a\"", "W/", "W/\"b\"", ",", ", ", "*", "\\", "a", "w/", " "], 12)) {
        oracle::named("etag")(&data);
    }

    #[test]
    fn lists(data in soup(&["a", "b=1", "=", "\"", "\"x, y\"", "\\", "\\\"", ",", ", ", ";", " ", "\n"], 16)) {
        oracle::named("list")(&data);
    }

    #[test]
    fn heads(data in soup(&[
        ":method:GET", ":method:get", ":method:", ":scheme:HTTPS", ":authority:a", ":path:/", ":Path:/", ":status:200", ":status:099",
        ":Status:204", ":status:+20", "x:1", "\n", "\n", "\n", "\n",
    ], 14)) {
        oracle::named("message")(&data);
    }

    #[test]
    fn header_maps(data in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        (0..3u8, proptest::collection::vec(prop_oneof![3 => Just(0u8), 1 => 1..4u8], 0..40))
            .prop_map(|(count, rest)| [&[count, 0, 0, 0], &rest[..]].concat()),
        proptest::collection::vec(("[a-z]{0,3}", "[ -~]{0,4}"), 0..4)
            .prop_map(|lines| larder_core::http::Headers::from_iter(lines).to_pairs()),
    ]) {
        oracle::named("pairs")(&data);
    }

    #[test]
    fn ranges(data in prop_oneof![
        soup(&["bytes", "=", "bytes=", "BYTES=", "0", "1-", "-5", "2-7", "9-3", ",", ", ", "18446744073709551616", "items="], 10),
        "bytes=([0-9]{0,3}-[0-9]{0,3},[ ]?){1,5}".prop_map(String::into_bytes),
        "bytes=([0-9]-,){60,70}x?".prop_map(String::into_bytes),
    ]) {
        oracle::named("range")(&data);
    }

    #[test]
    fn structured_fields(data in soup(&[
        "a", "max-age", "*b", "=", "=", "1", "-1", "60", "1.5", "123456789012345", "6", "\"x, y\"", "\"", "\\", "?1", "?0", ":aGk=:",
        ":", "@1", ";", ";a=1", "(", ")", "(1 2)", " ", "\t", ",", ", ", "A", "%\"%c3%a4\"", "%", "-", ".",
    ], 10)) {
        oracle::named("structured")(&data);
    }

    #[test]
    fn parts_of_a_length(data in prop_oneof![
        soup(&["bytes", "bytes ", "BYTES ", " ", "0", "7-", "-9", "/10", "/*", "*", "4294967295", "4294967296", "items "], 8),
        "bytes [0-9]{1,2}-[0-9]{1,2}/[0-9]{1,2}".prop_map(String::into_bytes),
    ]) {
        oracle::named("content_range")(&data);
    }

    #[test]
    fn cache_groups(data in prop_oneof![
        soup(&["\"a\"", "\"b c\"", "\"", "\\", "\\\"", ";v=1", ", ", ",", "a", "(", ")", "\ncache-groups:", "\nCache-Groups:", "\nx:"], 10),
        "(\"[a-z]\", ){60,70}\"z\"".prop_map(String::into_bytes),
        "\"[a-z]{250,260}\"".prop_map(String::into_bytes),
    ]) {
        oracle::named("groups")(&data);
    }

    #[test]
    fn references(data in soup(&["/", "/", "a", "b;c", ".", "..", "?", "q=1", "#", ":", "//", "http:", "HTTPS://", "h:1", "%2e", "\n"], 14)) {
        oracle::named("reference")(&data);
    }

    #[test]
    fn url_variations(data in soup(&[
        "key-order", "params", "except", "=", "=(", ")", "\"a\"", "\"b+c\"", "\"%C3%A9\"", "\"%ff\"", " ", ", ", ",", "?0", "?1", ";v",
        "\n", "\na", "\nb c", "\n\u{e9}",
    ], 12)) {
        oracle::named("variation")(&data);
    }

    #[test]
    fn targets(data in soup(&["/", "/", "a", ".", "..", "%2e", "%2F", "%2f", "%5C", ";", "%3b", "?", "%", "%00", "%7F", "%7e", "//", "#", "é"], 12)
        .prop_map(|rest| [b"/", &rest[..]].concat()))
    {
        oracle::named("target")(&data);
        oracle::named("target")(&data[1..]);
    }

    #[test]
    fn any_bytes_for_every_reader(data in proptest::collection::vec(any::<u8>(), 0..60)) {
        for (_, check) in oracle::CHECKS {
            check(&data);
        }
    }
}
