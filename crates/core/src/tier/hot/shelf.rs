//! A bounded map that keeps what is asked for (SIEVE: Zhang and others, NSDI 2024).
//!
//! What comes is put in front. What is asked for is marked, and stays where it is. When room is needed, a hand goes from the
//! back to the front: it takes what has no mark, takes the mark away from what has one, and goes on from there the next
//! time. So what is new and not asked for goes first, and what was ever asked for has to be forgotten once before it goes.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use super::NameHash;

/// What a kept value costs beside its name and itself: its node, its place in the map, and the allocator's share.
const OVERHEAD: usize = 160;

/// A bounded map from names to values.
pub struct Shelf<T> {
    places: HashMap<Rc<[u8]>, usize, NameHash>,
    nodes: Vec<Option<Node<T>>>,
    free: Vec<usize>,
    front: Option<usize>,
    back: Option<usize>,
    hand: Option<usize>,
    bytes: usize,
    most_bytes: usize,
}

struct Node<T> {
    name: Rc<[u8]>,
    value: T,
    bytes: usize,
    mark: Mark,
    /// Towards the front.
    newer: Option<usize>,
    /// Towards the back.
    older: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    AskedFor,
    None,
}

/// Whether a value could be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is there; others may have gone for it.
    Yes,
    /// It would take too much of the room, or there is no memory.
    No,
}

impl<T> Shelf<T> {
    /// Room for so many bytes.
    pub fn new(most_bytes: usize, hash: NameHash) -> Self {
        Self {
            places: HashMap::with_hasher(hash),
            nodes: Vec::new(),
            free: Vec::new(),
            front: None,
            back: None,
            hand: None,
            bytes: 0,
            most_bytes,
        }
    }

    /// From now on so many; what is too much goes.
    pub fn set_most_bytes(&mut self, most_bytes: usize) {
        self.most_bytes = most_bytes;
        self.make_room(0);
    }

    /// The bytes that are taken, names and overhead included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is room for anything at all.
    pub fn is_open(&self) -> bool {
        self.most_bytes > 0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The value of this name, which is marked as asked for.
    pub fn ask_for(&mut self, name: &[u8]) -> Option<&mut T> {
        let at = *self.places.get(name)?;
        let node = self.node(at)?;
        node.mark = Mark::AskedFor;
        Some(&mut node.value)
    }

    /// Whether there is a value of this name.
    #[cfg(test)]
    fn contains(&self, name: &[u8]) -> bool {
        self.places.contains_key(name)
    }

    /// Puts a value of so many bytes there, in the place of the one of this name if there is one.
    pub fn put(&mut self, name: &[u8], value: T, bytes: usize) -> Kept {
        let bytes = bytes.saturating_add(name.len()).saturating_add(OVERHEAD);
        // One value is not worth many others.
        if bytes > self.most_bytes / 8 {
            self.remove(name);
            return Kept::No;
        }
        let mark = match self.remove(name) {
            Some(node) => node.mark,
            None => Mark::None,
        };
        self.make_room(bytes);
        let has_memory = self.places.try_reserve(1).is_ok() && self.nodes.try_reserve(1).is_ok();
        if !has_memory {
            return Kept::No;
        }
        let name: Rc<[u8]> = name.into();
        let node = Node {
            name: Rc::clone(&name),
            value,
            bytes,
            mark,
            newer: None,
            older: self.front,
        };
        let at = self.settle(node);
        self.places.insert(name, at);
        Kept::Yes
    }

    /// Takes the value of this name away.
    pub fn take(&mut self, name: &[u8]) -> Option<T> {
        self.remove(name).map(|node| node.value)
    }

    /// Takes away those at the next `count` places that are over; gives the place to go on from, or `None` behind the last.
    pub fn weed(
        &mut self,
        from: usize,
        count: usize,
        mut is_over: impl FnMut(&T) -> bool,
    ) -> Option<usize> {
        let to = from.saturating_add(count);
        for at in from..to.min(self.nodes.len()) {
            if self.node(at).is_some_and(|node| is_over(&node.value)) {
                self.remove_at(at);
            }
        }
        (to < self.nodes.len()).then_some(to)
    }

    /// Looks at every value, which is not asked for by that.
    pub fn each(&mut self, look: impl FnMut(&mut T)) {
        let nodes = self.nodes.iter_mut().flatten();
        nodes.map(|node| &mut node.value).for_each(look);
    }

    fn settle(&mut self, node: Node<T>) -> usize {
        self.bytes = self.bytes.saturating_add(node.bytes);
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                self.nodes.push(None);
                self.nodes.len().saturating_sub(1)
            }
        };
        if let Some(place) = self.nodes.get_mut(at) {
            *place = Some(node);
        }
        match self.front.and_then(|front| self.node(front)) {
            Some(front) => front.newer = Some(at),
            None => self.back = Some(at),
        }
        self.front = Some(at);
        at
    }

    /// Takes values away until so many bytes are free.
    fn make_room(&mut self, bytes: usize) {
        while self.bytes.saturating_add(bytes) > self.most_bytes {
            let Some(at) = self.next_to_go() else {
                break;
            };
            self.remove_at(at);
        }
    }

    /// Goes on with the hand to the first value without a mark. Each step takes a mark away, so it ends.
    fn next_to_go(&mut self) -> Option<usize> {
        let mut at = self.hand.or(self.back)?;
        loop {
            let back = self.back?;
            let node = self.node(at)?;
            let next = node.newer;
            if node.mark == Mark::None {
                self.hand = next;
                return Some(at);
            }
            node.mark = Mark::None;
            at = next.unwrap_or(back);
        }
    }

    fn remove(&mut self, name: &[u8]) -> Option<Node<T>> {
        let at = *self.places.get(name)?;
        self.remove_at(at)
    }

    fn remove_at(&mut self, at: usize) -> Option<Node<T>> {
        let node = self.nodes.get_mut(at)?.take()?;
        self.places.remove(&node.name);
        self.free.push(at);
        self.bytes = self.bytes.saturating_sub(node.bytes);
        match node.newer.and_then(|newer| self.node(newer)) {
            Some(newer) => newer.older = node.older,
            None => self.front = node.older,
        }
        match node.older.and_then(|older| self.node(older)) {
            Some(older) => older.newer = node.newer,
            None => self.back = node.newer,
        }
        if self.hand == Some(at) {
            self.hand = node.newer;
        }
        Some(node)
    }

    fn node(&mut self, at: usize) -> Option<&mut Node<T>> {
        self.nodes.get_mut(at)?.as_mut()
    }
}

