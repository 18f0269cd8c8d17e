//! The fragments of a page: what is asked for, and what has come of it.

use larder_core::config::Composition;
use larder_core::http::Headers;

use crate::client::Client;
use crate::page::{Failure, Language, Number, Part, Wanted};

/// All fragments, in the order in which they were first wanted.
#[derive(Debug)]
pub(crate) struct Fragments {
    all: Vec<Fragment>,
    /// How many of them the page's holder has been told of.
    told: usize,
    /// How many have neither come nor failed.
    open: usize,
    /// The bytes of those that have come.
    bytes: usize,
    bounds: Composition,
    /// What all requests for them have in common, once there has been one.
    request: Option<Headers>,
}

#[derive(Debug)]
pub(crate) struct Fragment {
    pub(crate) target: String,
    /// How many templates it stands in; the same at another depth is another, so that no template is read within itself.
    pub(crate) depth: u8,
    /// What it is to stand in.
    pub(crate) language: Language,
    pub(crate) state: FragmentState,
}

#[derive(Debug)]
pub(crate) enum FragmentState {
    Open,
    Body {
        headers: Headers,
        body: Vec<u8>,
    },
    /// It is a template itself, this one.
    Sheet {
        headers: Headers,
        sheet: usize,
    },
    Failed(Failure),
}

impl Fragments {
    pub(crate) fn new(bounds: Composition) -> Self {
        Self {
            all: Vec::new(),
            told: 0,
            open: 0,
            bytes: 0,
            bounds,
            request: None,
        }
    }

    /// The fragment for this address, which is asked for unless it has been.
    pub(crate) fn ask(
        &mut self,
        target: String,
        depth: u8,
        language: Language,
    ) -> Result<usize, Failure> {
        let is =
            |one: &Fragment| one.depth == depth && one.language == language && one.target == target;
        if let Some(at) = self.all.iter().position(is) {
            return match self.failure(at) {
                Some(why) => Err(why),
                None => Ok(at),
            };
        }
        if self.all.len() >= self.bounds.max_fragments {
            return Err(Failure::Bound);
        }
        self.all.push(Fragment {
            target,
            depth,
            language,
            state: FragmentState::Open,
        });
        self.open = self.open.saturating_add(1);
        Ok(self.all.len().saturating_sub(1))
    }

    pub(crate) fn next_wanted(&mut self, client: &Client) -> Option<Wanted> {
        let fragment = self.all.get(self.told)?;
        let number = Number(u32::try_from(self.told).ok()?);
        self.told = self.told.saturating_add(1);
        let common = self.request.get_or_insert_with(|| client.own_request());
        let mut request = common.clone();
        request.push(":path", &fragment.target);
        Some(Wanted { number, request })
    }

    /// What is still awaited under this number.
    pub(crate) fn awaited(&self, number: Number) -> Option<(usize, &Fragment)> {
        let at = usize::try_from(number.0).ok()?;
        let fragment = self.all.get(at).filter(|_| at < self.told)?;
        match fragment.state {
            FragmentState::Open => Some((at, fragment)),
            FragmentState::Body { .. } | FragmentState::Sheet { .. } | FragmentState::Failed(_) => {
                None
            }
        }
    }

    /// Whether there is still room on the page for so much as has come.
    pub(crate) fn weigh(&mut self, part: &Part) -> Result<(), Failure> {
        let bytes = self.bytes.saturating_add(part.body.len());
        if bytes > self.bounds.max_bytes {
            return Err(Failure::Bound);
        }
        self.bytes = bytes;
        Ok(())
    }

    pub(crate) fn settle(&mut self, at: usize, state: FragmentState) {
        if let Some(fragment) = self.all.get_mut(at) {
            fragment.state = state;
            self.open = self.open.saturating_sub(1);
        }
    }

    /// Those that are still open have not come in time.
    pub(crate) fn close(&mut self) {
        for fragment in &mut self.all {
            if matches!(fragment.state, FragmentState::Open) {
                fragment.state = FragmentState::Failed(Failure::Overdue);
            }
        }
        self.open = 0;
    }

    pub(crate) fn failure(&self, at: usize) -> Option<Failure> {
        match self.all.get(at)?.state {
            FragmentState::Failed(why) => Some(why),
            FragmentState::Open | FragmentState::Body { .. } | FragmentState::Sheet { .. } => None,
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Fragment> {
        self.all.get(at)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open > 0
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn bounds(&self) -> &Composition {
        &self.bounds
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Fragment> {
        self.all.iter()
    }
}
