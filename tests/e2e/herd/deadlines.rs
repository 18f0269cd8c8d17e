//! Nobody waits past the deadline, whatever the one does that asks.

use std::time::{Duration, Instant};

use larder_harness::client::Protocol;
use larder_harness::origin::Gate;
use larder_harness::wait::{PATIENCE, eventually};

use super::{assert_all, assert_calm, crowd, first_then, get, in_hand, longest, page, seen, stage};

const CLIENTS: usize = 50;

/// Ticks are up to half a second apart where nobody waits, and the machine has other things to do.
const SLACK: Duration = Duration::from_secs(4);

/// The origin never answers. After the deadline one more asks it, after the next one all do: whatever happens then is
/// between them and the origin.
#[tokio::test(flavor = "multi_thread")]
async fn behind_an_origin_that_never_answers_all_go_by_themselves_in_the_end() {
    for workers in [1, 2] {
        let (stage, gate) = (stage(workers, 1).await, Gate::closed());
        stage.origin.on("/page", page("body").behind(&gate));
        let began = Instant::now();
        let asking = crowd(&stage, Protocol::Http1, CLIENTS)
            .await
            .begin(|_| get("/page"));
        // One that takes over, on each worker at most.
        let mut steps = Vec::new();
        eventually("everybody asks the origin", PATIENCE, async || {
            let asked = stage.origin.count("/page");
            if steps.last() != Some(&asked) {
                steps.push(asked);
            }
            asked == CLIENTS
        })
        .await;
        let waited = began.elapsed();
        assert!(waited < Duration::from_secs(2) + SLACK, "{waited:?}");
        assert!(
            waited >= Duration::from_secs(1),
            "they did wait: {waited:?}"
        );
        assert!(steps.contains(&1) && steps.contains(&2), "{steps:?}");
        eventually("that is counted", PATIENCE, async || {
            stage.counter("larder_lock_timeouts_total").await > 0
        })
        .await;
        gate.open();
        let (clients, told) = asking.told().await;
        assert_all(&told, "body");
        assert_calm(&stage, clients, "/next").await;
    }
}

/// The one that took over is quick: everybody else has its answer.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_over_answers_the_others() {
    let (stage, gate) = (stage(2, 1).await, Gate::closed());
    let play = first_then(page("slow").behind(&gate), page("quick"));
    stage.origin.on_call("/page", play);
    let leader = crowd(&stage, Protocol::Http1, 1)
        .await
        .begin(|_| get("/page"));
    seen(&stage, "/page", 1).await;
    let (clients, told) = crowd(&stage, Protocol::Http1, CLIENTS)
        .await
        .ask(|_| get("/page"))
        .await;
    assert_all(&told, "quick");
    let longest = longest(&told);
    assert!(longest < Duration::from_secs(1) + SLACK, "{longest:?}");
    assert_eq!(stage.origin.count("/page"), 2);
    gate.open();
    let (_, told) = leader.told().await;
    assert_all(&told, "slow");
    assert_calm(&stage, clients, "/next").await;
}

/// As many wait as may; the others go by themselves at once.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_wait_than_there_is_room_for() {
    let configuration =
        r#"{"coalesce": {"wait_seconds": 60, "max_waiters": 10}, "management": {}}"#;
    let (stage, gate) = (
        crate::management::stage_of(2, crate::management::managed(configuration)).await,
        Gate::closed(),
    );
    stage.origin.on("/page", page("body").behind(&gate));
    let asking = crowd(&stage, Protocol::Http1, CLIENTS)
        .await
        .begin(|_| get("/page"));
    in_hand(&stage, CLIENTS).await;
    seen(&stage, "/page", CLIENTS - 20).await;
    gate.open();
    let (clients, told) = asking.told().await;
    assert_all(&told, "body");
    // The kernel may have brought nearly all of them to one worker.
    let asked = stage.origin.count("/page");
    assert!((CLIENTS - 20..=CLIENTS - 10).contains(&asked), "{asked}");
    drop(clients);
    stage.assert_unharmed().await;
}
