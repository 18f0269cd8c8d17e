//! What is to be asked for: URLs of the one listener that is asked, each once, and what is none of its.

use std::collections::HashSet;

use crate::remote::Address;

/// A URL as a request has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Url {
    /// `http` or `https`, as clients say it.
    pub(super) scheme: &'static str,
    /// The host that is asked for.
    pub(super) host: String,
    /// Path and query.
    pub(super) target: String,
}

/// Which hosts the listener is asked for: its own, or the one that `--host` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hosts {
    at: Address,
    named: Option<String>,
}

/// URLs in order, and what was refused of them.
#[derive(Clone, Debug)]
pub(super) struct List {
    hosts: Hosts,
    most: usize,
    known: HashSet<Url>,
    /// What is asked for.
    pub(super) urls: Vec<Url>,
    /// What is not, and why.
    pub(super) refused: Vec<(String, String)>,
    /// Whether there were more.
    pub(super) is_cut: bool,
}

/// So many refusals are remembered; a list of another site has only those.
const MOST_REFUSED: usize = 1000;
/// No URL is longer.
const LONGEST: usize = 8192;

impl Url {
    /// For people.
    pub(super) fn shown(&self) -> String {
        format!("{}://{}{}", self.scheme, self.host, self.target)
    }
}

impl Hosts {
    /// Those of a listener.
    pub(super) fn of(at: &Address, named: Option<&str>) -> Self {
        let named = named.map(|host| plain(host, at.scheme()));
        Self {
            at: at.clone(),
            named,
        }
    }

    /// The URL that a text means; a path is one of the host that is asked for.
    pub(super) fn url(&self, text: &str) -> Result<Url, String> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if text.len() > LONGEST || !text.bytes().all(is_plain) {
            return Err("is no URL that can be asked for".to_owned());
        }
        let ours = plain(self.at.authority(), self.at.scheme());
        if text.starts_with('/') {
            return Ok(Url {
                scheme: self.at.scheme(),
                host: self
                    .named
                    .clone()
                    .unwrap_or_else(|| self.at.authority().to_owned()),
                target: text.split('#').next().unwrap_or("/").to_owned(),
            });
        }
        if !text.contains("://") {
            return Err("begins neither with a slash nor with http:// or https://".to_owned());
        }
        let (address, target) = Address::split(text)?;
        let host = plain(address.authority(), address.scheme());
        match host == ours || Some(&host) == self.named.as_ref() {
            true => Ok(Url {
                scheme: address.scheme(),
                host,
                target,
            }),
            false => Err(format!(
                "is of {host}, and {} is asked: --host {host} where that is served there",
                self.at
            )),
        }
    }
}

/// A host without the port that goes without saying.
fn plain(host: &str, scheme: &str) -> String {
    let port = match scheme {
        "https" => ":443",
        _ => ":80",
    };
    host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase()
}

impl List {
    /// An empty one, of so many at most.
    pub(super) fn new(hosts: Hosts, most: usize) -> Self {
        Self {
            hosts,
            most,
            known: HashSet::new(),
            urls: Vec::new(),
            refused: Vec::new(),
            is_cut: false,
        }
    }

    /// Whether no more goes in.
    pub(super) fn is_full(&self) -> bool {
        self.urls.len() >= self.most
    }

    /// Whether this may be asked for, and how.
    pub(super) fn url(&self, text: &str) -> Result<Url, String> {
        self.hosts.url(text)
    }

    /// Takes one in, if it is of the listener and not there yet.
    pub(super) fn take(&mut self, text: &str) {
        match self.hosts.url(text) {
            Ok(url) if self.known.contains(&url) => {}
            Ok(_) if self.is_full() => self.is_cut = true,
            Ok(url) => {
                self.known.insert(url.clone());
                self.urls.push(url);
            }
            Err(why) => self.refuse(text, why),
        }
    }

    /// Notes that one is not asked for.
    pub(super) fn refuse(&mut self, text: &str, why: String) {
        match self.refused.len() < MOST_REFUSED {
            true => self.refused.push((text.chars().take(200).collect(), why)),
            false => self.is_cut = true,
        }
    }

    /// Takes in a text, one a line; what begins with `#` is a comment.
    pub(super) fn take_lines(&mut self, text: &str) {
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            self.take(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(at: &str, host: Option<&str>) -> List {
        let at: Address = at.parse().unwrap();
        List::new(Hosts::of(&at, host), 3)
    }

    fn shown(list: &List) -> Vec<String> {
        list.urls.iter().map(Url::shown).collect()
    }

    #[test]
    fn paths_and_urls_of_the_host_go_in_once_each() {
        let mut list = list("http://localhost:8080", Some("shop.example"));
        list.take_lines("# ours\n/a?b=c\nhttps://shop.example/b#top\n\n https://SHOP.example:443/b \nhttp://localhost:8080/c\n");
        let expected = [
            "http://shop.example/a?b=c",
            "https://shop.example/b",
            "http://localhost:8080/c",
        ];
        assert_eq!(shown(&list), expected);
        assert!(!list.is_cut);
        list.take("/d");
        assert!(list.is_cut);
    }

    #[test]
    fn what_is_of_others_is_refused_with_a_word_on_why() {
        let mut list = list("http://localhost:8080", None);
        list.take_lines(
            "https://other.example/a\nftp://localhost:8080/a\nhttp://localhost:8080/a b\nhello\n",
        );
        assert!(list.urls.is_empty());
        let reasons = [
            "--host other.example",
            "neither",
            "is no URL",
            "begins neither",
        ];
        assert_eq!(list.refused.len(), reasons.len());
        for ((url, why), expected) in list.refused.iter().zip(reasons) {
            assert!(why.contains(expected), "{url}: {why}");
        }
    }
}
