//! Several Envoys as one cache: a store, replicas of the service over it, and proxies in front of one origin.
//!
//! A play names its members by number, from 0: `fleet.get(1, "/doc")` asks the second Envoy, `fleet.admins[0].kill()` ends
//! the first replica.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use crate::admin::{self, Admin, SECRET, TOKEN};
use crate::client::{self, Answer, Client, Protocol, Request};
use crate::envoy::{Cluster, Envoy, Listener, Wasm};
use crate::origin::Origin;
use crate::tools;
use crate::valkey::Valkey;
use crate::wait::{self, PATIENCE};

/// The name of the listener with Larder.
pub const MAIN: &str = "main";
/// The name of the service's cluster.
pub const CLUSTER: &str = "larder_admin";
/// The host that clients ask for, unless they say otherwise.
pub const HOST: &str = "api.example.com";

/// What went wrong with one of the members.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What a fleet will be.
#[derive(Clone, Debug)]
pub struct Plan {
    configuration: Map<String, Value>,
    admins: usize,
    envoys: usize,
    workers: usize,
    reach: Reach,
    secret: String,
    instead: Option<SocketAddr>,
}

/// Which replicas a proxy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// All of them, as operators have it.
    All,
    /// One of them, so that a play can cut off one proxy alone.
    One,
}

impl Plan {
    /// So many replicas; 2 unless said otherwise.
    #[must_use]
    pub fn admins(mut self, admins: usize) -> Self {
        self.admins = admins;
        self
    }

    /// So many Envoys; 2 unless said otherwise.
    #[must_use]
    pub fn envoys(mut self, envoys: usize) -> Self {
        self.envoys = envoys;
        self
    }

    /// So many workers in each Envoy; 1 unless said otherwise.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets these members of the filter's `admin`.
    #[must_use]
    pub fn admin(mut self, members: &Value) -> Self {
        let admin = self
            .configuration
            .entry("admin")
            .or_insert_with(|| json!({}));
        for (name, value) in members.as_object().into_iter().flatten() {
            admin[name] = value.clone();
        }
        self
    }

    /// Each Envoy knows one replica only: the first one the first, and so on, in turn.
    #[must_use]
    pub fn each_its_own(mut self) -> Self {
        self.reach = Reach::One;
        self
    }

    /// What the Envoys take for the secret of the fleet.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.secret);
        self
    }

    /// What the Envoys take for the service: somebody else, who listens there.
    #[must_use]
    pub fn instead(mut self, somebody: SocketAddr) -> Self {
        self.instead = Some(somebody);
        self
    }

    /// Starts all of it, and waits until every Envoy is heard of.
    ///
    /// # Errors
    /// When a member does not come up.
    pub async fn start(self) -> Result<Fleet, Failure> {
        let mut fleet = self.start_unmet().await?;
        fleet.meet().await?;
        Ok(fleet)
    }

    /// Starts all of it, and does not wait until they have met.
    ///
    /// # Errors
    /// When a member does not come up.
    pub async fn start_unmet(self) -> Result<Fleet, Failure> {
        let valkey = Valkey::builder().persistent().start().await?;
        let mut admins = Vec::new();
        for _ in 0..self.admins {
            admins.push(Admin::over(&valkey.url()).start().await?);
        }
        let mut fleet = Fleet {
            envoys: Vec::new(),
            admins,
            valkey,
            origin: Origin::start().await?,
            plan: self,
        };
        for _ in 0..fleet.plan.envoys {
            fleet.add_envoy().await?;
        }
        Ok(fleet)
    }
}

/// A running fleet; all of it ends with the handle.
#[derive(Debug)]
pub struct Fleet {
    /// The proxies.
    pub envoys: Vec<Envoy>,
    /// The replicas of the service.
    pub admins: Vec<Admin>,
    /// The store of the replicas. What it holds survives a restart.
    pub valkey: Valkey,
    /// What all of them ask.
    pub origin: Origin,
    plan: Plan,
}

impl Fleet {
    /// With this configuration of the filter, as JSON. It gets an `admin` and a `management` where it has none.
    ///
    /// # Panics
    /// When that is no object.
    #[must_use]
    pub fn plan(configuration: &str) -> Plan {
        let parsed: Value = serde_json::from_str(configuration).expect("a configuration in JSON");
        let Value::Object(mut configuration) = parsed else {
            panic!("a configuration is an object");
        };
        configuration
            .entry("management")
            .or_insert_with(|| json!({}));
        let plan = Plan {
            configuration,
            admins: 2,
            envoys: 2,
            workers: 1,
            reach: Reach::All,
            secret: SECRET.to_owned(),
            instead: None,
        };
        plan.admin(&json!({"cluster": CLUSTER}))
    }

