//! A client that asks for anything, in any way, and sometimes leaves.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use larder_harness::client::{Client, Protocol, Request};
use larder_harness::envoy::Release;
use larder_harness::origin::Step;
use larder_harness::wait::PATIENCE;
use tokio::time::timeout;

use super::oracle::{Oracle, Question};
use super::world::{Dice, Manner, facet};

pub struct Asker {
    server: SocketAddr,
    release: Release,
    oracle: Arc<Oracle>,
    dice: Dice,
    clients: HashMap<usize, Client>,
    /// The tag, the date and the length last seen of a URL.
    seen: HashMap<String, (String, String, usize)>,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Whole,
    /// Nobody reads the answer to its end.
    Leaving,
    /// The body breaks off.
    Breaking,
}

impl Asker {
    pub fn new(server: SocketAddr, release: Release, oracle: Arc<Oracle>, seed: u64) -> Self {
        Self {
            server,
            release,
            oracle,
            dice: Dice::new(seed),
            clients: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    /// Asks one thing and has the answer judged.
    pub async fn ask(&mut self) {
        let sending = match self.dice.below(25) {
            0 => Sending::Leaving,
            1 => Sending::Breaking,
            _ => Sending::Whole,
        };
        let (question, request) = self.question(sending);
        let place = self.dice.below(4);
        let protocol = if place < 2 {
            Protocol::Http1
        } else {
            Protocol::Http2
        };
        let mut client = match self.clients.remove(&place) {
            Some(client) => client,
            None => Client::connect(self.server, protocol).await.unwrap(),
        };
        let floor = self.oracle.floor(&question);
        if sending == Sending::Leaving {
            let bytes = self.dice.below(2_000);
            let left = timeout(PATIENCE, client.abort_after(request, bytes)).await;
            let _ = left.unwrap_or_else(|_| panic!("no answer to {question:?}"));
            return;
        }
        let answer = timeout(PATIENCE, client.send(request)).await;
        match answer.unwrap_or_else(|_| panic!("no answer to {question:?}")) {
            Ok(answer) => {
                let may_be_half =
                    question.manner.breaks_off && !self.release.tells_what_broke_off(protocol);
                if sending == Sending::Whole && !may_be_half {
                    self.oracle.judge(&question, floor, &answer);
                    if let Some(tag) = answer.header("etag") {
                        let modified = answer.header("last-modified").unwrap_or("never");
                        let seen = (tag.to_owned(), modified.to_owned(), answer.body.len());
                        self.seen.insert(question.target.clone(), seen);
                    }
                    self.clients.insert(place, client);
                }
            }
            Err(error) => {
                let is_planned = sending == Sending::Breaking || question.manner.breaks_off;
                assert!(is_planned, "{error} at {protocol:?} {question:?}");
            }
        }
    }

    fn question(&mut self, sending: Sending) -> (Question, Request) {
        let dice = &mut self.dice;
        let host = dice
            .any(&["one.example.com", "one.example.com", "two.example.com"])
            .to_owned();
        let number = dice.below(4);
        let target = match dice.below(12) {
            0 | 1 => format!("/{}/{number}", dice.any(&["d", "d", "%64", "d/"])),
            2 => format!("/v/{number}"),
            3 | 4 => {
                let path = dice.any(&["/n/", "/k/"]);
                let pairs = [
                    format!("id={}", dice.below(2)),
                    format!("junk={}", dice.below(3)),
                ];
                match dice.one_in(2) {
                    true => format!("{path}{number}?{}&{}", pairs[0], pairs[1]),
                    false => format!("{path}{number}?{}&{}", pairs[1], pairs[0]),
                }
            }
            5 => format!("/p/{number}"),
            6 => format!("/u/{number}"),
            7 => format!("/t/{number}"),
            8 => format!("/q/{number}"),
            9 => format!("/g/{number}"),
            10 => format!("/a/{number}"),
            _ => format!("/l/{number}"),
        };
        let kind = target.get(..3).unwrap_or_default().to_owned();
        let method = match dice.below(20) {
            0 => "HEAD",
            1 => "PUT",
            2 => dice.any(&["DELETE", "PATCH", "FROB", "PUT"]),
            3 if kind != "/q/" => "POST",
            4 => dice.any(&["OPTIONS", "HEAD"]),
            5..14 if kind == "/q/" => dice.any(&["POST", "QUERY"]),
            _ => "GET",
        };
        let mut fields = vec![("x-user", dice.any(&["ann", "bob"]).to_string())];
        if kind == "/v/" && !dice.one_in(4) {
            fields.push((
                "x-lang",
                dice.any(&["en", "de", "fr", "en, de"]).to_string(),
            ));
        }
        if kind == "/a/" {
            fields.push((
                "authorization",
                dice.any(&["Bearer one", "Bearer two"]).to_string(),
            ));
        }
        let seen = self.seen.get(&target).cloned();
        let (tag, modified, length) =
            seen.unwrap_or(("\"none\"".to_owned(), "never".to_owned(), 1_000));
        if dice.one_in(5) {
            let value = dice
                .any(&[tag.as_str(), tag.as_str(), "*", "\"x\"", "W/\"x\", \"y"])
                .to_string();
            fields.push(("if-none-match", value));
        } else if dice.one_in(10) {
            let date = dice.any(&[
                "Sun, 06 Nov 1994 08:49:37 GMT",
                modified.as_str(),
                modified.as_str(),
                "Fri, 06 Nov 2099 08:49:37 GMT",
                "x",
            ]);
            fields.push(("if-modified-since", date.to_string()));
        }
        let has_ranges = if kind == "/l/" {
            dice.below(4) > 0
        } else {
            dice.one_in(6)
        };
        if has_ranges {
            fields.push(("range", range(dice, length)));
            if dice.one_in(4) {
                fields.push(("if-range", tag));
            }
        }
        if dice.one_in(8) {
            let value = dice.any(&[
                "no-cache",
                "max-age=0",
                "no-store",
                "only-if-cached",
                "max-stale",
                "min-fresh=3600",
            ]);
            fields.push(("cache-control", value.to_string()));
        }
        if dice.one_in(3) {
            fields.push(("te", "trailers".to_owned()));
        }
        let play = dice.roll();
        let is_bodied = !["GET", "HEAD", "OPTIONS"].contains(&method) || dice.one_in(30);
        let body = if is_bodied {
            dice.any(&["", "one", "two", "three"]).to_string()
        } else {
            String::new()
        };
        let header = |name: &str| {
            let mut known = fields.iter();
            known
                .find(|(field, _)| *field == name)
                .map(|(_, value)| value.clone())
        };
        let facet = facet(method, &target, header, body.as_bytes());
        let authority = match dice.below(6) {
            0 => host.to_uppercase(),
            1 => format!("{host}:80"),
            _ => host.clone(),
        };
        let mut request = Request::new(method, &target)
            .authority(&authority)
            .header("x-host", &host)
            .header("content-type", "text/x-question")
            .header("x-play", play.to_string());
        for (name, value) in &fields {
            request = request.header(name, value);
        }
        let chunk = Step::Chunk(body.clone().into());
        request = match (sending, dice.below(3)) {
            (Sending::Breaking, 0) => request.steps([chunk, Step::Die]),
            (Sending::Breaking, _) => request
                .header("content-length", "100")
                .steps([chunk, Step::Die]),
            (_, 0) if is_bodied => request.steps([chunk]),
            _ => request.body(body),
        };
        let manner = Manner::of(play);
        let question = Question {
            method: method.to_owned(),
            host,
            target,
            facet,
            fields,
            manner,
        };
        (question, request)
    }
}

fn range(dice: &mut Dice, length: usize) -> String {
    let end = length.max(2);
    let mut spec = || match dice.below(8) {
        0 => format!("-{}", 1 + dice.below(end)),
        1 => format!("{}-", dice.below(end)),
        2 => format!("{}-{}", dice.below(end), end * 2),
        3 => "0-".to_owned(),
        4 => format!("0-{}", end / 2),
        5 => format!("{}-", end / 2),
        _ => {
            let first = dice.below(end);
            format!("{first}-{}", first + dice.below(end))
        }
    };
    let first = spec();
    let several = format!("{first}, {}, {}", spec(), spec());
    match dice.below(12) {
        0 => "bytes=99999999999999999999-".to_owned(),
        1 => "bytes=-0".to_owned(),
        2 => "lines=1-2".to_owned(),
        3 => "bytes=5-2".to_owned(),
        4 => format!("bytes={several}"),
        5 => format!("bytes={}", vec!["0-0"; 100].join(",")),
        _ => format!("bytes={first}"),
    }
}
