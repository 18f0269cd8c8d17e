//! What Envoy costs, as the kernel counts it.

use std::fs;
use std::io;
use std::time::Duration;

use serde_json::Value;

use super::Envoy;
use crate::client::ClientError;

impl Envoy {
    /// Resident memory of the process, in bytes.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn memory(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        kibibytes
            .map(|count| count * 1024)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// What Envoy's own code has allocated, in bytes: all but the memory of the modules it runs.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub async fn allocated(&self) -> Result<u64, ClientError> {
        let answer = self.ask("GET", "/memory").await?;
        let memory: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let bytes = memory["allocated"]
            .as_str()
            .and_then(|bytes| bytes.parse().ok());
        Ok(bytes.unwrap_or_default())
    }

    /// CPU time spent by the worker threads since the start. Unlike a clock it does not count
    /// what other processes do, so that differences of it compare filters on a busy machine.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        self.cpu_meter().read()
    }

    /// Reads [`Envoy::cpu_time`] from another thread.
    #[must_use]
    pub fn cpu_meter(&self) -> CpuMeter {
        CpuMeter {
            process: self.process.id(),
        }
    }
}

/// What shows the CPU time of one Envoy's workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuMeter {
    process: u32,
}

impl CpuMeter {
    /// See [`Envoy::cpu_time`].
    ///
    /// # Errors
    /// When the process is gone.
    pub fn read(&self) -> io::Result<Duration> {
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process))? {
            let task = task?.path();
            if fs::read_to_string(task.join("comm"))?.starts_with("wrk:worker_") {
                let schedule = fs::read_to_string(task.join("schedstat"))?;
                let running = schedule
                    .split(' ')
                    .next()
                    .and_then(|ns| ns.parse::<u64>().ok());
                total += running.unwrap_or_default();
            }
        }
        Ok(Duration::from_nanos(total))
    }
}
