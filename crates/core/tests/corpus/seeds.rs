//! Where the corpora begin: what servers and clients really send, and what nobody should.

use larder_core::entry::encode_response;
use larder_core::http::Headers;
use larder_core::key::Key;
use larder_core::time::Timestamp;
use larder_core::wire::Frame;

use crate::stage::{Stage, get, reply, request};

/// The seeds of a reader; the name of each says nothing more than its number.
pub fn of(name: &str) -> Vec<Vec<u8>> {
    let texts: &[&str] = match name {
        "accept" => &[
            "gzip, deflate, br, zstd",
            "gzip;q=1.0, identity; q=0.5, *;q=0",
            "x-gzip, GZIP;q=1.000",
            "\naccept-language:de-DE,de;q=0.9,en;q=0.8,*;q=0.1\ncookie:a=1; b=\"x,y\"\nx:a, \"b, c\", ,",
            "gzip;q=0.5, gzip;q=0.6",
            "gzip;q=2\naccept-encoding:",
            "accept-language:i-klingon, x-toolongforalanguage",
        ],
        "authority" => &[
            "example.com",
            "EXAMPLE.com:443",
            "a:80",
            "[::1]:8080",
            "[::ffff:1.2.3.4]",
            "user@a",
            "a:b:80",
            "[::1",
            "a:",
            "",
            "\u{fc}.de",
        ],
        "content_range" => &[
            "bytes 0-1023/146515",
            "bytes 42-1233/*",
            "bytes */1234",
            "BYTES 0-0/1",
            "bytes 5-4/9",
            "bytes 0-9/9",
            "bytes 0-18446744073709551615/18446744073709551616",
            "bytes 0-4294967294/4294967296",
            "items 0-1/2",
            " bytes 00-01/02\t",
        ],
        "cookie" => &[
            "a=1; sid=\"x\"",
            "a;a=;a==;;\ncookie:sid=2\nCookie: a = 3 ",
            "=; =x;a\t=\t1",
        ],
        "date" => &[
            "1767225600\nSun, 06 Nov 1994 08:49:37 GMT",
            "1767225600\nSunday, 06-Nov-94 08:49:37 GMT",
            "1767225600\nSun Nov  6 08:49:37 1994",
            "0\nTuesday, 29-Feb-00 23:59:60 GMT",
            "99999999999\nFri, 31 Dec 9999 23:59:59 GMT",
            "4102444800\nSaturday, 29-Feb-00 00:00:00 gmt",
            "0",
            "1\nSun, 06 Nov 1994 08:49:37 +0000",
        ],
        "directives" => &[
            "public, max-age=31536000, immutable",
            "no-cache, no-store, must-revalidate, max-age=0, s-maxage=0\npragma:no-cache",
            "private=\"set-cookie, x-user\", no-cache=\"x-a\", max-age=\"60\"",
            "private=\"vary\", NO-CACHE=x, max-age=60, max-age=5",
            "max-stale, min-fresh=5, max-age=9, only-if-cached, max-stale=7",
            "stale-while-revalidate=30, stale-if-error=x, must-understand, proxy-revalidate=1",
            "foo=\"no-store, private\", max-age=18446744073709551616",
            "private=\"x\ncache-control:max-age = 60",
            "surrogate-control:content=\"ESI/1.0\", max-age=3600+600, no-store;other",
            "cdn-cache-control:max-age=60, private=?0, no-store\nmax-age=4",
            "larder-cache-control:max-age=1,\ncdn-cache-control:public;a=1, no-cache=\"a\"",
            "surrogate-control:max-age=+5, \"",
        ],
        "etag" => &[
            "\"1\"",
            "W/\"abc\"",
            "\"a,b\", W/\"c\" , \"d\\\"",
            "*",
            "\"a\"x, \"b\" \"c\", \"d\"",
            "w/\"a\"",
            "\"a b\", \"\u{e4}\"",
            "W/",
            ",,\"",
        ],
        "groups" => &[
            "\"scripts\", \"styles\"",
            "\"a\\\"b\\\\\";v=1\ncache-groups:\"c\"",
            "scripts",
            "\"a\", (\"b\")",
            "\"a\",",
        ],
        "list" => &[
            "a, b=\"c, d\", e",
            "a=\"b\\\", c\", d",
            "a\"b, no-store",
            "a, b=\"c, d\ne",
            ", ,a= \"x\",",
            "\"=\"",
            "a=\"\\",
            "a =1,b= 2,c=\"d\"e",
        ],
        "message" => &[
            ":method:GET\n:scheme:https\n:authority:api.example.com\n:path:/a?b=c\naccept:*/*",
            ":method:get\n:path:/\n:path:/\n:authority:a",
            ":status:200\ncontent-type:text/html\nset-cookie:a=1\nset-cookie:b=2",
            ":status:099\n:status:200",
            ":Status:204\n:METHOD:GET\n:method:",
        ],
        "range" => &[
            "bytes=0-499",
            "bytes=-1, 5-, 7-7",
            "BYTES = 1-2",
            "bytes=18446744073709551616-,-0",
            "bytes=5-4",
            "bytes=1-2-3",
            "items=0-1",
            "bytes=,,",
            " bytes=0-0,-1 ",
        ],
        "reference" => &[
            "/b/c/d;p?q\n../g?y#s",
            "/b/c/d;p?q\n../../../g",
            "/a\nhttps://u@h:1/x/../y",
            "/\n//g?y",
            "\nmailto:a",
            "/a%2e%2E/b?c\n./%2e",
            "x/..//\n?",
        ],
        "structured" => &[
            "max-age=60, private, a=\"b\\\"c\";d=1;e",
            "a=(1 \"b\" c;d=?0 );e, f=:aGk=:, g=@-5",
            "a=1.500, b=-999999999999999, c=%\"f%c3%bc\"",
            "*a=*t/x:y, b;c;d=1.0",
            "a=1,",
            "a=(1",
            "a=1.2345",
            "a=%\"%ff\"",
            "A=1",
            "a=1234567890123456",
            "?1, (), (a b), \"x\"",
        ],
        "variation" => &[
            "key-order\na",
            "params=(\"utm_source\" \"gclid\")\nutm_source\nid",
            "except=(\"id\"), key-order\nid\nx",
            "params=(\"%C3%A9+a\" \"\\\"\")\n\u{e9} a",
            "params",
            "params=(\"a\"), except=()",
            "except=()\n",
            "key-order=?0",
        ],
        "tags" => &[
            "a, user:7 , ,b c",
            "surrogate-key:a  user:7:profile\tb\nSurrogate-Key:c, d,",
            "xkey:,a,b,\nedge-cache-tag:\"a,b\"",
            "x-cache-tags:\u{e9}\u{0},%41",
            ",",
        ],
        "target" => &[
            "/a/b?c=d&e",
            "/%61%2f%7e",
            "/a/../b",
            "/a/%2e%2E;x",
            "/a%5cb",
            "/a;b//c%3Bd/",
            "/a%",
            "/a#b",
            "/a?b#",
            "*",
            "http://a/b",
            "/\u{e4}",
            "/a%00",
            "//",
            "/;",
        ],
        "entry" => return entries(),
        "frame" => return frames(),
        "gzip" => return deflated(),
        "wire" => &[
            r#"{"wire":1,"instance":"00112233445566ff","records":[{"seq":7,"mode":"hard","stamps":["0123456789abcdef"],"kind":"tag","value":"user:42"},{"seq":8,"mode":"soft","pattern":"/api/*"},{"seq":9,"mode":"hard","all":true}]}"#,
            r#"{"records":[{"tag":"a"},{"key":"GET:h/p","mode":"invalid"},{"prefix":"/a"},{"group":{"host":"H","name":"n"}},{"glob":"regex:*"},{"pattern":"regex:/a/\\d+"}]}"#,
            r#"{"wire":1,"cursor":"00000000000000ff.9.00000009","reset":false,"more":true,"waited_ms":3,"records":[{"id":"00000000000000ff.8.00000008","instance":"0000000000000011","seq":8,"age_ms":12,"mode":"soft","stamps":["00000000000000ab"]}],"config":{"version":2,"patch":{"default_ttl_seconds":600}}}"#,
            r#"{"cursor":"00000000000000ff.9.00000009","reset":true,"instances":{"0000000000000001":7,"x":1}}"#,
            r#"{"cursor":"00000000000000ff.2.00000002","ids":["00000000000000ff.1.00000001",null]}"#,
            r#"{"heat":[{"url":"https://h/p","digest":"01010101010101010101010101010101","count":12}],"wants":["configuration"]}"#,
            r#"{"wire":2}"#,
            r#"{"instance":"0000000000000001","records":[{"seq":1,"mode":"gentle","country":"de"},{"seq":1}]}"#,
            "0000000000000011.7.6a4418edbe147fdf",
            "[]",
        ],
        "pairs" => return blocks(),
        _ => &[],
    };
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Header maps: whole, cut, and lying about their lengths.
fn blocks() -> Vec<Vec<u8>> {
    let response = [
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("content-type", "text/html; charset=utf-8"),
        ("set-cookie", "sid=1; HttpOnly"),
        ("set-cookie", "b=2"),
        ("cache-control", "max-age=60"),
        ("x-empty", ""),
    ];
    let whole = Headers::from_iter(response).to_pairs();
    let mut many = whole.clone();
    many[0] = 0xff;
    let mut unterminated = whole.clone();
    *unterminated.last_mut().unwrap() = b'x';
    let cut = whole[..whole.len() / 2].to_vec();
    let longer = [&whole[..], b"\0"].concat();
    vec![
        whole,
        many,
        unterminated,
        cut,
        longer,
        Headers::new().to_pairs(),
        vec![0xff; 12],
        Headers::from_iter([("", "")]).to_pairs(),
    ]
}

/// Deflated bytes, and bodies to deflate: python3 -c 'import zlib; c = zlib.compressobj(wbits=-15); ...'
fn deflated() -> Vec<Vec<u8>> {
    let hex = [
        // A stored block.
        "010500faff68656c6c6f",
        // Fixed codes.
        "cb48cdc9c957c8409000",
        "030000",
        // Codes of its own.
        "e58ecb11802010435b49018e05d8cdaa88abc80282bfeaddb1023d7bccbc9749f268100b7733da24bbc72007a6b28415b29984acd8d175a2175b3fe9b51c48bde544abd2ce79c4c09b5174190fc7b148d2ae5d2b90ef4196d837df067ef6e606",
        // A distance that is too far, and a length that is a lie.
        "4b040200",
        "010500faf068656c6c6f",
    ];
    let bytes = |text: &str| -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().collect();
        let pairs = digits
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap());
        pairs
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    };
    let mut seeds: Vec<Vec<u8>> = hex.into_iter().map(bytes).collect();
    seeds.push(b"a line of a text\n".repeat(20));
    seeds.push((0..=255).collect());
    seeds
}

