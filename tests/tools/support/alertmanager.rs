//! A real Alertmanager with the routes and inhibitions of `deploy/` and a webhook as every receiver.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use test_support::process::Process;
use test_support::{PATIENCE, eventually, http, repository};

pub struct Alertmanager {
    pub address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Alertmanager {
    /// The example with this webhook in the place of each receiver.
    pub fn notifying(webhook: SocketAddr) -> Self {
        let example = repository("deploy/alertmanager/alertmanager.yml");
        let example = fs::read_to_string(example).expect("the example is there");
        let (routes, receivers) = example.split_once("\nreceivers:\n").expect("its receivers");
        let mut config = format!("{routes}\nreceivers:\n");
        for line in receivers.lines().filter(|l| l.starts_with("  - name: ")) {
            writeln!(
                config,
                "{line}\n    webhook_configs:\n      - url: http://{webhook}/"
            )
            .unwrap();
        }
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("alertmanager.yml");
        fs::write(&path, config).expect("the temporary folder is writable");
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", path.display()))
            .arg(format!(
                "--storage.path={}",
                folder.path().join("data").display()
            ))
            .arg("--web.listen-address=127.0.0.1:0")
            .arg("--cluster.listen-address=");
        let process = Process::start(command);
        let address = process.wait_for("the address it listens on", |line| {
            let address = line.split("address=").nth(1)?.split(' ').next()?;
            address.parse().ok().filter(|a: &SocketAddr| a.port() != 0)
        });
        eventually(PATIENCE, || {
            let ready = http::try_get(address, "/-/ready", &[]).map_err(|e| e.to_string())?;
            (ready.status == 200)
                .then_some(())
                .ok_or_else(|| format!("Alertmanager is not ready: {}", ready.status))
        });
        Self {
            address,
            _process: process,
            _folder: folder,
        }
    }
}
