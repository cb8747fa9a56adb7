//! The built binary, started as a user would: arguments, environment, a configuration file.
//!
//! Its environment is empty but for what a test names, so that no credential, proxy or setting of the
//! machine gets in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

use crate::exposition::Exposition;
use crate::http::{self, Response};
use crate::process::Process;
use crate::run::{Finished, finish};
use crate::{PATIENCE, eventually};

/// The flag that lets the system choose a free port, which the log then names.
pub const ANY_PORT: &str = "--web.listen-address=127.0.0.1:0";

/// The header that asks for the text format.
pub const ACCEPT_TEXT: (&str, &str) = ("Accept", "text/plain;version=0.0.4");

/// The binary under test: the one beside the folder of the running test, where Cargo builds both.
pub fn binary() -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    let folder = test.ancestors().nth(2).expect("a folder of a profile");
    folder.join("aws-root-exporter")
}

/// The binary with nothing of this machine's settings in its environment.
pub fn command() -> Command {
    let mut command = Command::new(binary());
    command.env_clear();
    if let Some(path) = env::var_os("LLVM_PROFILE_FILE") {
        command.env("LLVM_PROFILE_FILE", path);
    }
    command
}

/// The binary with that folder as home and working folder.
pub fn command_in(folder: &Path) -> Command {
    let mut command = command();
    command
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        // No request for credentials of an instance leaves the machine.
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .current_dir(folder);
    command
}

/// A daemon that has not started, in a folder of its own.
pub struct Launch {
    folder: TempDir,
    command: Command,
}

impl Launch {
    /// A daemon with these arguments.
    pub fn new(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = command_in(folder.path());
        command.args(arguments);
        Self { folder, command }
    }

    /// Adds an argument.
    pub fn argument(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    /// Writes the text to a file in the run's folder and names it with `--config.file`.
    pub fn config(mut self, text: &str) -> Self {
        let path = self.path("config.toml");
        fs::write(&path, text).expect("the temporary folder is writable");
        self.command.arg("--config.file").arg(path);
        self
    }

    /// Adds variables to its environment.
    pub fn environment<'a>(
        mut self,
        variables: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Self {
        self.command.envs(variables);
        self
    }

    /// Starts it through another program, whose last arguments are the binary and its own. That
    /// program must become the binary (`exec`), because a test signals its process.
    pub fn behind(mut self, program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(self.command.get_program())
            .args(self.command.get_args())
            .env_clear()
            .current_dir(self.folder.path());
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        self.command = command;
        self
    }

    /// A path in the run's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a daemon that may never listen. Its folder is deleted with the second value.
    pub fn process(self) -> (Process, TempDir) {
        (Process::start(self.command), self.folder)
    }

    /// Starts a daemon and waits until it listens.
    pub fn start(self) -> Daemon {
        let process = Process::start(self.command);
        let address = process.wait_for("the address it listens on", listening_address);
        Daemon {
            address,
            process,
            folder: self.folder,
        }
    }

    /// Runs a daemon that must end by itself.
    pub fn finish(self) -> Finished {
        finish(self.command, "")
    }
}

/// A daemon that listens.
pub struct Daemon {
    /// Its first address.
    pub address: SocketAddr,
    /// Its process.
    pub process: Process,
    folder: TempDir,
}

impl Daemon {
    /// A path in the run's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `GET path` with these headers.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        http::get(self.address, path, headers)
    }

    /// `POST path` without a body.
    pub fn post(&self, path: &str) -> Response {
        http::post(self.address, path)
    }

    /// One scrape in the text format.
    pub fn scrape(&self) -> Exposition {
        let response = self.get("/metrics", &[ACCEPT_TEXT]);
        assert_eq!(response.status, 200, "GET /metrics");
        Exposition::parse(response.text())
    }

    /// Scrapes until `check` accepts a scrape, and returns that one.
    pub fn scrape_until(
        &self,
        mut check: impl FnMut(&Exposition) -> Result<(), String>,
    ) -> Exposition {
        eventually(PATIENCE, || {
            let exposition = self.scrape();
            check(&exposition).map(|()| exposition)
        })
    }

    /// Waits until every account has been polled once, or its poll has failed.
    pub fn wait_until_ready(&self) {
        eventually(PATIENCE, || {
            let ready = self.get("/-/ready", &[]);
            (ready.status == 200)
                .then_some(())
                .ok_or_else(|| format!("not ready: {} {}", ready.status, ready.text()))
        });
    }

    /// Waits for the end of a daemon that is stopping.
    pub fn exit_code(mut self, bound: Duration) -> i32 {
        self.process.exit_code(bound)
    }
}

/// The address in the log line `… message=listening address=127.0.0.1:10057`, or the same in JSON. No
/// other log line is needed to run a daemon.
fn listening_address(line: &str) -> Option<SocketAddr> {
    if let Ok(event) = serde_json::from_str::<serde_json::Value>(line) {
        let is_listening = event["message"] == "listening";
        return is_listening.then(|| event["address"].as_str()?.parse().ok())?;
    }
    let mut words = line.split_whitespace();
    words.find(|word| *word == "message=listening")?;
    let address = words.find_map(|word| word.strip_prefix("address="))?;
    address.trim_matches('"').parse().ok()
}

#[test]
fn the_listening_line_names_the_address() {
    let address = Some(SocketAddr::from(([127, 0, 0, 1], 10057)));
    for line in [
        "ts=2026-11-24T04:14:59Z level=info message=listening address=127.0.0.1:10057",
        "level=info target=web message=listening address=\"127.0.0.1:10057\" tls=false",
        r#"{"level":"INFO","message":"listening","address":"127.0.0.1:10057","target":"web"}"#,
    ] {
        assert_eq!(listening_address(line), address, "{line}");
    }
    assert_eq!(
        listening_address("level=info message=\"simulator listening\" address=127.0.0.1:1"),
        None
    );
}
