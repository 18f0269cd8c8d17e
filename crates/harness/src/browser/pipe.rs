//! The line to the browser: numbered commands out, their answers and events in.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, PipeWriter, Write};
use std::process::ChildStdout;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::BrowserError;
use crate::wait::PATIENCE;

/// The line; clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Line(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    out: PipeWriter,
    number: u64,
    waiting: HashMap<u64, oneshot::Sender<Value>>,
    events: Vec<Value>,
}

impl Line {
    pub(super) fn new(out: PipeWriter, input: ChildStdout) -> Self {
        let line = Self(Arc::new(Mutex::new(State {
            out,
            number: 0,
            waiting: HashMap::new(),
            events: Vec::new(),
        })));
        let reader = line.clone();
        // Pipes of the standard library wait; this ends when the browser has.
        thread::spawn(move || reader.read(input));
        line
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics with the line in hand")
    }

    fn read(&self, input: ChildStdout) {
        for message in BufReader::new(input).split(0) {
            let Ok(message) = message else { break };
            let Ok(message) = serde_json::from_slice::<Value>(&message) else {
                continue;
            };
            let mut state = self.state();
            match message["id"].as_u64() {
                Some(number) => {
                    if let Some(waiting) = state.waiting.remove(&number) {
                        // Whoever waited may have given up.
                        let _ = waiting.send(message);
                    }
                }
                None => state.events.push(message),
            }
        }
        // What still waits learns that nothing comes any more.
        self.state().waiting.clear();
    }

    /// Sends a command, to the browser or to one page, and waits for its answer.
    pub(super) async fn send(
        &self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
    ) -> Result<Value, BrowserError> {
        let (sender, answer) = oneshot::channel();
        {
            let mut state = self.state();
            state.number += 1;
            let number = state.number;
            let mut command = json!({ "id": number, "method": method, "params": parameters });
            if let Some(session) = session {
                command["sessionId"] = session.into();
            }
            state.waiting.insert(number, sender);
            let mut bytes = command.to_string().into_bytes();
            bytes.push(0);
            state.out.write_all(&bytes)?;
        }
        let unanswered = || BrowserError::Unanswered {
            method: method.to_owned(),
        };
        let answer = timeout(PATIENCE, answer).await.map_err(|_| unanswered())?;
        let mut answer = answer.map_err(|_| BrowserError::Gone)?;
        let error = answer["error"].take();
        if error.is_null() {
            return Ok(answer["result"].take());
        }
        let method = method.to_owned();
        Err(BrowserError::Refused { method, error })
    }

    /// All events of a page so far, of this kind: their parameters.
    pub(super) fn events(&self, session: &str, method: &str) -> Vec<Value> {
        let state = self.state();
        let events = state.events.iter();
        events
            .filter(|event| event["sessionId"] == session && event["method"] == method)
            .map(|event| event["params"].clone())
            .collect()
    }
}
