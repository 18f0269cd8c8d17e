//! What all requests share.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, timeout};

use crate::fleet::Reported;
use crate::follower::{Follower, Health, Pulse};
use crate::judge::Capacity;
use crate::management::FrontDesk;
use crate::metrics::{Family, Metrics};
use crate::refusal::Refusal;
use crate::roster::Roster;
use crate::settings::Settings;
use crate::store::{Store, StoreError};

/// What all requests share.
#[derive(Debug)]
pub struct Service {
    /// How it runs.
    pub settings: Settings,
    /// What the replicas share.
    pub store: Store,
    /// What this replica has read of the log.
    pub follower: Arc<Follower>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What this replica has heard of instances.
    pub roster: Roster,
    /// Who lets people in; none where there is no token.
    pub front: Option<FrontDesk>,
    /// For those that follow the log.
    polls: Semaphore,
    /// For those that wait for entries, which clients cause.
    looks: Semaphore,
    requests: Semaphore,
    drain: watch::Sender<bool>,
}

/// A request that waits for something, as long as this lives.
#[derive(Debug)]
pub struct Waiting<'a> {
    metrics: &'a Metrics,
    what: &'static str,
    _permit: SemaphorePermit<'a>,
}

/// Why somebody who waits is not to wait any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// The service goes down.
    Drain,
    /// The store does not answer.
    Lost,
}

impl Service {
    /// Over this store.
    pub fn new(settings: Settings, store: Store) -> Arc<Self> {
        let metrics = Arc::new(Metrics::default());
        let follower = Follower::new(store.clone(), Arc::clone(&metrics), Capacity::USUAL);
        Arc::new(Self {
            front: FrontDesk::of(&settings.token_text),
            polls: Semaphore::new(settings.max_waiting),
            looks: Semaphore::new(settings.max_waiting.div_ceil(4)),
            requests: Semaphore::new(settings.max_requests),
            drain: watch::Sender::new(false),
            roster: Roster::default(),
            settings,
            store,
            follower,
            metrics,
        })
    }

    /// No more is waited for, and the service counts as unready.
    pub fn begin_drain(&self) {
        self.drain.send_replace(true);
    }

    /// Whether the service goes down.
    pub fn is_draining(&self) -> bool {
        *self.drain.borrow()
    }

    /// Ready when the service goes down.
    pub async fn drained(&self) {
        let mut drain = self.drain.subscribe();
        // The sender lives as long as this.
        let _ = drain.wait_for(|draining| *draining).await;
    }

    /// A place among those that wait for the log.
    ///
    /// # Errors
    /// Where there are too many, or the service goes down.
    pub fn wait_for_log(&self) -> Result<Waiting<'_>, Refusal> {
        if self.is_draining() {
            return Err(Refusal::unavailable("the service goes down"));
        }
        let waiting = self.wait("invalidations", &self.polls);
        waiting.ok_or_else(|| Refusal::unavailable("too many wait already"))
    }

    /// A place among those that wait for entries; `None` where there is none. Clients cause these, so they never take that of one
    /// that follows the log.
    pub fn wait_for_entry(&self) -> Option<Waiting<'_>> {
        match self.is_draining() {
            true => None,
            false => self.wait("entries", &self.looks),
        }
    }

    fn wait<'a>(&'a self, what: &'static str, room: &'a Semaphore) -> Option<Waiting<'a>> {
        let permit = room.try_acquire().ok()?;
        self.metrics.add(Family::Waiting, &[what], 1);
        Some(Waiting {
            metrics: &self.metrics,
            what,
            _permit: permit,
        })
    }

    /// The instances that may still answer with what was invalidated lately.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn concerned(&self) -> Result<Vec<Reported>, Refusal> {
        let remembered = self.stored("remembered", self.store.remembered()).await?;
        let remembered = remembered.iter().map(Reported::of);
        Ok(remembered.filter(Reported::is_of_concern).collect())
    }

    /// A place among those that are answered.
    ///
    /// # Errors
    /// Where there are too many.
    pub fn enter(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let permit = self.requests.try_acquire();
        permit.map_err(|_| Refusal::unavailable("too many requests at a time"))
    }

    /// Ready when nobody should wait any longer.
    pub async fn disturbed(&self, pulse: &mut watch::Receiver<Pulse>) -> Disturbance {
        let lost = pulse.wait_for(|pulse| pulse.health != Health::Following);
        tokio::select! {
            () = self.drained() => Disturbance::Drain,
            _ = lost => Disturbance::Lost,
        }
    }

    /// A call of the store: timed, and counted where it fails.
    ///
    /// # Errors
    /// As the call has it.
    pub async fn stored<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Refusal> {
        let begun = Instant::now();
        let answer = answer.await;
        self.metrics
            .measure(Family::StoreSeconds, &[call], begun.elapsed());
        answer.map_err(|error| {
            self.metrics.count(Family::StoreErrors, &[call]);
            tracing::debug!(call, %error, "the store did not do its part");
            Refusal::from(error)
        })
    }

    /// The whole of a body that is no longer than that.
    ///
    /// # Errors
    /// Where it is longer, or slow, or breaks off.
    pub async fn body(
        &self,
        request: axum::extract::Request,
        most: usize,
    ) -> Result<Bytes, Refusal> {
        let (parts, body) = request.into_parts();
        let announced = parts.headers.get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if let Some(length) = announced.filter(|length| *length > most as u64) {
            // Whoever is cut off in its body may see a broken connection in place of the answer.
            if length <= (most as u64).saturating_mul(2) {
                let _ = timeout(self.settings.client_timeout, let_go(body)).await;
            }
            return Err(Refusal::too_large(most));
        }
        collect(body, most, self.settings.client_timeout).await
    }
}

/// Reads a body and keeps nothing of it.
async fn let_go(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

async fn collect(body: Body, most: usize, patience: Duration) -> Result<Bytes, Refusal> {
    match timeout(patience, Limited::new(body, most).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::too_large(most)),
        Ok(Err(_)) => Err(Refusal::malformed("the body broke off")),
        Err(_) => Err(Refusal::too_slow()),
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.metrics.take(Family::Waiting, &[self.what]);
    }
}
