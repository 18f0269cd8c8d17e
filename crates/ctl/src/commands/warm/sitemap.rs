//! Sitemaps: the places that they name, of pages and of other sitemaps.
//!
//! Whoever wrote one is not believed: it is unpacked up to what the protocol allows and no further, entities that it defines
//! itself are not expanded, and places are texts until somebody has looked at them.

use std::io::{self, Read};

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// What the protocol allows, unpacked.
const LONGEST: u64 = 50 << 20;

/// The places that a sitemap names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sitemap {
    /// Pages.
    pub(super) pages: Vec<String>,
    /// Other sitemaps.
    pub(super) sitemaps: Vec<String>,
}

/// The text of a file, unpacked where it is packed.
pub(super) fn unpacked(bytes: Vec<u8>) -> Result<String, String> {
    let bytes = match bytes.starts_with(&[0x1f, 0x8b]) {
        false => bytes,
        true => {
            let mut text = Vec::new();
            let packed = flate2::read::MultiGzDecoder::new(bytes.as_slice());
            let read = packed
                .take(LONGEST.saturating_add(1))
                .read_to_end(&mut text);
            read.map_err(|error: io::Error| format!("cannot be unpacked: {error}"))?;
            text
        }
    };
    if bytes.len() as u64 > LONGEST {
        return Err("is longer than the 50 MiB that a sitemap may have".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Whether a text is XML, and no list.
pub(super) fn is_xml(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

impl Sitemap {
    /// Reads one.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        let mut found = Self::default();
        let mut path: Vec<String> = Vec::new();
        let mut place = String::new();
        loop {
            match reader.read_event() {
                Err(error) => return Err(format!("is no sitemap: {error}")),
                Ok(Event::Eof) if path.is_empty() => return Ok(found),
                Ok(Event::Eof) => return Err("is no sitemap: it ends in the middle".to_owned()),
                Ok(Event::Start(start)) => {
                    path.push(start.local_name().as_ref().to_owned());
                    place.clear();
                }
                Ok(Event::End(_)) => {
                    found.note(&path, place.trim());
                    place.clear();
                    path.pop();
                }
                Ok(Event::Text(text)) => place.push_str(&text.xml10_content()),
                Ok(Event::CData(text)) => place.push_str(&text.xml10_content()),
                Ok(Event::GeneralRef(entity)) => match entity.resolve_char_ref() {
                    Ok(Some(character)) => place.push(character),
                    Ok(None) | Err(_) => {
                        place.push_str(resolve_predefined_entity(&entity).unwrap_or("\u{fffd}"))
                    }
                },
                Ok(
                    Event::Comment(_)
                    | Event::Decl(_)
                    | Event::DocType(_)
                    | Event::Empty(_)
                    | Event::PI(_),
                ) => {}
            }
        }
    }

    /// `url/loc` and `sitemap/loc` name places; `image:image/image:loc` names others.
    fn note(&mut self, path: &[String], place: &str) {
        let mut ends = path.iter().rev().map(String::as_str);
        match (ends.next(), ends.next()) {
            (Some("loc"), Some("url")) => self.pages.push(place.to_owned()),
            (Some("loc"), Some("sitemap")) => self.sitemaps.push(place.to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn pages_and_sitemaps_are_told_apart_and_images_are_neither() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
            <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
              <!-- <url><loc>http://a/no</loc></url> -->
              <url><loc> http://a/b?c=1&amp;d=2 </loc><lastmod>2026-01-01</lastmod>
                <image:image><image:loc>http://a/picture</image:loc></image:image></url>
              <url><loc><![CDATA[http://a/e?f&g]]></loc></url>
              <url><loc>http://a/&#x68;</loc></url>
            </urlset>"#;
        let found = Sitemap::parse(text).unwrap();
        assert_eq!(
            found.pages,
            ["http://a/b?c=1&d=2", "http://a/e?f&g", "http://a/h"]
        );
        let index = "<sitemapindex><sitemap><loc>http://a/1.xml</loc></sitemap></sitemapindex>";
        let found = Sitemap::parse(index).unwrap();
        assert_eq!(
            (found.pages.len(), found.sitemaps),
            (0, vec!["http://a/1.xml".to_owned()])
        );
    }

    #[test]
    fn entities_that_it_defines_itself_stay_what_they_are_not() {
        let text = r#"<!DOCTYPE u [<!ENTITY a "http://x"><!ENTITY b "&a;&a;&a;&a;">]>
            <urlset><url><loc>/&b;</loc></url></urlset>"#;
        assert_eq!(Sitemap::parse(text).unwrap().pages, ["/\u{fffd}"]);
    }

    #[test]
    fn what_is_broken_is_said_to_be() {
        for text in [
            "<urlset><url></urlset>",
            "<urlset><url><loc>a</url>",
            "<",
            "<urlset><url><loc>a</loc></url>",
        ] {
            assert!(
                Sitemap::parse(text).unwrap_err().contains("is no sitemap"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_packed_is_unpacked_up_to_a_bound() {
        let packed = |text: &[u8]| {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        };
        assert_eq!(unpacked(packed(b"\xef\xbb\xbf/a\n")).unwrap(), "/a\n");
        let bomb = packed(&vec![b' '; (LONGEST as usize) + 10]);
        assert!(unpacked(bomb).unwrap_err().contains("50 MiB"));
        assert!(
            unpacked(packed(b"/a")[..8].to_vec())
                .unwrap_err()
                .contains("unpacked")
        );
    }
}