impl<T> fmt::Debug for Shelf<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Shelf")
            .field("values", &self.places.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: usize = 840; // with name and overhead 1,001

    fn names(shelf: &Shelf<u32>) -> Vec<String> {
        let mut names: Vec<String> = shelf
            .places
            .keys()
            .map(|name| String::from_utf8(name.to_vec()).unwrap())
            .collect();
        names.sort();
        names
    }

    fn shelf_with(values: &[&str]) -> Shelf<u32> {
        let mut shelf = Shelf::new(10_010, NameHash::new(7));
        for name in values {
            assert_eq!(shelf.put(name.as_bytes(), 0, ONE), Kept::Yes);
        }
        shelf
    }

    #[test]
    fn what_is_over_is_taken_away_a_few_at_a_time() {
        let mut shelf = Shelf::new(1 << 20, NameHash::new(1));
        for number in 0..10u8 {
            shelf.put(&[number], number, 1);
        }
        let mut from = Some(0);
        let mut steps = 0;
        while let Some(at) = from {
            from = shelf.weed(at, 3, |number| number % 2 == 0);
            steps += 1;
        }
        let left: Vec<u8> = (0..10)
            .filter(|number| shelf.contains(&[*number]))
            .collect();
        assert_eq!((steps, left), (4, vec![1, 3, 5, 7, 9]));
        let bytes = shelf.bytes();
        shelf.put(b"x", 0, 1);
        shelf.take(b"x");
        assert_eq!(shelf.bytes(), bytes);
    }

    #[test]
    fn what_is_asked_for_outlives_what_is_not() {
        let mut shelf = shelf_with(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
        assert_eq!(shelf.bytes(), 10_010);
        for name in ["a", "c"] {
            assert!(shelf.ask_for(name.as_bytes()).is_some());
        }
        for name in ["1", "2"] {
            assert_eq!(shelf.put(name.as_bytes(), 0, ONE), Kept::Yes);
        }
        assert_eq!(names(&shelf).concat(), "12acefghij");
        // A scan goes through what is new; what was asked for stays.
        for n in 3..9 {
            shelf.put(n.to_string().as_bytes(), 0, ONE);
        }
        assert_eq!(names(&shelf).concat(), "12345678ac");
    }

    #[test]
    fn a_value_takes_the_place_of_the_one_of_its_name_and_keeps_its_mark() {
        let mut shelf = shelf_with(&["a", "b"]);
        shelf.ask_for(b"a");
        assert_eq!(shelf.put(b"a", 7, 40), Kept::Yes);
        assert_eq!((shelf.len(), shelf.bytes()), (2, 1_001 + 201));
        shelf.set_most_bytes(500);
        assert_eq!(names(&shelf), ["a"], "it was asked for");
        assert_eq!(shelf.take(b"a"), Some(7));
        assert!(shelf.is_empty() && shelf.bytes() == 0);
    }

    #[test]
    fn one_value_does_not_take_everything() {
        let mut shelf = shelf_with(&["a"]);
        assert_eq!(shelf.put(b"large", 0, 1_200), Kept::No);
        assert_eq!(shelf.put(b"a", 0, 1_200), Kept::No);
        assert!(shelf.is_empty(), "what is no longer so does not stay");
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn it_stays_a_map_and_within_its_bounds(acts in proptest::collection::vec((0u8..4, 0u8..12, 0usize..1_000), 0..200)) {
            let mut shelf = Shelf::new(6_000, NameHash::new(7));
            let mut last = HashMap::new();
            for (turn, (act, name, bytes)) in acts.into_iter().enumerate() {
                let name = [name];
                match act {
                    0 => {
                        if let Some(value) = shelf.ask_for(&name) {
                            prop_assert_eq!(Some(&*value), last.get(&name));
                        }
                    }
                    1 => {
                        shelf.take(&name);
                        prop_assert!(!shelf.contains(&name));
                    }
                    _ => {
                        let kept = shelf.put(&name, turn, bytes);
                        prop_assert_eq!(shelf.contains(&name), kept != Kept::No);
                        last.insert(name, turn);
                    }
                }
                prop_assert!(shelf.bytes() <= 6_000);
                let nodes: Vec<_> = shelf.nodes.iter().flatten().collect();
                prop_assert_eq!(nodes.len(), shelf.len());
                prop_assert_eq!(nodes.iter().map(|node| node.bytes).sum::<usize>(), shelf.bytes());
                let next = |node: &&Node<usize>| node.newer.and_then(|at| shelf.nodes[at].as_ref());
                let last = shelf.back.and_then(|at| shelf.nodes[at].as_ref());
                prop_assert_eq!(std::iter::successors(last, next).count(), shelf.len());
            }
        }
    }
}
