//! The access log of the sample configurations, as `make run` and `make fleet` show it.

use std::io::{BufRead, BufReader};
use std::process::ChildStdout;
use std::thread;

use tokio::sync::mpsc;

/// Lines of the access log as they come; the end of them is the end of Envoy.
#[must_use]
pub fn follow(access_log: ChildStdout) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in BufReader::new(access_log).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// `time method path status x-cache milliseconds` in columns; what a client chose is shown escaped,
/// for a terminal obeys control sequences.
#[must_use]
pub fn summary(line: &str) -> String {
    let fields: Vec<String> = line
        .split(' ')
        .map(|field| field.escape_debug().to_string())
        .collect();
    match fields.as_slice() {
        [time, method, path, status, cache, milliseconds] => {
            format!("{time}  {method:<6} {path:<48} {status}  {cache:<11} {milliseconds:>5} ms")
        }
        _ => line.escape_debug().to_string(),
    }
}
