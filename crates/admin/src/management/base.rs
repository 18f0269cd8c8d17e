//! What instances are configured with, as they have told it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fleet::Reported;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::v1::configuration_name;

/// A configuration of some instances.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// What tells it from others.
    pub hash: String,
    /// So many of those that were heard of have it.
    pub instances: usize,
    /// What it says.
    pub configuration: Value,
}

/// The configurations that are known, that of most instances first.
///
/// # Errors
/// Where the store does not answer.
pub(super) async fn bases(service: &Service, instances: &[Reported]) -> Result<Vec<Base>, Refusal> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for instance in instances {
        if let Some(hash) = instance.report.get("config_hash").and_then(Value::as_str) {
            let count = counts.entry(hash.to_owned()).or_default();
            *count = count.saturating_add(1);
        }
    }
    let mut bases = Vec::new();
    for (hash, instances) in counts {
        let name = configuration_name(&hash);
        let document = service.stored("document", service.store.document(&name));
        let text = document.await?.unwrap_or_default();
        if let Ok(configuration @ Value::Object(_)) = serde_json::from_str(&text) {
            bases.push(Base {
                hash,
                instances,
                configuration,
            });
        }
    }
    bases.sort_by_key(|base| std::cmp::Reverse(base.instances));
    Ok(bases)
}

/// That of most; where none is known, one that says nothing.
pub(super) fn foremost(bases: &[Base]) -> Value {
    let first = bases.first();
    first.map_or(json!({}), |base| base.configuration.clone())
}
