//! The fleet at this moment, gathered for who wants to see it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::overview::{Overview, Snapshot, overview};
use crate::refusal::Refusal;
use crate::service::Service;

/// So many invalidations are shown: each is a call of the store.
const RECENT: usize = 20;

/// `GET overview`, for who has the token.
///
/// # Errors
/// When the store does not answer.
pub async fn glance(service: &Service) -> Result<Overview, Refusal> {
    let end = service.follower.end().ok_or_else(Refusal::lost)?;
    let instances = service.store.instances();
    let instances = service.stored("instances", instances).await?;
    let mut recent = Vec::with_capacity(RECENT);
    for record in service.follower.recent(RECENT) {
        let known = service.store.acknowledged(record.at);
        recent.extend(service.stored("acknowledged", known).await?);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(overview(&Snapshot {
        fleet: &service.settings.fleet,
        now_ms: now.map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        }),
        end,
        config: service.follower.config().map_or(0, |config| config.version),
        instances: &instances,
        recent: &recent,
    }))
}
