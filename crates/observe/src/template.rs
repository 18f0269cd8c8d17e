//! Paths as their templates: what looks like somebody's or something's own becomes a `*`.
//!
//! A segment is one's own if it looks like it (numbers, UUIDs, hexadecimal digits, dates, anything long with digits or escapes in
//! it), or if too many others have stood at its place behind the same beginning: `/user/jane` is `/user/*` once two dozen
//! names have come by.

/// Paths that are longer are no template.
pub(crate) const LONGEST: usize = 128;

/// Segments that are counted; behind them the template ends with `**`.
const DEEPEST: usize = 8;

/// The beginnings of paths that are remembered at once.
const BEGINNINGS: usize = 256;

/// So many of 64 places are taken by about two dozen different segments.
const TOO_MANY: u32 = 20;

/// What has stood behind which beginnings.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    places: Vec<(u32, u64)>,
}

impl Shapes {
    /// The template of a path; `None` for one that is too long.
    pub(crate) fn template(&mut self, path: &str) -> Option<String> {
        let mut template = String::new();
        for (depth, segment) in path.split('/').skip(1).enumerate() {
            template.push('/');
            if depth >= DEEPEST {
                template.push_str("**");
                return Some(template);
            }
            let is_own = is_own(segment) || self.is_one_of_many(&template, segment);
            template.push_str(if is_own { "*" } else { segment });
            if template.len() > LONGEST {
                return None;
            }
        }
        Some(template)
    }

    fn is_one_of_many(&mut self, beginning: &str, segment: &str) -> bool {
        if self.places.is_empty() && self.places.try_reserve_exact(BEGINNINGS).is_ok() {
            self.places.resize(BEGINNINGS, (0, 0));
        }
        let [a, b, c, d, place, ..] = crate::hash(beginning.as_bytes()).to_le_bytes();
        let tag = u32::from_le_bytes([a, b, c, d]);
        let Some((known, seen)) = self.places.get_mut(usize::from(place)) else {
            return false;
        };
        if *known != tag {
            (*known, *seen) = (tag, 0);
        }
        *seen |= 1_u64.rotate_left(u32::from(crate::hash(segment.as_bytes()) as u8 & 63));
        seen.count_ones() >= TOO_MANY
    }
}

/// Whether a segment looks like somebody's or something's own.
fn is_own(segment: &str) -> bool {
    let count = |is: fn(&u8) -> bool| segment.bytes().filter(is).count();
    let digits = count(u8::is_ascii_digit);
    let is_hex = segment
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let has_odd = segment
        .bytes()
        .any(|byte| !byte.is_ascii_alphanumeric() && !b"-_.".contains(&byte));
    let length = segment.len();
    has_odd
        || length > 40
        || digits == length && length > 0
        || (length > 2 && digits.saturating_mul(2) >= length) // `v2` is a version
        || (is_hex && length >= 8 && digits > 0)
        || (digits >= 2 && length >= 16)
}

/// The regular expression, for a rule's path, that matches what has this template.
pub(crate) fn expression(template: &str) -> String {
    let mut expression = String::new();
    for segment in template.split('/').skip(1) {
        expression.push('/');
        match segment {
            "*" => expression.push_str("[^/]+"),
            "**" => expression.push_str(".*"),
            literal => {
                for letter in literal.chars() {
                    if !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_') {
                        expression.push('\\');
                    }
                    expression.push(letter);
                }
            }
        }
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_ones_own_is_left_out() {
        let mut shapes = Shapes::default();
        for (path, template) in [
            ("/", "/"),
            ("/api/analytics/trends", "/api/analytics/trends"),
            ("/api/v2/ml/models", "/api/v2/ml/models"),
            ("/user/42/profile", "/user/*/profile"),
            ("/o/550e8400-e29b-41d4-a716-446655440000", "/o/*"),
            ("/o/deadbeef00", "/o/*"),
            ("/day/2024-01-15", "/day/*"),
            ("/mail/jane@example.com", "/mail/*"),
            ("/mail/jane%40example.com", "/mail/*"),
            ("/t/eyJhbGciOiJIUzI1NiJ9", "/t/*"),
            ("/static/app.js", "/static/app.js"),
            ("/1/2/3/4/5/6/7/8/9/10", "/*/*/*/*/*/*/*/*/**"),
        ] {
            assert_eq!(shapes.template(path).as_deref(), Some(template));
        }
        assert_eq!(
            shapes.template(&"/abc".repeat(60)),
            Some(["/abc".repeat(8).as_str(), "/**"].concat())
        );
        assert_eq!(
            shapes.template(&format!(
                "/{}",
                "abc/def".repeat(2).repeat(40).replace('/', "")
            )),
            Some("/*".to_owned())
        );
    }

    #[test]
    fn names_of_many_become_one() {
        let mut shapes = Shapes::default();
        let name = |n: u32| {
            let letter = |n: u32| char::from(b'a' + (n % 26) as u8);
            format!("/user/{}{}x/home", letter(n), letter(n / 26))
        };
        assert_eq!(shapes.template(&name(0)), Some("/user/aax/home".to_owned()));
        for n in 0..60 {
            shapes.template(&name(n));
        }
        assert_eq!(shapes.template(&name(61)), Some("/user/*/home".to_owned()));
        assert_eq!(
            shapes.template("/page/aax"),
            Some("/page/aax".to_owned()),
            "elsewhere it is as it was"
        );
    }

    #[test]
    fn a_template_is_matched_by_its_expression() {
        assert_eq!(expression("/user/*/app.js"), r"/user/[^/]+/app\.js");
        assert_eq!(expression("/a+b/**"), r"/a\+b/.*");
        assert_eq!(expression("/"), "/");
    }
}
