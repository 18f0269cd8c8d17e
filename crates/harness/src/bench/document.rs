//! Writes results into a document that people write, too: only what stands between two markers is replaced.

use std::fmt;

/// The text of `document` with `content` between the markers of `section`:
/// `<!-- bench:SECTION:begin -->` and `<!-- bench:SECTION:end -->`, each a line of its own.
///
/// # Errors
/// [`NoMarkers`] when the document does not have both, in this order.
pub fn replace(document: &str, section: &str, content: &str) -> Result<String, NoMarkers> {
    let missing = || NoMarkers(section.to_owned());
    let begin = format!("<!-- bench:{section}:begin -->\n");
    let end = format!("<!-- bench:{section}:end -->\n");
    let (before, rest) = document.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    let content = content.trim();
    Ok(format!("{before}{begin}\n{content}\n\n{end}{after}"))
}

/// There is no place for the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMarkers(String);

impl fmt::Display for NoMarkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the markers of the section bench:{} are missing", self.0)
    }
}

impl std::error::Error for NoMarkers {}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "Ours.\n<!-- bench:one:begin -->\nold\n<!-- bench:one:end -->\nOurs, too.\n\
                            <!-- bench:two:begin -->\nother\n<!-- bench:two:end -->\n";

    #[test]
    fn what_people_wrote_and_other_sections_stay() {
        let written = replace(DOCUMENT, "one", "new\n").unwrap();
        let expected = DOCUMENT.replace("old\n", "\nnew\n\n");
        assert_eq!(written, expected);
    }

    #[test]
    fn writing_again_replaces_what_was_written() {
        let once = replace(DOCUMENT, "two", "first").unwrap();
        let again = replace(&once, "two", "second").unwrap();
        assert_eq!(again, replace(DOCUMENT, "two", "second").unwrap());
    }

    #[test]
    fn a_document_without_a_place_is_left_alone() {
        assert_eq!(
            replace(DOCUMENT, "three", "new"),
            Err(NoMarkers("three".to_owned()))
        );
        assert!(replace("<!-- bench:one:begin -->\n", "one", "new").is_err());
    }
}
