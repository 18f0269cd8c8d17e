//! An Envoy with the text of a configuration file, as people run it.

use std::fs;
use std::process::{ChildStdout, Stdio};

use super::{Envoy, Mode, StartError, command};
use crate::scratch::Scratch;

/// A configuration file, and what it finds around it.
#[derive(Clone, Debug)]
pub struct File {
    text: String,
    workers: usize,
    node: String,
    environment: Vec<(String, String)>,
}

impl File {
    /// What Envoy calls itself.
    #[must_use]
    pub fn node(mut self, id: &str) -> Self {
        id.clone_into(&mut self.node);
        self
    }

    /// Sets a variable of Envoy's environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it, and hands over its standard output, where the access log of such a file may go.
    ///
    /// # Errors
    /// See [`super::Builder::start`].
    pub async fn start(self) -> Result<(Envoy, ChildStdout), StartError> {
        let directory = Scratch::new("envoy")?;
        let config = directory.path().join("envoy.yaml");
        fs::write(&config, self.text)?;
        let mut command = command(&config, self.workers)?;
        command
            .args(["--file-flush-interval-msec", "50"])
            .args(["--service-cluster", "larder-harness", "--service-node"])
            .arg(self.node)
            .envs(self.environment)
            .stdout(Stdio::piped());
        let mut envoy = Envoy::launch(&mut command, directory, self.workers, Mode::Static).await?;
        let output = envoy.process.take_stdout().expect("it was piped");
        Ok((envoy, output))
    }
}

impl Envoy {
    /// The text of a configuration file, for so many workers.
    #[must_use]
    pub fn of_file(text: &str, workers: usize) -> File {
        File {
            text: text.to_owned(),
            workers,
            node: "larder-harness".to_owned(),
            environment: Vec::new(),
        }
    }

    /// Starts Envoy with the text of a configuration file, and hands over its standard output.
    ///
    /// # Errors
    /// See [`super::Builder::start`].
    pub async fn from_yaml(text: &str, workers: usize) -> Result<(Self, ChildStdout), StartError> {
        Self::of_file(text, workers).start().await
    }
}
