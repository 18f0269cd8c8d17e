//! A cluster: nodes that share its slots.

use crate::wait;

use super::builder::Role;
use super::{Reply, START, Valkey, ValkeyError};

/// Of a cluster.
pub(super) const LAST_SLOT: u16 = 16_383;

impl Valkey {
    /// A cluster of so many nodes, each with its part of the slots; any one's address will do.
    ///
    /// # Errors
    /// [`ValkeyError`].
    ///
    /// # Panics
    /// When it does not become one in time.
    pub async fn cluster(nodes: u16) -> Result<Vec<Self>, ValkeyError> {
        let share = LAST_SLOT / nodes.max(1) + 1;
        let mut cluster: Vec<Self> = Vec::new();
        for number in 0..nodes {
            let first = number * share;
            let last = LAST_SLOT.min(first + share - 1);
            let node = Self::builder().node(first, last).prepare()?;
            cluster.push(node);
        }
        for node in &mut cluster {
            node.launch().await?;
            node.take_slots().await?;
        }
        if let Some((first, others)) = cluster.split_first() {
            for other in others {
                let (address, bus) = (other.address(), other.bus.address().port());
                let (ip, port) = (address.ip().to_string(), address.port().to_string());
                let meet = ["CLUSTER", "MEET", &ip, &port, &bus.to_string()];
                first.command(&meet).await?;
            }
        }
        for node in &cluster {
            wait::eventually("the nodes are a cluster", START, async || {
                node.knows(nodes).await
            })
            .await;
        }
        Ok(cluster)
    }

    /// Whether it takes part in a cluster that has all slots, of so many nodes.
    async fn knows(&self, nodes: u16) -> bool {
        let info = self.command(&["CLUSTER", "INFO"]).await;
        let Ok(Reply::Text(info)) = info else {
            return false;
        };
        let size = format!("cluster_size:{nodes}\r\n");
        info.contains("cluster_state:ok") && info.contains(&size)
    }

    pub(super) async fn take_slots(&self) -> Result<(), ValkeyError> {
        if let Role::Cluster { first, last } = self.plan.role {
            let (first, last) = (first.to_string(), last.to_string());
            // Refused where it has them from before.
            self.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])
                .await?;
        }
        Ok(())
    }
}
