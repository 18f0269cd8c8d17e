//! What a store promises, tried on each there is.
//!
//! The plays of [`log`], [`entries`] and [`fleet`] are tried on every store; those of outages, failovers and refusals, on real
//! servers that are killed, paused and spoilt. A play gets a [`stage::Stage`]: a store that nobody else uses, and as many handles to it as replicas would have.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing assertion is the report"
)]

mod bounds;
mod entries;
mod failover;
mod fleet;
mod log;
mod outages;
mod refusals;
mod stage;

/// Every play, on the stage that `$open` gives.
macro_rules! plays {
    ($on:ident, $open:expr, $($part:ident: $($play:ident)+;)+) => {
        mod $on {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $play() {
                    let stage = $open.await;
                    crate::$part::$play(&stage).await;
                }
            )+)+
        }
    };
}

macro_rules! contract {
    ($on:ident, $open:expr) => {
        plays! { $on, $open,
            log:
                records_come_back_in_their_order
                what_was_said_before_is_not_said_again
                the_service_does_not_count
                a_reader_goes_on_behind_what_it_has
                a_cursor_of_another_log_is_found_out
                a_cursor_ahead_is_found_out
                another_record_at_that_place_is_found_out
                a_trimmed_cursor_is_found_out
                a_reader_from_the_oldest_gets_what_is_retained
                the_place_before_the_first_record_is_a_cursor_too
                a_record_is_found_by_its_cursor
                who_spoke_last_comes_first
                a_watch_wakes_when_the_log_grows
                many_append_and_nothing_is_lost_or_twice;
            entries:
                an_entry_comes_back_as_it_was
                an_entry_leaves_when_its_time_is_up
                what_was_fetched_earlier_does_not_replace
                a_later_lead_wins_over_an_earlier_one
                without_a_lead_the_cursor_decides
                an_entry_of_another_log_gives_way
                removed_is_gone
                only_what_was_seen_is_discarded
                an_entry_too_large_is_refused
                a_walk_finds_all_entries
                one_leads_and_the_others_are_told_for_how_long
                a_lead_ends_with_its_time
                only_who_leads_can_end_the_lead
                numbers_of_leads_only_grow
                a_watch_wakes_when_an_entry_comes
                a_watch_wakes_when_a_lead_ends;
            fleet:
                instances_are_as_they_were_heard_of_last
                an_acknowledgement_says_who_and_when
                an_acknowledgement_of_another_log_counts_for_nothing
                a_configuration_is_replaced_by_who_has_seen_it
                a_watch_wakes_when_the_configuration_changes
                a_document_stays_for_its_time
                the_hottest_come_first
                it_answers;
        }
    };
}

contract!(memory, crate::stage::memory());
contract!(valkey, crate::stage::valkey());
contract!(cluster, crate::stage::cluster());
contract!(sentinel, crate::stage::sentinel());
