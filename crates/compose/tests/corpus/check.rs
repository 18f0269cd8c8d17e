//! What has to be true of any template: it comes in one chunk or byte by byte, and is the same page, within its bounds.

use std::rc::Rc;

use larder_compose::{Composed, Failure, Language, Number, Page, Part};
use larder_core::config::Composition;
use larder_core::http::Headers;

const BOUNDS: Composition = Composition {
    max_depth: 3,
    max_fragments: 8,
    max_bytes: 4096,
    timeout_ms: 0,
};

/// Makes a page of bytes: the first says which language, the others are the template. What is asked for by an even number of bytes is
/// there, and is the same template where that can be divided by four.
pub(crate) fn page(data: &[u8]) {
    let Some((first, template)) = data.split_first() else {
        return;
    };
    let language = match first % 2 {
        0 => Language::Esi,
        _ => Language::Json,
    };
    let whole = make(language, template, template.len().max(1));
    let single = make(language, template, 1);
    assert_eq!(
        (&single.body, &single.headers),
        (&whole.body, &whole.headers)
    );
    assert_eq!(single.missing.len(), whole.missing.len());
    assert!(whole.body.len() <= template.len() + BOUNDS.max_bytes);
    if !mentions(template) {
        assert_eq!(whole.body, template);
        assert!(whole.missing.is_empty());
    }
    let is_json = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).is_ok();
    if language == Language::Json && is_json(template) {
        assert!(
            is_json(&whole.body),
            "{:?}",
            String::from_utf8_lossy(&whole.body)
        );
    }
}

/// Whether there is anything to be read in it.
fn mentions(template: &[u8]) -> bool {
    let lower = template.to_ascii_lowercase();
    let signs: [&[u8]; 4] = [b"<esi:", b"</esi:", b"<!--esi", b"\"$include\""];
    signs
        .iter()
        .any(|sign| lower.windows(sign.len()).any(|part| part == *sign))
}

fn make(language: Language, template: &[u8], chunk: usize) -> Composed {
    let request = Headers::from_iter([
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "h.example"),
        (":path", "/a/b?c=<esi:include src='/a'/>&d=%24(HTTP_HOST)"),
        ("cookie", "a=b; c=</p>"),
        ("accept-language", "de, en;q=0"),
        ("user-agent", "Mozilla/5.0 (X11)"),
    ]);
    let head = Headers::from_iter([("cache-control", "max-age=60")]);
    let mut page = Page::new((200, head), language, Rc::new(request), BOUNDS);
    for chunk in template.chunks(chunk) {
        page.push(chunk);
    }
    page.end();
    while let Some(wanted) = page.next_wanted() {
        let target = wanted.request.only(":path").unwrap_or_default();
        assert!(target.starts_with(b"/") && target.iter().all(|byte| matches!(byte, 0x21..=0x7e)));
        assert!(wanted.number.0 < 8, "more than the bound");
        answer(&mut page, wanted.number, target.len(), (language, template));
    }
    assert!(page.is_complete());
    page.finish()
}

fn answer(page: &mut Page, number: Number, length: usize, (language, template): (Language, &[u8])) {
    let (body, language) = match length % 4 {
        0 => (template, Some(language)),
        2 => (b"[1, 2]".as_slice(), None),
        _ => return page.failed(number, Failure::Status),
    };
    let part = Part {
        status: 200,
        headers: Headers::from_iter([
            ("content-type", "application/json"),
            ("cache-control", "max-age=60"),
        ]),
        body: body.to_vec(),
    };
    page.arrived(number, part, language);
}
