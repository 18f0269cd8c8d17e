//! Where links lead.

use crate::pages;

#[test]
fn every_link_leads_somewhere() {
    let pages = pages::all();
    let (mut lost, mut followed) = (Vec::new(), 0);
    for page in pages.values() {
        for link in &page.links {
            if ["https://", "http://", "mailto:"]
                .iter()
                .any(|scheme| link.starts_with(scheme))
            {
                continue;
            }
            followed += 1;
            let (path, anchor) = match link.split_once('#') {
                Some((path, anchor)) => (path, Some(anchor)),
                None => (link.as_str(), None),
            };
            let place = match path {
                "" => Some(page.name.clone()),
                path => page.find(path),
            };
            let Some(place) = place else {
                lost.push(format!("{}: {link}", page.name));
                continue;
            };
            let is_there = |anchor: &str| {
                let other = pages.get(&place);
                other.is_some_and(|other| other.anchors.contains(anchor))
            };
            if anchor.is_some_and(|anchor| !is_there(anchor)) {
                lost.push(format!("{}: {link} (no such heading)", page.name));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(followed > 150, "{followed} links were followed");
}
