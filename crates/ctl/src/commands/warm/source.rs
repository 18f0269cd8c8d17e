//! Where lists of URLs come from: files, standard input, and the listener itself.

use std::collections::HashSet;
use std::io::Read;
use std::time::Duration;

use super::fetch::Fetcher;
use super::list::List;
use super::sitemap::{Sitemap, is_xml, unpacked};
use crate::exit::{Exit, Failure};
use crate::remote::{Address, Reach};

/// Sitemaps that name sitemaps that name sitemaps go no deeper.
const DEEPEST: usize = 3;
/// More sitemaps are not asked for.
const MOST_SITEMAPS: usize = 1000;
/// What is read of a file, and no more.
const LONGEST_FILE: u64 = 64 << 20;

/// Who is asked: whoever `--at` names, or else the site of the sitemap.
pub(super) fn asked(source: &str, reach: &Reach) -> Result<Address, Failure> {
    match (&reach.at, is_url(source)) {
        (None, true) => {
            let (address, _) = Address::split(source).map_err(Failure::usage)?;
            Ok(address)
        }
        (None | Some(_), _) => reach.address(),
    }
}

/// Reads all that a source names into `list`.
pub(super) fn read(source: &str, fetcher: &Fetcher, mut list: List) -> Result<List, Failure> {
    if is_url(source) {
        let text = of_the_site(source, fetcher, &list)
            .map_err(|why| Failure::said(Exit::Unreachable, format!("{source} {why}")))?;
        take(source, &text, fetcher, &mut list)?;
        return Ok(list);
    }
    let unreadable = |why: String| Failure::usage(format!("{source}: {why}"));
    let mut bytes = Vec::new();
    let read = match source {
        "-" => std::io::stdin()
            .lock()
            .take(LONGEST_FILE)
            .read_to_end(&mut bytes),
        file => std::fs::File::open(file)
            .and_then(|file| file.take(LONGEST_FILE).read_to_end(&mut bytes)),
    };
    read.map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    let text = unpacked(bytes).map_err(unreadable)?;
    take(source, &text, fetcher, &mut list)?;
    Ok(list)
}

fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// A sitemap is asked for like the pages that it names: there, and nowhere else.
fn of_the_site(url: &str, fetcher: &Fetcher, list: &List) -> Result<String, String> {
    let url = list.url(url)?;
    unpacked(fetcher.body(&url)?)
}

/// Takes in a list, or a sitemap and all the sitemaps that it names, level by level.
fn take(source: &str, text: &str, fetcher: &Fetcher, list: &mut List) -> Result<(), Failure> {
    if !is_xml(text) {
        list.take_lines(text);
        return Ok(());
    }
    let first = Sitemap::parse(text).map_err(|why| Failure::usage(format!("{source} {why}")))?;
    let mut known: HashSet<String> = [source.to_owned()].into();
    let mut level = vec![first];
    for depth in 0..=DEEPEST {
        let mut next = Vec::new();
        for sitemap in level {
            for page in &sitemap.pages {
                list.take(page);
            }
            for place in sitemap.sitemaps {
                if list.is_full() || known.len() > MOST_SITEMAPS || depth == DEEPEST {
                    list.is_cut = true;
                } else if known.insert(place.clone()) {
                    let text = of_the_site(&place, fetcher, list);
                    match text.and_then(|text| Sitemap::parse(&text)) {
                        Ok(found) => next.push(found),
                        Err(why) => list.refuse(&place, why),
                    }
                }
            }
        }
        level = next;
    }
    Ok(())
}

/// A sitemap may take longer than a page.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
