//! What strikes at the workers, and what may come back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use larder_harness::client::{Answer, Client, Request};
use larder_harness::origin::{Received, Reply};

use crate::chaos::Dice;
use crate::management::call;
use crate::stage::x_cache;

const HOST: &str = "api.example.com";
const GROUPS: usize = 8;
/// From this one on pages stand under a rule with a template.
const TEMPLATED: usize = 6;
const PAGES: usize = 12;
const BLOWS: usize = 1_250;

/// What a URL of the play is about: `/p/<group>/<page>`, or `/t/...` under the template `t:<group>:<page>`; tagged `all`,
/// `g:<group>` and `n<page>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page(usize, usize);

impl Page {
    fn path(self) -> String {
        let place = if self.0 < TEMPLATED { "p" } else { "t" };
        format!("/{place}/{}/{}", self.0, self.1)
    }

    /// The name of its key.
    fn name(self) -> String {
        match self.0 < TEMPLATED {
            true => format!("GET:{HOST}{}", self.path()),
            false => format!("t:{}:{}", self.0, self.1),
        }
    }
}

/// The origin's clock, and what may not be seen any more.
#[derive(Debug)]
pub struct World {
    clock: AtomicU64,
    floors: Vec<AtomicU64>,
    /// When what was put by hand was acknowledged; the end of time until then.
    puts: Mutex<HashMap<String, u64>>,
    hits: AtomicUsize,
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: AtomicU64::new(1),
            floors: (0..GROUPS * PAGES).map(|_| AtomicU64::new(0)).collect(),
            puts: Mutex::default(),
            hits: AtomicUsize::new(0),
        })
    }

    /// Never a 304: whoever asks whether something is still good gets another.
    pub fn reply(&self, request: &Received) -> Reply {
        let now = self.clock.fetch_add(1, Ordering::SeqCst);
        let mut parts = request.path_only().split('/').skip(2);
        let (group, page) = (parts.next().unwrap(), parts.next().unwrap_or("none"));
        Reply::ok(now.to_string())
            .header("etag", format!("\"{now}\""))
            .header("surrogate-key", format!("all g:{group} n{page}"))
    }

    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::Relaxed)
    }

    fn floor(&self, Page(group, page): Page) -> &AtomicU64 {
        &self.floors[group * PAGES + page]
    }

    fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// What this covers is over that was made before.
    fn raise(&self, covers: impl Fn(Page) -> bool, began: u64) {
        for group in 0..GROUPS {
            for page in (0..PAGES).map(|page| Page(group, page)) {
                if covers(page) {
                    self.floor(page).fetch_max(began, Ordering::SeqCst);
                }
            }
        }
    }

    fn see(&self, page: Page, least: u64, answer: &Answer) {
        let tag = answer.header("etag").unwrap_or_default();
        let tag = tag.trim_start_matches("W/").trim_matches('"');
        let put = self.puts.lock().unwrap().get(tag).copied();
        let made = put.or_else(|| tag.parse().ok());
        let made = made.unwrap_or_else(|| panic!("{answer:?}"));
        assert!(made >= least, "{made} after {least}: {page:?} {answer:?}");
        if !answer.body.is_empty() {
            assert_eq!(answer.text(), tag, "another's body: {answer:?}");
        }
        if x_cache(answer) == "HIT" {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
    }
}

type Covers = Box<dyn Fn(Page) -> bool + Send>;

