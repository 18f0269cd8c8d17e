//! Instances in Redis, and what they have applied.

use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::SortedSetsInterface;
use fred::types::Value;
use larder_core::fleet::{Cursor, InstanceId};

use super::link::Lane;
use super::log::place;
use super::reply::{self, List};
use super::{Redis, argument};
use crate::store::shapes::{Acknowledged, Acknowledgement, Instance};
use crate::store::{INSTANCE_MEMORY, MAX_INSTANCES, MAX_STEPS, StoreError, random};

/// How long it is remembered what an instance that is gone had applied.
const STEPS_EXPIRY: Duration = Duration::from_secs(3600);

impl Redis {
    pub(in crate::store) async fn report(
        &self,
        id: InstanceId,
        applied: Option<Cursor>,
        report: &str,
    ) -> Result<(), StoreError> {
        let applied_text = applied.map_or_else(String::new, |applied| applied.to_string());
        let arguments = vec![
            argument(id.to_string()),
            argument(report),
            argument(applied_text),
            argument(INSTANCE_MEMORY.as_millis().to_string()),
            argument(MAX_INSTANCES.to_string()),
        ];
        let (keys, script) = (self.keys.instances(), &self.scripts.report);
        self.link
            .run(Lane::Control, script, keys, arguments)
            .await?;
        match applied {
            Some(applied) => self.acknowledge(id, applied).await,
            None => Ok(()),
        }
    }

    pub(in crate::store) async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        let arguments = vec![argument(INSTANCE_MEMORY.as_millis().to_string())];
        let (keys, script) = (self.keys.instances(), &self.scripts.instances);
        let answer = self.link.run(Lane::Control, script, keys, arguments);
        let mut all = List::of(answer.await?)?.rest(instance)?;
        all.sort_unstable_by_key(|instance| instance.id);
        Ok(all)
    }

    pub(in crate::store) async fn acknowledge(
        &self,
        id: InstanceId,
        applied: Cursor,
    ) -> Result<(), StoreError> {
        let mut keys = self.keys.log();
        keys.push(self.keys.steps(applied.log, id));
        keys.push(self.keys.steppers(applied.log));
        let [heard, _, applied_key] = instance_keys(self.keys.instances())?;
        keys.extend([heard, applied_key]);
        let mut arguments = vec![
            argument(format!("{:016x}", random::number())),
            argument(id.to_string()),
        ];
        arguments.extend(place(applied));
        arguments.push(argument(MAX_STEPS.to_string()));
        arguments.push(argument(MAX_INSTANCES.to_string()));
        arguments.push(argument(STEPS_EXPIRY.as_millis().to_string()));
        let script = &self.scripts.acknowledge;
        self.link
            .run(Lane::Control, script, keys, arguments)
            .await?;
        Ok(())
    }

    pub(in crate::store) async fn acknowledged(
        &self,
        at: Cursor,
    ) -> Result<Option<Acknowledged>, StoreError> {
        let Some((record, since)) = self.record_since(at).await? else {
            return Ok(None);
        };
        let client = self.link.client(Lane::Control);
        let steppers = self.keys.steppers(at.log);
        let everyone = client.zrange(steppers, 0, -1, None, false, None, false);
        let everyone: Value = self.link.answer(everyone).await?;
        let names = List::of(everyone)?.rest(reply::text)?;
        let ids = names.iter().map(|name| reply::hex(name).map(InstanceId));
        let ids = ids.collect::<Result<Vec<InstanceId>, StoreError>>()?;
        let by = self.steps(at, since, &ids).await?;
        Ok(Some(Acknowledged { record, by }))
    }

    async fn steps(
        &self,
        at: Cursor,
        since: u64,
        ids: &[InstanceId],
    ) -> Result<Vec<Acknowledgement>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys = ids.iter().map(|id| self.keys.steps(at.log, *id)).collect();
        let arguments = vec![argument(at.position.to_string())];
        let script = &self.scripts.steps;
        let answer = self.link.run(Lane::Control, script, keys, arguments);
        let times = List::of(answer.await?)?.rest(reply::text)?;
        let mut by = Vec::new();
        for (instance, time) in ids.iter().zip(times) {
            if !time.is_empty() {
                let lag = reply::number(argument(time))?.saturating_sub(since);
                by.push(Acknowledgement {
                    instance: *instance,
                    lag: Duration::from_millis(lag),
                });
            }
        }
        by.sort_unstable_by_key(|found| (found.lag, found.instance));
        Ok(by)
    }
}

fn instance_keys(keys: Vec<String>) -> Result<[String; 3], StoreError> {
    <[String; 3]>::try_from(keys)
        .map_err(|_| StoreError::Corrupt("instances have three keys".to_owned()))
}

fn instance(value: Value) -> Result<Instance, StoreError> {
    let mut fields = List::of(value)?;
    Ok(Instance {
        id: fields.instance()?,
        age: Duration::from_millis(fields.number()?),
        applied: reply::cursor(&fields.text()?)?,
        report: Arc::from(fields.text()?),
    })
}
