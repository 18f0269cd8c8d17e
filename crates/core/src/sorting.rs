//! Sorting, in little code.
//!
//! The standard library's sorts are compiled anew for each type, five to fifteen kilobytes each time, which is more than
//! what they sort ever takes. Here the work is done once, on places.

use std::cmp::Ordering;

/// Sorts; what is equal keeps its order. In time n·log n, whoever wrote the items.
pub fn sort_by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    if items.is_sorted_by(|one, other| compare(one, other) != Ordering::Greater) {
        return; // as most of what clients send
    }
    let mut by_place = |one: usize, other: usize| match (items.get(one), items.get(other)) {
        (Some(one), Some(other)) => compare(one, other),
        (None, _) | (_, None) => Ordering::Equal, // every place is one of an item
    };
    let places = sorted((0..items.len()).collect(), &mut by_place);
    let mut rest: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    let taken = places
        .into_iter()
        .filter_map(|place| rest.get_mut(place)?.take());
    items.extend(taken);
}

fn sorted(mut places: Vec<usize>, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    if places.len() < 2 {
        return places;
    }
    let behind = places.split_off(places.len() / 2);
    let (places, behind) = (sorted(places, compare), sorted(behind, compare));
    let mut merged = Vec::with_capacity(places.len().saturating_add(behind.len()));
    let (mut places, mut behind) = (places.into_iter().peekable(), behind.into_iter().peekable());
    loop {
        let next = match (places.peek(), behind.peek()) {
            (Some(one), Some(other)) if compare(*one, *other) == Ordering::Greater => behind.next(),
            (Some(_), _) => places.next(),
            (None, _) => behind.next(),
        };
        match next {
            Some(place) => merged.push(place),
            None => return merged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn it_is_the_standard_librarys_stable_sort(
            keys in proptest::collection::vec(0_u8..20, 0..40)
        ) {
            let mut items: Vec<(u8, usize)> = keys.into_iter().zip(0..).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|(key, _)| *key);
            sort_by(&mut items, |(one, _), (other, _)| one.cmp(other));
            prop_assert_eq!(items, expected);
        }
    }
}
