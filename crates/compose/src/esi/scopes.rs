//! The elements that are open, and whether what stands in them is on the page.

use crate::sheet::Place;

/// So many elements may stand in each other; what is deeper is left out.
const MOST_OPEN: usize = 32;

/// An open element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) kind: Kind,
    /// Whether what stands directly in it is on the page.
    pub(super) emits: bool,
    /// Whether its variables are replaced.
    pub(super) is_vars: bool,
    pub(super) place: Place,
}

/// Which element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Attempt,
    Choose(Branches),
    Except,
    Otherwise,
    /// With its number, where it is on the page.
    Try(Option<usize>),
    Vars,
    When,
}

/// What has come of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Branches {
    /// It is not on the page, or one has been taken.
    Settled,
    Open,
}

/// All open elements, outermost first.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    open: Vec<Scope>,
    /// How many more are open that are too deep.
    beyond: u32,
}

impl Scopes {
    /// The innermost.
    pub(super) fn innermost(&self) -> Scope {
        let outside = Scope {
            kind: Kind::Vars,
            emits: true,
            is_vars: false,
            place: Place::Open,
        };
        let mut scope = self.open.last().copied().unwrap_or(outside);
        scope.emits &= self.beyond == 0;
        scope
    }

    /// The choice that is the innermost has this branch taken, if it is.
    pub(super) fn take(&mut self, is_taken: bool) {
        if let Some(scope) = self.open.last_mut()
            && is_taken
            && self.beyond == 0
            && scope.kind.as_choice().is_some()
        {
            scope.kind = Kind::Choose(Branches::Settled);
        }
    }

    /// Opens an element; says whether it is the first that is too deep.
    pub(super) fn open(&mut self, scope: Scope) -> bool {
        if self.beyond == 0 && self.open.len() < MOST_OPEN {
            self.open.push(scope);
            return false;
        }
        self.beyond = self.beyond.saturating_add(1);
        self.beyond == 1
    }

    /// Closes the innermost of a name, and what is open in it.
    pub(super) fn close(&mut self, name: &[u8]) {
        if !NAMES
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        {
            return;
        }
        if self.beyond > 0 {
            self.beyond = self.beyond.saturating_sub(1);
            return;
        }
        let is = |scope: &Scope| name.eq_ignore_ascii_case(scope.kind.name().as_bytes());
        if let Some(at) = self.open.iter().rposition(is) {
            self.open.truncate(at);
        }
    }
}

/// The names of all.
const NAMES: [&str; 7] = [
    "attempt",
    "choose",
    "except",
    "otherwise",
    "try",
    "vars",
    "when",
];

impl Kind {
    /// The number of the `esi:try` that it is.
    pub(super) fn as_try(self) -> Option<Option<usize>> {
        match self {
            Self::Try(number) => Some(number),
            Self::Attempt
            | Self::Choose(_)
            | Self::Except
            | Self::Otherwise
            | Self::Vars
            | Self::When => None,
        }
    }

    /// What has come of the choice that it is.
    pub(super) fn as_choice(self) -> Option<Branches> {
        match self {
            Self::Choose(branches) => Some(branches),
            Self::Attempt
            | Self::Except
            | Self::Otherwise
            | Self::Try(_)
            | Self::Vars
            | Self::When => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Attempt => "attempt",
            Self::Choose(_) => "choose",
            Self::Except => "except",
            Self::Otherwise => "otherwise",
            Self::Try(_) => "try",
            Self::Vars => "vars",
            Self::When => "when",
        }
    }
}
