//! Two parts of one body as one.

use crate::http::Span;
use crate::policy::Reason;

/// Whether two parts have the same bytes where they overlap.
pub(super) fn agree((one, one_span): (&[u8], Span), (other, other_span): (&[u8], Span)) -> bool {
    match one_span.common(other_span) {
        None => true,
        Some(common) => {
            let bytes = |body, span| common.within(span).map(|common| common.of(body));
            bytes(one, one_span) == bytes(other, other_span)
        }
    }
}

/// Two parts that touch as one.
pub(super) fn join(one: (Vec<u8>, Span), other: (Vec<u8>, Span)) -> Result<Vec<u8>, Reason> {
    let ((mut front, span), (back, back_span)) = if one.1.first() <= other.1.first() {
        (one, other)
    } else {
        (other, one)
    };
    let known = span
        .last()
        .saturating_add(1)
        .saturating_sub(back_span.first());
    let more = back.get(known..).unwrap_or_default();
    front
        .try_reserve_exact(more.len())
        .map_err(|_| Reason::Busy)?;
    front.extend_from_slice(more);
    Ok(front)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test may fail"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(body: &[u8], span: Span) -> (Vec<u8>, Span) {
        (span.of(body).to_vec(), span)
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn parts_that_touch_become_the_bytes_of_the_representation(
            spans in proptest::collection::vec((0..40_usize, 0..20_usize), 1..12),
        ) {
            let body: Vec<u8> = (0..60).collect();
            let mut spans = spans.into_iter().map(|(first, more)| Span::new(first, first + more).unwrap());
            let mut held = part(&body, spans.next().unwrap());
            for span in spans {
                let new = part(&body, span);
                prop_assert!(agree((&held.0, held.1), (&new.0, span)));
                if let Some(union) = held.1.joined(span) {
                    held = (join(held, new).unwrap(), union);
                }
                prop_assert_eq!(&held.0[..], held.1.of(&body));
            }
        }

        #[test]
        fn parts_that_overlap_in_other_bytes_do_not_agree(
            one in (0..20_usize, 0..20_usize), other in (0..20_usize, 0..20_usize),
        ) {
            let span = |(first, more): (usize, usize)| Span::new(first, first + more).unwrap();
            let (one, other) = (span(one), span(other));
            let (ones, others) = ([1; 40], [2; 40]);
            let found = agree((one.of(&ones), one), (other.of(&others), other));
            prop_assert_eq!(found, !one.overlaps(other));
        }
    }
}