/// Entries on their way through a fleet.
fn frames() -> Vec<Vec<u8>> {
    let key = Key::from_canonical(b"\x01\x02\x01\0\0\0h\x03\x02\0\0\0/p".to_vec());
    let at = Timestamp::from_secs;
    let frame = |entry: Vec<u8>| Frame::encode(at(1_002), &key, (at(1_000), at(1_300)), &entry);
    let mut frames: Vec<_> = entries().into_iter().filter_map(frame).collect();
    let whole = frames[0].clone();
    frames.push(whole[..50].to_vec());
    frames.push([&whole[..], b"\0"].concat());
    frames.push([&whole[4..28], b"a key", &entries()[0][..]].concat());
    frames
}

/// Entries as exchanges leave them, and damaged ones.
fn entries() -> Vec<Vec<u8>> {
    let rules = r#"{"no_vary_search": true, "rules": [
        {"name": "kept", "match": {"path": "/kept"}, "ttl_seconds": 60},
        {"name": "guessed", "match": {"path": "/guessed"}, "heuristic": true}
    ]}"#;
    let mut stage = Stage::new(rules);
    let day = "Sun, 06 Nov 1994 08:49:37 GMT";
    let by_origin = |directives: &str| reply("body").with("cache-control", directives);
    for (path, response) in [
        ("/kept", reply("by a rule")),
        ("/guessed", reply("by a guess").with("last-modified", day)),
        (
            "/a",
            by_origin("max-age=10, stale-while-revalidate=5, stale-if-error=6"),
        ),
        ("/b", by_origin("no-cache").with("etag", "\"1\"")),
        (
            "/c",
            by_origin("s-maxage=10")
                .with("etag", "W/\"1\"")
                .with("age", "5"),
        ),
        (
            "/d",
            by_origin("max-age=10, must-revalidate").with("vary", "accept, accept-encoding"),
        ),
        ("/e", by_origin("max-age=10").status(404)),
        (
            "/s?b=1&a=2",
            by_origin("max-age=10").with("no-vary-search", "params=(\"b\"), key-order"),
        ),
        (
            "/t",
            by_origin("max-age=10")
                .with("xkey", "a user:7")
                .with("cache-tag", "a, c"),
        ),
        (
            "/f",
            reply("").status(204).with("cache-control", "max-age=10"),
        ),
    ] {
        let accepting = get(path)
            .with("accept", "text/html")
            .with("accept-encoding", "gzip, br");
        stage.exchange(accepting, response);
    }
    let long = "a line of a text\n".repeat(70);
    let zipped = || get("/z").with("accept-encoding", "gzip");
    stage.exchange(zipped(), reply(&long).with("cache-control", "max-age=10"));
    stage.exchange(zipped(), reply("?"));
    stage.compress();
    let mut compressed = Vec::new();
    stage.forge_last(|response| {
        compressed = encode_response(&response).unwrap();
        compressed.clone()
    });
    let part = by_origin("max-age=10").status(206).with("etag", "\"1\"");
    let part = part.with("content-range", "bytes 2-5/10");
    stage.exchange(get("/p").with("range", "bytes=2-5"), part);
    stage.exchange(
        request("HEAD", "/g"),
        reply("").with("cache-control", "max-age=10"),
    );
    let mut entries = stage.stored;
    entries.push(compressed);
    assert!(entries.len() > 8, "what is stored is a seed");
    let whole = entries[0].clone();
    let damaged = whole
        .iter()
        .enumerate()
        .map(|(at, byte)| if at == 9 { byte ^ 1 } else { *byte });
    let damaged: Vec<u8> = damaged.collect();
    entries.extend([
        damaged,
        whole[..20].to_vec(),
        [&whole[..], b"\0"].concat(),
        Vec::new(),
        vec![1, 2],
        vec![0xff; 40],
    ]);
    entries
}
