//! Pages that are asked for under the name of a style sheet.
//!
//! Many servers answer `/account/x.css` with `/account`: what is behind the name they know is none of their business. A rule that
//! keeps everything ending in `.css` then keeps a page that is somebody's, and whoever has lured him there reads it (Gil, "Web
//! Cache Deception", 2017; Mirheidari et al., "Cached and Confused", 2020). The origin has not said that it may be kept, so
//! the rule alone would be wrong; what shows it is that a style sheet is no page.

use crate::entry::FreshnessSource;
use crate::http::Headers;
use crate::policy::Reason;

/// Ends of paths under which nobody expects a page, or data.
const STATIC: [&str; 30] = [
    "avif", "bmp", "class", "css", "csv", "doc", "docx", "eot", "gif", "gz", "ico", "jar", "jpeg",
    "jpg", "js", "mjs", "mp3", "mp4", "otf", "pdf", "png", "svg", "swf", "ttf", "wasm", "webm",
    "webp", "woff", "woff2", "zip",
];

/// Refuses a response that is a page by its type and something static by its path, where nobody but a rule says that it may be
/// kept.
pub fn judge(path: &[u8], response: &Headers, source: FreshnessSource) -> Result<(), Reason> {
    match source {
        FreshnessSource::Origin => Ok(()),
        FreshnessSource::Heuristic | FreshnessSource::Negative | FreshnessSource::Rule
            if is_static(path) && is_page(response) =>
        {
            Err(Reason::MediaType)
        }
        FreshnessSource::Heuristic | FreshnessSource::Negative | FreshnessSource::Rule => Ok(()),
    }
}

fn is_static(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let end = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    end.len() < name.len()
        && STATIC
            .iter()
            .any(|known| end.eq_ignore_ascii_case(known.as_bytes()))
}

/// HTML, or data as an API gives it; whoever says nothing may mean either.
fn is_page(response: &Headers) -> bool {
    let Some(value) = response.first("content-type") else {
        return true;
    };
    let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let media_type = media_type.trim_ascii().to_ascii_lowercase();
    let pages = [
        &b"text/html"[..],
        b"application/xhtml+xml",
        b"application/json",
    ];
    pages.contains(&media_type.as_slice()) || media_type.ends_with(b"+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_no_style_sheet() {
        let rule = FreshnessSource::Rule;
        for (path, media_type, source, kept) in [
            ("/account/x.css", "text/html; charset=utf-8", rule, false),
            ("/account/x.CSS", "Text/HTML", rule, false),
            ("/account%3Bx.js", "application/json", rule, false),
            ("/account;a.png", "application/problem+json", rule, false),
            ("/x.css", "text/html", FreshnessSource::Heuristic, false),
            ("/x.css", "text/html", FreshnessSource::Origin, true),
            ("/x.css", "text/css", rule, true),
            ("/x.js", "text/javascript", rule, true),
            ("/css", "text/html", rule, true),
            ("/.css", "text/html", rule, false),
            ("/x.css/", "text/html", rule, true),
            ("/x.html", "text/html", rule, true),
            ("/report.json", "application/json", rule, true),
        ] {
            let headers = Headers::from_iter([("content-type", media_type)]);
            let found = judge(path.as_bytes(), &headers, source);
            assert_eq!(found.is_ok(), kept, "{path} {media_type}");
        }
        assert!(judge(b"/x.css", &Headers::new(), rule).is_err());
        assert!(judge(b"/x", &Headers::new(), rule).is_ok());
    }

    #[test]
    fn the_list_is_in_order() {
        assert!(STATIC.is_sorted());
    }
}