    /// Starts one more Envoy, and does not wait until it has met the others; tells its number.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn add_envoy(&mut self) -> Result<usize, Failure> {
        let number = self.envoys.len();
        let envoy = self.envoy(number)?.start().await?;
        self.envoys.push(envoy);
        Ok(number)
    }

    fn envoy(&self, number: usize) -> Result<crate::envoy::Builder, Failure> {
        let all: Vec<SocketAddr> = self.admins.iter().map(Admin::address).collect();
        let known = match (self.plan.instead, self.plan.reach) {
            (Some(somebody), _) => vec![somebody],
            (None, Reach::All) => all,
            (None, Reach::One) => all.into_iter().cycle().skip(number).take(1).collect(),
        };
        let configuration = Value::Object(self.plan.configuration.clone()).to_string();
        let filter = Wasm::new(tools::module()?, &configuration)
            .environment("LARDER_ADMIN_SECRET", &self.plan.secret)
            .environment("LARDER_TOKEN", TOKEN);
        Ok(Envoy::builder()
            .node(&name(number))
            .workers(self.plan.workers)
            .cluster(Cluster::new("origin", self.origin.address()))
            .cluster(Cluster::of_fleet(CLUSTER, &known))
            .listener(Listener::to_cluster(MAIN, "origin").wasm(filter)))
    }

    /// Waits until every Envoy has been heard of and follows the log.
    ///
    /// # Errors
    /// When one is not in time, with what is known of those that are.
    pub async fn meet(&mut self) -> Result<(), Failure> {
        let wanted = self.envoys.len();
        let mut last = Value::Null;
        let met = wait::poll(PATIENCE, async || {
            last = self.instances().await;
            let following = |instance: &&Value| instance["applied"].is_string();
            let count = last.as_array()?.iter().filter(following).count();
            (count >= wanted).then_some(())
        });
        match met.await {
            Some(()) => Ok(()),
            None => Err(format!("{wanted} Envoys have not met in time, only: {last}").into()),
        }
    }

    /// Waits until every Envoy has applied all that stands in the log, and has nothing to say that is not in it.
    ///
    /// # Errors
    /// When one is not in time, with what is known of all.
    pub async fn catch_up(&self) -> Result<(), Failure> {
        let mut last = Value::Null;
        let caught_up = wait::poll(PATIENCE, async || {
            let end = self.end_of_log().await?;
            last = self.instances().await;
            let settled =
                |instance: &Value| instance["applied"] == end.as_str() && instance["pending"] == 0;
            let instances = last.as_array()?;
            (instances.len() >= self.envoys.len() && instances.iter().all(settled)).then_some(())
        });
        match caught_up.await {
            Some(()) => Ok(()),
            None => Err(format!("not all have caught up in time: {last}").into()),
        }
    }

    /// The place behind the last record of the log, as the first replica knows it that answers.
    pub async fn end_of_log(&self) -> Option<String> {
        for replica in &self.admins {
            let request = admin::wire("GET", "/v1/invalidations?wait_seconds=0");
            if let Ok(answer) = replica.send(request).await {
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                return body["cursor"].as_str().map(str::to_owned);
            }
        }
        None
    }

    /// What the first replica that answers knows of the Envoys; null when none does.
    pub async fn instances(&self) -> Value {
        for replica in &self.admins {
            if let Ok(answer) = replica.send(admin::wire("GET", "/v1/instances")).await {
                let listing: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                return listing["instances"].clone();
            }
        }
        Value::Null
    }

    /// Where clients of an Envoy connect.
    #[must_use]
    pub fn address(&self, envoy: usize) -> SocketAddr {
        self.envoys[envoy].address(MAIN)
    }

    /// GETs at an Envoy, on a connection of its own.
    pub async fn get(&self, envoy: usize, path: &str) -> Answer {
        self.send(envoy, Request::get(path)).await
    }

    /// Sends to an Envoy, on a connection of its own.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, envoy: usize, request: Request) -> Answer {
        let answer = client::send(self.address(envoy), request.authority(HOST)).await;
        answer.unwrap_or_else(|error| panic!("{} does not answer: {error}", name(envoy)))
    }

    /// A connection to an Envoy.
    ///
    /// # Panics
    /// When there is none to be had.
    pub async fn client(&self, envoy: usize) -> Client {
        let client = Client::connect(self.address(envoy), Protocol::Http1).await;
        client.unwrap_or_else(|error| panic!("{} does not answer: {error}", name(envoy)))
    }

    /// Calls the management API of an Envoy.
    pub async fn call(&self, envoy: usize, method: &str, path: &str) -> Answer {
        self.send(envoy, admin::call(method, path)).await
    }

    /// One of Larder's counters at an Envoy.
    ///
    /// # Panics
    /// When its admin interface does not answer.
    pub async fn counter(&self, envoy: usize, name: &str) -> u64 {
        let name = format!("wasmcustom.{name}");
        self.envoys[envoy].stat(&name).await.expect("statistics")
    }

    /// How often an Envoy asked the service for this (`get`, `put`, ...) and was told that (`ok`, `refused`, ...).
    pub async fn told(&self, envoy: usize, op: &str, result: &str) -> u64 {
        let name = format!("larder_fleet_ops_total.op.{op}.result.{result}");
        self.counter(envoy, &name).await
    }

    /// All of Larder's counters and gauges at an Envoy that have been used, without `wasmcustom.`.
    ///
    /// # Panics
    /// When its admin interface does not answer.
    pub async fn counters(&self, envoy: usize) -> BTreeMap<String, u64> {
        let stats = self.envoys[envoy].stats().await.expect("statistics");
        let ours = |(name, count): (String, u64)| {
            let name = name.strip_prefix("wasmcustom.")?;
            Some((name.to_owned(), count))
        };
        stats.into_iter().filter_map(ours).collect()
    }
}

/// What an Envoy calls itself.
fn name(number: usize) -> String {
    format!("envoy-{number}")
}
