//! The stores that are tried.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use larder_admin::store::{
    Appended, Bounds, NewEntry, NewRecord, Reading, Record, Said, Store, StoreError,
};
use larder_core::fleet::{Cursor, InstanceId};
use larder_core::key::KeyDigest;
use larder_harness::valkey::Valkey;
use tokio::sync::Mutex;

/// Small, so that bounds are met.
pub(crate) const BOUNDS: Bounds = Bounds {
    log_records: 100,
    entry_bytes: 1 << 20,
    ..Bounds::USUAL
};

/// A store, and what it stands on.
pub(crate) enum Stage {
    Memory(Store),
    Servers {
        servers: Arc<Servers>,
        fleet: String,
    },
}

/// What has to be there; the plays share it, each with a fleet of its own.
pub(crate) struct Servers {
    url: String,
    _running: Vec<Valkey>,
}

impl Servers {
    fn of(url: String, running: Vec<Valkey>) -> Self {
        Self {
            url,
            _running: running,
        }
    }
}

/// Servers of one kind, for as long as any play needs them.
type Shared = Mutex<Weak<Servers>>;

static ALONE: Shared = Mutex::const_new(Weak::new());
static CLUSTER: Shared = Mutex::const_new(Weak::new());
static SENTINEL: Shared = Mutex::const_new(Weak::new());
static FLEETS: AtomicUsize = AtomicUsize::new(0);

pub(crate) async fn memory() -> Stage {
    Stage::Memory(Store::memory(BOUNDS))
}

pub(crate) async fn valkey() -> Stage {
    let start = async || {
        let valkey = Valkey::start().await.unwrap();
        Servers::of(valkey.url(), vec![valkey])
    };
    Stage::over(&ALONE, start).await
}

pub(crate) async fn cluster() -> Stage {
    let start = async || {
        let nodes = Valkey::cluster(3).await.unwrap();
        Servers::of(nodes[0].url(), nodes)
    };
    Stage::over(&CLUSTER, start).await
}

pub(crate) async fn sentinel() -> Stage {
    let start = async || {
        let primary = Valkey::builder().password("p/1").start().await.unwrap();
        let sentinel = Valkey::builder().sentinel_of(&primary, "larder");
        let sentinel = sentinel
            .setting("sentinel auth-pass larder", "p/1")
            .password("q&2");
        let sentinel = sentinel.start().await.unwrap();
        let url = format!(
            "redis-sentinel://:p%2F1@{}?service=larder&sentinel_password=q%262",
            sentinel.address()
        );
        Servers::of(url, vec![sentinel, primary])
    };
    Stage::over(&SENTINEL, start).await
}

impl Stage {
    async fn over(shared: &Shared, start: impl AsyncFnOnce() -> Servers) -> Self {
        let mut shared = shared.lock().await;
        let servers = match shared.upgrade() {
            Some(servers) => servers,
            None => Arc::new(start().await),
        };
        *shared = Arc::downgrade(&servers);
        let number = FLEETS.fetch_add(1, Ordering::Relaxed);
        let fleet = format!("fleet-{number}");
        Self::Servers { servers, fleet }
    }

    /// As one more replica has it.
    pub(crate) async fn replica(&self) -> Store {
        match self {
            Self::Memory(store) => store.clone(),
            Self::Servers { servers, fleet } => {
                Store::open(&servers.url, fleet, BOUNDS).await.unwrap()
            }
        }
    }
}

/// As one more replica of a fleet has what is at `url`.
pub(crate) async fn open(url: &str) -> Store {
    Store::open(url, "tests", BOUNDS).await.unwrap()
}

pub(crate) fn digest(number: u8) -> KeyDigest {
    KeyDigest([number; 16])
}

pub(crate) fn instance(number: u64) -> InstanceId {
    InstanceId(0xfedc_ba98_0000_0000 | number)
}

/// What `by` says as its word number `seq`.
pub(crate) fn word(by: u64, seq: u64) -> NewRecord {
    let by = instance(by);
    NewRecord {
        said: Some(Said { by, seq }),
        body: Arc::from(format!(r#"{{"word": "{by}.{seq}"}}"#)),
    }
}

pub(crate) async fn append(store: &Store, records: &[NewRecord]) -> Appended {
    store.append(records).await.unwrap()
}

/// So many words of instance 1 from its first, and where the log ends then.
pub(crate) async fn said(store: &Store, count: u64) -> Vec<Cursor> {
    let words: Vec<NewRecord> = (1..=count).map(|seq| word(1, seq)).collect();
    let appended = append(store, &words).await;
    appended.ids.into_iter().map(Option::unwrap).collect()
}

/// The beginning of a log that nothing was written to.
pub(crate) async fn beginning(store: &Store) -> Cursor {
    let extent = store.extent().await.unwrap();
    assert_eq!((extent.oldest, extent.end.position), (None, 0));
    extent.end
}

/// The records of a reading that has to have some, where it leads, and whether there is more.
pub(crate) fn records(reading: Result<Reading, StoreError>) -> (Vec<Record>, Cursor, bool) {
    match reading.unwrap() {
        Reading::Records {
            records,
            cursor,
            more,
        } => (records, cursor, more),
        reading @ Reading::Reset { .. } => panic!("{reading:?}"),
    }
}

pub(crate) fn entry(cursor: Cursor, fence: u64, frame: &str) -> NewEntry {
    NewEntry {
        cursor,
        fence,
        keep: Duration::from_secs(60),
        frame: Bytes::copy_from_slice(frame.as_bytes()),
    }
}

/// A place in a log that nobody looks into.
pub(crate) fn at(position: u64) -> Cursor {
    Cursor {
        log: 0xabcd_ef01_2345_6789,
        position,
        check: 7,
    }
}