/// A purge, and what it covers.
fn purge(dice: &mut Dice, page: Page) -> (Request, Covers) {
    let Page(group, number) = page;
    let mode = dice.any(&["mode=hard", "mode=soft"]);
    let one: Covers = Box::new(move |other| other == page);
    let of_group: Covers = Box::new(move |Page(g, _)| g == group);
    let of_number: Covers = Box::new(move |Page(_, n)| n == number);
    let plain_of_number: Covers = Box::new(move |Page(g, n)| n == number && g < TEMPLATED);
    let invalidate = |what: &str| call("POST", &format!("/api/cache/invalidate{what}"));
    let begin = page.name();
    let end = begin.rfind(['/', ':']).unwrap();
    let begin = begin.get(..=end).unwrap();
    match dice.below(100) {
        0 => (invalidate("").body(r#"{"all": true}"#), Box::new(|_| true)),
        1 => (invalidate(&format!("/tag/all?{mode}")), Box::new(|_| true)),
        2..15 => (call("PURGE", &page.path()), one),
        15..25 => (invalidate(&format!("/key/{}", page.name())), one),
        25..35 => (invalidate(&format!("/tag/g:{group}?{mode}")), of_group),
        35..45 => (invalidate(&format!("/tag/n{number}?{mode}")), of_number),
        45..55 => {
            let purge = call("PURGE", "/");
            let tags = format!("n{number} none");
            (purge.header("surrogate-key", tags), of_number)
        }
        55..65 => {
            let pattern = format!("/pattern?pattern={begin}*&{mode}");
            (invalidate(&pattern), of_group)
        }
        65..75 => {
            let pattern = format!("/pattern?pattern=regex:/p/%5B^/%5D%2B/{number}&{mode}");
            (invalidate(&pattern), plain_of_number)
        }
        75..90 => {
            let body = format!(r#"{{"prefixes": ["{begin}"], "tags": ["n{number}"]}}"#);
            let both: Covers = Box::new(move |Page(g, n)| g == group || n == number);
            (invalidate("").body(body), both)
        }
        _ => {
            let ban = call("BAN", "/").header("x-ban-url", format!("/[pt]/{group}/.*"));
            (ban, of_group)
        }
    }
}

/// Strikes until it has done its part.
pub async fn hammer(mut client: Client, world: Arc<World>, seed: u64) {
    let mut dice = Dice::new(seed);
    for blow in 0..BLOWS {
        let page = Page(dice.below(GROUPS), dice.below(PAGES));
        let least = world.floor(page).load(Ordering::SeqCst);
        let began = world.now();
        let ask = |method: &str, path: &str| Request::new(method, path).authority(HOST);
        match dice.below(40) {
            0 | 1 => {
                let write = ask("POST", &page.path()).body("x");
                let answer = client.send(write).await.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                world.raise(|other| other == page, began);
            }
            // A rule says what this makes invalid.
            2 | 3 => {
                let write = ask("POST", &format!("/w/{}", page.0)).body("x");
                let answer = client.send(write).await.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                world.raise(|Page(group, _)| group == page.0, began);
            }
            4 if page.0 < TEMPLATED => {
                let tag = format!("put-{seed}-{blow}");
                world.puts.lock().unwrap().insert(tag.clone(), u64::MAX);
                let put = call("PUT", &format!("/api/cache/entries/{}", page.name()))
                    .header("cache-control", "max-age=600")
                    .header("etag", format!("\"{tag}\""))
                    .header("surrogate-key", format!("all g:{} n{}", page.0, page.1))
                    .body(tag.clone());
                let answer = client.send(put).await.unwrap();
                if answer.status == 200 {
                    world.raise(|other| other == page, began);
                }
                world.puts.lock().unwrap().insert(tag, world.now());
            }
            5..12 => {
                let (request, covers) = purge(&mut dice, page);
                let shown = format!("{request:?}");
                let answer = client.send(request).await.unwrap();
                assert!(matches!(answer.status, 200 | 202), "{shown} {answer:?}");
                world.raise(covers, began);
            }
            kind => {
                let method = if kind == 12 { "HEAD" } else { "GET" };
                let mut request = ask(method, &page.path());
                if kind < 16 {
                    let tag = format!("\"{}\"", began.saturating_sub(dice.roll() % 50));
                    request = request.header("if-none-match", tag);
                }
                let answer = client.send(request).await.unwrap();
                assert!(matches!(answer.status, 200 | 304), "{answer:?}");
                world.see(page, least, &answer);
            }
        }
    }
}
