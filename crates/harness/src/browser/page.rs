//! One page: what it shows, what it asks for, and what a person does with it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::pipe::Line;
use super::{BrowserError, base64};
use crate::wait;

/// A key that is no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// One down, of a list or of radio buttons.
    Down,
    /// To submit.
    Enter,
    /// To tick.
    Space,
    /// To the next element that takes keys.
    Tab,
}

impl Key {
    /// Its name, its code, and the letter it writes.
    const fn parts(self) -> (&'static str, u32, &'static str) {
        match self {
            Self::Down => ("ArrowDown", 40, ""),
            Self::Enter => ("Enter", 13, "\r"),
            Self::Space => (" ", 32, " "),
            Self::Tab => ("Tab", 9, ""),
        }
    }
}

/// A page in a window of its own.
#[derive(Debug)]
pub struct Page {
    line: Line,
    session: String,
}

impl Page {
    pub(super) fn new(line: Line, session: String) -> Self {
        Self { line, session }
    }

    pub(super) async fn send(
        &self,
        method: &str,
        parameters: Value,
    ) -> Result<Value, BrowserError> {
        self.line
            .send(Some(&self.session), method, parameters)
            .await
    }

    /// Goes to an address, and waits until everything that stands in the document is there.
    ///
    /// # Errors
    /// When there is nothing at that address.
    pub async fn go_to(&self, url: &str) -> Result<(), BrowserError> {
        let answer = self.send("Page.navigate", json!({ "url": url })).await?;
        if let Some(error) = answer.get("errorText") {
            return Err(BrowserError::Refused {
                method: format!("to go to {url}"),
                error: error.clone(),
            });
        }
        self.until("document.readyState === 'complete'").await;
        Ok(())
    }

    /// What an expression comes to in the page, as JSON.
    ///
    /// # Panics
    /// When it throws.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.send("Runtime.evaluate", parameters).await.unwrap();
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        answer["result"]["value"].take()
    }

    /// The text of the first element that a selector finds, as it is shown; empty where there is none.
    pub async fn text(&self, selector: &str) -> String {
        let expression = format!(
            "document.querySelector({})?.innerText ?? ''",
            quoted(selector)
        );
        let text = self.evaluate(&expression).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression holds in the page.
    ///
    /// # Panics
    /// When it does not in time; the message has what the page shows.
    pub async fn until(&self, expression: &str) {
        let held = wait::poll(wait::PATIENCE, async || {
            // Between two documents there is nothing that could be asked.
            let parameters =
                json!({ "expression": format!("Boolean({expression})"), "returnByValue": true });
            let answer = self.send("Runtime.evaluate", parameters).await.ok()?;
            (answer["result"]["value"] == true).then_some(())
        });
        if held.await.is_none() {
            let shown = self.text("body").await;
            panic!("waited in vain for {expression}; the page shows:\n{shown}");
        }
    }

    /// Waits until the first element that a selector finds shows a text.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn until_shown(&self, selector: &str, text: &str) {
        let (selector, text) = (quoted(selector), quoted(text));
        let shown = format!("document.querySelector({selector})?.innerText.includes({text})");
        self.until(&shown).await;
    }

    /// Presses a key and lets it go.
    pub async fn press(&self, key: Key) {
        let (name, code, text) = key.parts();
        for kind in ["keyDown", "keyUp"] {
            let mut parameters =
                json!({ "type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                parameters["text"] = text.into();
            }
            self.send("Input.dispatchKeyEvent", parameters)
                .await
                .unwrap();
        }
    }

    /// Types a text where the focus is.
    pub async fn write(&self, text: &str) {
        let parameters = json!({ "text": text });
        self.send("Input.insertText", parameters).await.unwrap();
    }

    /// Goes on with the tabulator until the focus is on what a selector finds.
    ///
    /// # Panics
    /// When that cannot be reached so.
    pub async fn tab_to(&self, selector: &str) {
        let there = format!(
            "document.activeElement?.matches({}) ?? false",
            quoted(selector)
        );
        for _ in 0..300 {
            if self.evaluate(&there).await == true {
                return;
            }
            self.press(Key::Tab).await;
        }
        panic!("{selector} cannot be reached with the tabulator");
    }

    /// Shows it to a person who wants it dark, or light.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let parameters = json!({ "features": features });
        self.send("Emulation.setEmulatedMedia", parameters)
            .await
            .unwrap();
    }

    /// Shows it in a window of this size.
    pub async fn resize(&self, width: u32, height: u32) {
        let parameters =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.send("Emulation.setDeviceMetricsOverride", parameters)
            .await
            .unwrap();
    }

    /// Keeps a picture of all of it.
    ///
    /// # Errors
    /// When there is none, or it cannot be kept.
    pub async fn picture(&self, path: &Path) -> Result<(), BrowserError> {
        let mut metrics = self.send("Page.getLayoutMetrics", json!({})).await?;
        let mut clip = metrics["cssContentSize"].take();
        clip["scale"] = 1.into();
        let parameters = json!({ "captureBeyondViewport": true, "clip": clip });
        let answer = self.send("Page.captureScreenshot", parameters).await?;
        let bytes = answer["data"].as_str().and_then(base64::decode);
        fs::write(path, bytes.ok_or(BrowserError::Gone)?)?;
        Ok(())
    }

    /// The addresses that it has asked for so far.
    #[must_use]
    pub fn asked_for(&self) -> Vec<String> {
        let events = self.line.events(&self.session, "Network.requestWillBeSent");
        let address = |event: &Value| event["request"]["url"].as_str().map(str::to_owned);
        events.iter().filter_map(address).collect()
    }

    /// What has gone wrong in it so far: errors and warnings of scripts, and what its policy forbade. That a request was answered
    /// with an error is none of these.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let of = |method| self.line.events(&self.session, method);
        let thrown = of("Runtime.exceptionThrown");
        let said = of("Runtime.consoleAPICalled")
            .into_iter()
            .filter(|event| event["type"] == "error" || event["type"] == "warning");
        let logged = of("Log.entryAdded").into_iter().filter(|event| {
            let (level, source) = (&event["entry"]["level"], &event["entry"]["source"]);
            (level == "error" || level == "warning") && source != "network"
        });
        let all = thrown.into_iter().chain(said).chain(logged);
        all.map(|event| event.to_string()).collect()
    }
}

/// A text as JavaScript.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
