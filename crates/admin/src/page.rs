//! The page at `/`: a handful of files that are part of the binary.
//!
//! They hold no data and need no token: everything that is shown the page asks of the management API, with the token that
//! a person gives it. What a browser may do with them is said as strictly as it can be: nothing from elsewhere, nothing
//! inline, no text made into markup or code.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Nothing but what is here; no text becomes markup or code, whatever the scripts do; nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page.
#[derive(Clone, Copy, Debug)]
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($path:literal $kind:expr, $name:literal;)+) => {
        [$(File { path: $path, kind: $kind, text: include_str!(concat!("../page/", $name)) },)+]
    };
}

const FILES: [File; 10] = files! {
    "/" "text/html; charset=utf-8", "page.html";
    "/page/page.css" "text/css; charset=utf-8", "page.css";
    "/page/mark.svg" "image/svg+xml", "mark.svg";
    "/page/main.js" SCRIPT, "main.js";
    "/page/api.js" SCRIPT, "api.js";
    "/page/dom.js" SCRIPT, "dom.js";
    "/page/explain.js" SCRIPT, "explain.js";
    "/page/figures.js" SCRIPT, "figures.js";
    "/page/purge.js" SCRIPT, "purge.js";
    "/page/sections.js" SCRIPT, "sections.js";
};

/// The routes of all files.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.into_iter().fold(Router::new(), |router, file| {
        router.route(
            file.path,
            get(async move |asked: HeaderMap| file.answer(&asked)),
        )
    })
}

impl File {
    /// The file, or 304 for who has it. Browsers ask each time: another version of the service has another page.
    fn answer(&self, asked: &HeaderMap) -> Response {
        let tag = self.tag();
        let known = asked.get_all(IF_NONE_MATCH).iter();
        let is_known = known
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .any(|known| known.trim().trim_start_matches("W/") == tag);
        let mut fields = HeaderMap::new();
        for (name, value) in [
            (CACHE_CONTROL, "no-cache"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (CONTENT_TYPE, self.kind),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                "same-origin",
            ),
        ] {
            fields.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            fields.insert(ETAG, tag);
        }
        match is_known {
            true => (StatusCode::NOT_MODIFIED, fields).into_response(),
            false => (fields, self.text).into_response(),
        }
    }

    fn tag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        FILES.into_iter().find(|file| file.path == path).unwrap()
    }

    #[test]
    fn a_file_says_what_it_is_and_what_it_may() {
        let answer = file("/").answer(&HeaderMap::new());
        assert_eq!(answer.status(), StatusCode::OK);
        let fields = answer.headers();
        assert_eq!(fields[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(fields[CACHE_CONTROL], "no-cache");
        let policy = fields[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn who_has_it_is_not_sent_it_again() {
        let script = file("/page/main.js");
        let first = script.answer(&HeaderMap::new());
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        for (asked, status) in [
            (tag.clone(), StatusCode::NOT_MODIFIED),
            (format!("\"x\", W/{tag}"), StatusCode::NOT_MODIFIED),
            ("\"x\"".to_owned(), StatusCode::OK),
        ] {
            let asked = HeaderMap::from_iter([(IF_NONE_MATCH, asked.parse().unwrap())]);
            assert_eq!(script.answer(&asked).status(), status);
        }
    }

    #[test]
    fn nothing_stands_in_line_and_nothing_comes_from_elsewhere() {
        let foreign = [
            "src=\"http",
            "href=\"http",
            "from \"http",
            "//cdn",
            "@import",
            "url(",
            "eval(",
        ];
        for file in FILES {
            for foreign in foreign {
                assert!(!file.text.contains(foreign), "{}: {foreign}", file.path);
            }
        }
        let html = file("/").text;
        for inline in ["<style", " style=", " onclick=", "javascript:", "<script>"] {
            assert!(!html.contains(inline), "{inline}");
        }
        for script in FILES.into_iter().filter(|file| file.kind == SCRIPT) {
            for markup in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
            ] {
                assert!(!script.text.contains(markup), "{}: {markup}", script.path);
            }
        }
    }
}
