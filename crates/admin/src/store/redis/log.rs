//! The log in Redis: a stream whose ids are the positions, and a head that says where it ends.

use std::sync::Arc;
use std::time::Duration;

use fred::types::Value;
use larder_core::fleet::Cursor;

use super::link::Lane;
use super::reply::{self, List};
use super::script::Script;
use super::{Redis, argument, digits};
use crate::store::shapes::{Appended, Extent, Loss, NewRecord, READ_BYTES, Reading, Record, Said};
use crate::store::{MAX_INSTANCES, StoreError, random};

/// So many records in one script, since nobody else is served while one runs.
const CHUNK: usize = 500;

impl Redis {
    pub(in crate::store) async fn append(
        &self,
        records: &[NewRecord],
    ) -> Result<Appended, StoreError> {
        let mut ids = Vec::with_capacity(records.len());
        let mut end = None;
        for chunk in records.chunks(CHUNK) {
            end = Some(self.append_some(chunk, &mut ids).await?);
        }
        let end = match end {
            Some(end) => end,
            None => self.extent().await?.end,
        };
        if ids.contains(&None) {
            self.find(records, &mut ids).await?;
        }
        Ok(Appended { ids, end })
    }

    async fn append_some(
        &self,
        records: &[NewRecord],
        ids: &mut Vec<Option<Cursor>>,
    ) -> Result<Cursor, StoreError> {
        let mut arguments = vec![
            argument(self.keys.channel()),
            argument(self.bounds.log_records.max(1).to_string()),
            argument(MAX_INSTANCES.to_string()),
        ];
        for record in records {
            let (by, seq) = spoken(record.said);
            arguments.extend([by, seq]);
            arguments.push(argument(format!("{:08x}", random::check())));
            arguments.push(argument(&*record.body));
        }
        let mut answer = List::of(self.log(&self.scripts.append, arguments).await?)?;
        let end = answer.cursor()?;
        let places = answer.list()?.rest(reply::text)?;
        if places.len() != records.len() {
            let said = "not as many places as records".to_owned();
            return Err(StoreError::Corrupt(said));
        }
        for place in places {
            ids.push(reply::place(end.log, &place)?);
        }
        Ok(end)
    }

    /// Where those stand that were said before.
    async fn find(
        &self,
        records: &[NewRecord],
        ids: &mut [Option<Cursor>],
    ) -> Result<(), StoreError> {
        let missing = || {
            records
                .iter()
                .zip(ids.iter())
                .filter(|(_, id)| id.is_none())
        };
        let arguments = missing()
            .flat_map(|(record, _)| <[Value; 2]>::from(spoken(record.said)))
            .collect();
        let mut answer = List::of(self.log(&self.scripts.find, arguments).await?)?;
        let log = answer.hex()?;
        let mut places = answer.list()?.rest(reply::text)?.into_iter();
        for id in ids.iter_mut().filter(|id| id.is_none()) {
            *id = reply::place(log, &places.next().unwrap_or_default())?;
        }
        Ok(())
    }

    pub(in crate::store) async fn read(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Reading, StoreError> {
        let mut arguments = vec![
            argument(limit.to_string()),
            argument(READ_BYTES.to_string()),
        ];
        arguments.extend(after.into_iter().flat_map(place));
        let mut answer = List::of(self.log(&self.scripts.read, arguments).await?)?;
        let kind = answer.text()?;
        let cursor = answer.cursor()?;
        let loss = match kind.as_str() {
            "records" => return records(answer, after, cursor),
            "other" => Loss::OtherLog,
            "rewritten" => Loss::Rewritten,
            "trimmed" => Loss::Trimmed,
            _ => return Err(StoreError::Corrupt(format!("{kind:?} is not a reading"))),
        };
        Ok(Reading::Reset { cursor, loss })
    }

    pub(in crate::store) async fn record(&self, at: Cursor) -> Result<Option<Record>, StoreError> {
        let found = self.record_since(at).await?;
        Ok(found.map(|(record, _)| record))
    }

    /// And when it was put there, in milliseconds by the store's clock.
    pub(super) async fn record_since(
        &self,
        at: Cursor,
    ) -> Result<Option<(Record, u64)>, StoreError> {
        let answer = self.log(&self.scripts.record, place(at).into()).await?;
        let Some(answer) = reply::optional(answer) else {
            return Ok(None);
        };
        let mut answer = List::of(answer)?;
        let now = answer.number()?;
        let record = record(answer.next()?, at.log, now)?;
        let age = u64::try_from(record.age.as_millis()).unwrap_or_default();
        Ok(Some((record, now.saturating_sub(age))))
    }

    pub(in crate::store) async fn extent(&self) -> Result<Extent, StoreError> {
        let mut answer = List::of(self.log(&self.scripts.extent, Vec::new()).await?)?;
        let end = answer.cursor()?;
        let oldest = match answer.text()?.as_str() {
            "" => None,
            oldest => Some(reply::number(argument(oldest))?),
        };
        Ok(Extent { oldest, end })
    }

    pub(in crate::store) async fn last_said(&self, limit: usize) -> Result<Vec<Said>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let arguments = vec![argument(limit.to_string())];
        let answer = self.log(&self.scripts.said, arguments).await?;
        List::of(answer)?.rest(|value| {
            let mut pair = List::of(value)?;
            Ok(Said {
                by: pair.instance()?,
                seq: pair.number()?,
            })
        })
    }

    /// Runs a script on the log; the name of one that would begin is its first argument.
    async fn log(&self, script: &Script, arguments: Vec<Value>) -> Result<Value, StoreError> {
        let mut all = vec![argument(format!("{:016x}", random::number()))];
        all.extend(arguments);
        let keys = self.keys.log();
        self.link.run(Lane::Control, script, keys, all).await
    }
}

/// Log, position, check.
pub(super) fn place(cursor: Cursor) -> [Value; 3] {
    [
        argument(format!("{:016x}", cursor.log)),
        argument(cursor.position.to_string()),
        argument(format!("{:08x}", cursor.check)),
    ]
}

/// By, seq; nothing for the service.
fn spoken(said: Option<Said>) -> (Value, Value) {
    match said {
        Some(said) => (argument(said.by.to_string()), digits(said.seq)),
        None => (argument(""), argument("")),
    }
}

fn records(mut answer: List, after: Option<Cursor>, end: Cursor) -> Result<Reading, StoreError> {
    let (now, more) = (answer.number()?, answer.number()? != 0);
    let records = answer.list()?.rest(|value| record(value, end.log, now))?;
    let start = after.unwrap_or(end);
    Ok(Reading::Records {
        cursor: records.last().map_or(start, |record| record.at),
        records,
        more,
    })
}

fn record(value: Value, log: u64, now: u64) -> Result<Record, StoreError> {
    let mut fields = List::of(value)?;
    let position = fields.number()?;
    let (by, seq) = (fields.text()?, fields.text()?);
    let said = if by.is_empty() {
        Said::by_the_service(position)
    } else {
        Said {
            by: larder_core::fleet::InstanceId(reply::hex(&by)?),
            seq: reply::number(argument(seq))?,
        }
    };
    let at = Cursor {
        log,
        position,
        check: fields.check()?,
    };
    let since = fields.number()?;
    Ok(Record {
        at,
        said,
        age: Duration::from_millis(now.saturating_sub(since)),
        body: Arc::from(fields.text()?),
    })
}
