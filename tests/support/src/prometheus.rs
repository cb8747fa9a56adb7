//! A real Prometheus with the scrape configuration of a test.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::{PATIENCE, eventually, http};

/// A Prometheus that listens on a port of its own, with its data in a folder of its own.
pub struct Prometheus {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub process: Process,
    folder: TempDir,
}

impl Prometheus {
    /// With one target, an exporter under the job that the docs name, scraped every second.
    pub fn scraping(target: SocketAddr) -> Self {
        Self::configured(&format!(
            "  - job_name: aws-root-exporter\n    static_configs:\n      - targets: ['{target}']\n"
        ))
    }

    /// With these entries of `scrape_configs`, every second.
    pub fn configured(scrape_configs: &str) -> Self {
        Self::with(&format!(
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n{scrape_configs}"
        ))
    }

    /// With this configuration.
    pub fn with(config: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        fs::write(folder.path().join("prometheus.yml"), config)
            .expect("the temporary folder is writable");
        Self::start(folder)
    }

    /// Kills it and starts it again on its data.
    pub fn restarted(self) -> Self {
        let Self {
            process, folder, ..
        } = self;
        drop(process);
        Self::start(folder)
    }

    fn start(folder: TempDir) -> Self {
        let mut command = Command::new("prometheus");
        command
            .arg(format!(
                "--config.file={}",
                folder.path().join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg("--web.listen-address=127.0.0.1:0");
        let process = Process::start(command);
        // It logs the configured address first and the actual one afterwards.
        let address = process.wait_for("the address it listens on", |line| {
            let address = line.split("address=").nth(1)?.split(' ').next()?;
            address.parse().ok().filter(|a: &SocketAddr| a.port() != 0)
        });
        let prometheus = Self {
            address,
            process,
            folder,
        };
        eventually(PATIENCE, || {
            let ready = http::get(prometheus.address, "/-/ready", &[]).status;
            (ready == 200)
                .then_some(())
                .ok_or_else(|| format!("Prometheus is not ready: {ready}"))
        });
        prometheus
    }

    /// The `data` of an answer of the HTTP API.
    pub fn ask(&self, path: &str) -> Value {
        let response = http::get(self.address, path, &[]);
        let answer: Value = serde_json::from_slice(&response.body).expect("the API speaks JSON");
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The samples of an instant query, each as its labels and its value.
    pub fn query(&self, expression: &str) -> Vec<(Value, String)> {
        let data = self.ask(&format!("/api/v1/query?query={}", in_query(expression)));
        let result = data["result"].as_array().expect("an instant vector");
        result
            .iter()
            .map(|sample| {
                let value = sample["value"][1].as_str().expect("values are strings");
                (sample["metric"].clone(), value.to_owned())
            })
            .collect()
    }

    /// The one value of a query that has one.
    ///
    /// # Errors
    ///
    /// When there is none or there are several, as before the first scrape.
    pub fn value(&self, expression: &str) -> Result<String, String> {
        match &self.query(expression)[..] {
            [(_, value)] => Ok(value.clone()),
            other => Err(format!("{expression} gives {other:?}")),
        }
    }
}

/// The text as a value in the query of a URL.
pub fn in_query(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        write!(encoded, "%{byte:02X}").expect("a string takes all");
        encoded
    })
}
