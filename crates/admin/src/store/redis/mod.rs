//! A store in Redis or Valkey: alone, behind Sentinels, or a Cluster.
//!
//! What has to happen at once is a script; scripts take the time from the server that runs them. Numbers that may be larger
//! than Lua can count are compared as text of 20 digits. See `docs/adr/028-what-replicas-share-stands-in-redis.md`.

mod address;
mod documents;
mod ears;
mod entries;
mod instances;
mod keys;
mod link;
mod log;
mod packing;
mod reply;
mod script;

use fred::interfaces::KeysInterface;
use fred::types::{Expiration, Value};

use super::bell::Bell;
use super::{Bounds, StoreError};
pub use address::AddressError;
pub(super) use address::{Address, Servers};
pub(super) use entries::Walk;
use keys::Keys;
use link::{Lane, Link};
use script::Scripts;

#[derive(Debug)]
pub(super) struct Redis {
    servers: Servers,
    bounds: Bounds,
    bell: Bell,
    keys: Keys,
    scripts: Scripts,
    link: Link,
}

impl Redis {
    pub(super) async fn open(
        servers: Servers,
        fleet: &str,
        bounds: Bounds,
    ) -> Result<Self, StoreError> {
        let (keys, bell) = (Keys::new(fleet), Bell::new());
        let link = Link::open(&servers, keys.channel(), bell.clone())?;
        link.settle().await;
        Ok(Self {
            servers,
            bounds,
            bell,
            keys,
            scripts: Scripts::new(),
            link,
        })
    }

    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(super) fn servers(&self) -> &Servers {
        &self.servers
    }

    /// Whether it can be written to, too.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let expiry = Some(Expiration::EX(60));
        let client = self.link.client(Lane::Control);
        let probe = client.set(self.keys.probe(), 1, expiry, None, false);
        self.link.answer(probe).await
    }
}

/// An argument of a script.
fn argument(value: impl Into<Value>) -> Value {
    value.into()
}

fn digits(number: u64) -> Value {
    argument(format!("{number:020}"))
}
