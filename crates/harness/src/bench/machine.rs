//! Where and when something was measured.

use std::fs;
use std::thread;
use std::time::SystemTime;

use crate::envoy::Envoy;

/// A sentence about the date, Envoy, the machine, and what else it does.
pub async fn describe(envoy: &Envoy) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{}, Envoy {}, {cores} cores ({}) that the client, the origin and whatever else runs use, too; \
         load average {}.",
        today(),
        version(envoy).await,
        model(&read("/proc/cpuinfo")),
        load(),
    )
}

/// The load average of the last minute, as the kernel tells it.
#[must_use]
pub fn load() -> String {
    let text = read("/proc/loadavg");
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn model(cpuinfo: &str) -> &str {
    let line = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    line.map_or("unknown model", |line| {
        line.trim_start_matches(['\t', ':', ' '])
    })
}

fn today() -> String {
    let now = httpdate::fmt_http_date(SystemTime::now());
    let words: Vec<&str> = now.split(' ').skip(1).take(3).collect();
    words.join(" ")
}

async fn version(envoy: &Envoy) -> String {
    let answer = envoy.ask("GET", "/server_info").await;
    let text = answer.map(|answer| answer.text()).unwrap_or_default();
    let info: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    // hash/version/state/build/TLS library
    let version = info["version"]
        .as_str()
        .and_then(|all| all.split('/').nth(1));
    version.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_the_first_processors() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nprocessor\t: 1\n";
        assert_eq!(model(text), "Some CPU @ 2 GHz");
        assert_eq!(model(""), "unknown model");
    }

    #[test]
    fn a_day_has_a_month_and_a_year() {
        assert_eq!(today().split(' ').count(), 3);
    }
}
