//! An origin in a table, and a client.

use std::collections::HashMap;
use std::rc::Rc;

use larder_compose::{Composed, Failure, Language, Number, Page, Part, Wanted};
use larder_core::config::Composition;
use larder_core::http::Headers;

/// What is at an address.
#[derive(Clone, Debug)]
pub(crate) enum At {
    Here(Part, Option<Language>),
    Nowhere(Failure),
    /// Nobody answers before the page is wanted.
    Late,
}

/// A client, an origin, and what a page may take.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) request: Headers,
    pub(crate) head: Headers,
    pub(crate) language: Language,
    pub(crate) bounds: Composition,
    pub(crate) origin: HashMap<String, At>,
}

/// A page, and what was asked for it.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) page: Composed,
    pub(crate) asked: Vec<String>,
}

pub(crate) fn part(body: impl AsRef<[u8]>) -> Part {
    Part {
        status: 200,
        headers: Headers::from_iter([("cache-control", "max-age=60")]),
        body: body.as_ref().to_vec(),
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            request: Headers::from_iter([
                (":method", "GET"),
                (":scheme", "https"),
                (":authority", "shop.example"),
                (":path", "/start?lang=de&name=a%26b"),
                ("cookie", "user=ann"),
            ]),
            head: Headers::from_iter([
                ("content-type", "text/html"),
                ("cache-control", "max-age=60"),
            ]),
            language: Language::Esi,
            bounds: Composition::DEFAULT,
            origin: HashMap::new(),
        }
    }

    pub(crate) fn json() -> Self {
        let head = [
            ("content-type", "application/json"),
            ("cache-control", "max-age=60"),
        ];
        Self {
            head: Headers::from_iter(head),
            language: Language::Json,
            ..Self::new()
        }
    }

    pub(crate) fn at(mut self, target: &str, at: At) -> Self {
        self.origin.insert(target.to_owned(), at);
        self
    }

    pub(crate) fn with(self, target: &str, body: &str) -> Self {
        self.at(target, At::Here(part(body), None))
    }

    pub(crate) fn with_json(self, target: &str, body: &str) -> Self {
        let mut json = part(body);
        json.headers.push("content-type", "application/json");
        self.at(target, At::Here(json, None))
    }

    pub(crate) fn with_template(self, target: &str, body: &str) -> Self {
        let language = self.language;
        let mut part = part(body);
        if language == Language::Json {
            part.headers.push("content-type", "application/json");
        }
        self.at(target, At::Here(part, Some(language)))
    }

    pub(crate) fn without(self, target: &str) -> Self {
        self.at(target, At::Nowhere(Failure::Status))
    }

    pub(crate) fn asking(mut self, name: &str, value: &str) -> Self {
        self.request.push(name, value);
        self
    }

    pub(crate) fn page(&self) -> Page {
        let request = Rc::new(self.request.clone());
        Page::new(
            (200, self.head.clone()),
            self.language,
            request,
            self.bounds,
        )
    }

    /// Answers what is wanted, until nothing more is.
    fn answer(&self, page: &mut Page, asked: &mut Vec<String>) {
        while let Some(Wanted { number, request }) = page.next_wanted() {
            let target = String::from_utf8(request.only(":path").unwrap().to_vec()).unwrap();
            self.tell(page, number, &target);
            asked.push(target);
        }
    }

    /// Tells a page what is at an address.
    fn tell(&self, page: &mut Page, number: Number, target: &str) {
        match self.origin.get(target) {
            Some(At::Here(part, language)) => page.arrived(number, part.clone(), *language),
            Some(At::Nowhere(failure)) => page.failed(number, *failure),
            Some(At::Late) => {}
            None => page.failed(number, Failure::Unreachable),
        }
    }

    /// The same, with answers that come after the template, in an order of their own.
    pub(crate) fn play_out_of_order(
        &self,
        template: &[u8],
        mut choose: impl FnMut(usize) -> usize,
    ) -> Played {
        let (mut page, mut asked, mut open) = (self.page(), Vec::new(), Vec::new());
        page.push(template);
        page.end();
        loop {
            while let Some(Wanted { number, request }) = page.next_wanted() {
                let target = String::from_utf8(request.only(":path").unwrap().to_vec()).unwrap();
                asked.push(target.clone());
                open.push((number, target));
            }
            if open.is_empty() {
                break;
            }
            let (number, target) = open.swap_remove(choose(open.len()) % open.len());
            self.tell(&mut page, number, &target);
        }
        let page = page.finish();
        Played { page, asked }
    }

    pub(crate) fn play(&self, template: impl AsRef<[u8]>) -> Played {
        self.play_in_chunks([template.as_ref()])
    }

    pub(crate) fn play_in_chunks<'a>(&self, chunks: impl IntoIterator<Item = &'a [u8]>) -> Played {
        let (mut page, mut asked) = (self.page(), Vec::new());
        for chunk in chunks {
            page.push(chunk);
            assert!(!page.is_complete(), "more of the template may come");
            self.answer(&mut page, &mut asked);
        }
        page.end();
        self.answer(&mut page, &mut asked);
        let page = page.finish();
        Played { page, asked }
    }

    /// The page's text.
    pub(crate) fn text(&self, template: &str) -> String {
        self.play(template).text()
    }
}

impl Played {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.page.body.clone()).unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let value = self.page.headers.only(name)?;
        Some(std::str::from_utf8(value).unwrap())
    }
}
