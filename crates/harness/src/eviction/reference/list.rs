//! Doubly linked lists of keys, each key in at most one of them; all links stand in one table.

const NONE: u32 = u32::MAX;

/// The links of all keys.
#[derive(Debug)]
pub(super) struct Links(Vec<(u32, u32)>);

impl Links {
    pub(super) fn new(keys: u32) -> Self {
        Self(vec![(NONE, NONE); keys as usize])
    }
}

/// One list: keys come in at the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    front: u32,
    back: u32,
    len: usize,
}

impl List {
    pub(super) const EMPTY: List = List {
        front: NONE,
        back: NONE,
        len: 0,
    };

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn back(&self) -> Option<u32> {
        (self.back != NONE).then_some(self.back)
    }

    pub(super) fn push_front(&mut self, links: &mut Links, key: u32) {
        links.0[key as usize] = (NONE, self.front);
        match self.front {
            NONE => self.back = key,
            front => links.0[front as usize].0 = key,
        }
        self.front = key;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, links: &mut Links, key: u32) {
        let (before, after) = links.0[key as usize];
        match before {
            NONE => self.front = after,
            before => links.0[before as usize].1 = after,
        }
        match after {
            NONE => self.back = before,
            after => links.0[after as usize].0 = before,
        }
        self.len -= 1;
    }

    pub(super) fn pop_back(&mut self, links: &mut Links) -> Option<u32> {
        let key = self.back()?;
        self.remove(links, key);
        Some(key)
    }
}
