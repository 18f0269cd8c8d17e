//! Configuration, documents and heat in Redis.

use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::{HashesInterface, KeysInterface};
use fred::types::{Expiration, Value};

use super::link::Lane;
use super::reply::{self, List};
use super::{Redis, argument};
use crate::store::StoreError;
use crate::store::shapes::{HEAT_HALF_LIFE, Heat, MAX_HEAT_NAME, Replaced, Versioned};

impl Redis {
    pub(in crate::store) async fn config(&self) -> Result<Option<Versioned>, StoreError> {
        let client = self.link.client(Lane::Control);
        let fields = vec!["version", "body"];
        let answer = client.hmget(self.keys.config(), fields);
        let mut answer = List::of(self.link.answer(answer).await?)?;
        let Some(version) = reply::optional(answer.next()?) else {
            return Ok(None);
        };
        Ok(Some(Versioned {
            version: reply::number(version)?,
            body: Arc::from(answer.text()?),
        }))
    }

    pub(in crate::store) async fn put_config(
        &self,
        seen: u64,
        body: &str,
    ) -> Result<Replaced, StoreError> {
        let arguments = vec![
            argument(self.keys.channel()),
            argument(seen.to_string()),
            argument(body),
        ];
        let (keys, script) = (vec![self.keys.config()], &self.scripts.config);
        let answer = self.link.run(Lane::Control, script, keys, arguments);
        let mut answer = List::of(answer.await?)?;
        let (stored, version) = (answer.number()?, answer.number()?);
        Ok(match stored {
            0 => Replaced::Conflict(version),
            _ => Replaced::Stored(version),
        })
    }

    pub(in crate::store) async fn document(
        &self,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        let client = self.link.client(Lane::Control);
        let answer: Value = self
            .link
            .answer(client.get(self.keys.document(name)))
            .await?;
        reply::optional(answer).map(reply::text).transpose()
    }

    pub(in crate::store) async fn put_document(
        &self,
        name: &str,
        body: &str,
        keep: Duration,
    ) -> Result<(), StoreError> {
        let client = self.link.client(Lane::Control);
        let keep = i64::try_from(keep.as_millis().max(1)).unwrap_or(i64::MAX);
        let key = self.keys.document(name);
        let put = client.set(key, body, Some(Expiration::PX(keep)), None, false);
        self.link.answer(put).await
    }

    pub(in crate::store) async fn remove_document(&self, name: &str) -> Result<(), StoreError> {
        let client = self.link.client(Lane::Control);
        self.link.answer(client.del(self.keys.document(name))).await
    }

    pub(in crate::store) async fn add_heat(&self, asked: &[Heat]) -> Result<(), StoreError> {
        let counted = asked.iter().filter(|heat| heat.name.len() <= MAX_HEAT_NAME);
        let counts = counted
            .flat_map(|heat| [argument(heat.count.to_string()), argument(&*heat.name)])
            .collect();
        self.heat(0, counts).await?;
        Ok(())
    }

    pub(in crate::store) async fn hottest(&self, limit: usize) -> Result<Vec<Heat>, StoreError> {
        let answer = self.heat(limit, Vec::new()).await?;
        List::of(answer)?.rest(|value| {
            let mut pair = List::of(value)?;
            Ok(Heat {
                name: Arc::from(pair.text()?),
                count: pair.number()?,
            })
        })
    }

    async fn heat(&self, limit: usize, counts: Vec<Value>) -> Result<Value, StoreError> {
        let mut arguments = vec![
            argument(HEAT_HALF_LIFE.as_millis().to_string()),
            argument(self.bounds.heat.to_string()),
            argument(limit.to_string()),
        ];
        arguments.extend(counts);
        let (keys, script) = (self.keys.heat(), &self.scripts.heat);
        self.link.run(Lane::Control, script, keys, arguments).await
    }
}
