//! The flags of the daemon, all of which beat the configuration, and which of them were given.

use clap::Args;

use super::{Command, named};
use crate::config::Overrides;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub web: WebArgs,
    /// This process's shard, counted from 0 [default: 0].
    #[arg(long = "shard.index", value_name = "N")]
    shard_index: Option<u32>,
    /// How many shards the accounts are split into [default: 1].
    #[arg(long = "shard.total", value_name = "N")]
    shard_total: Option<u32>,
    /// Read the configuration again by itself when its file changes [default: off].
    #[arg(long = "config.enable-auto-reload")]
    auto_reload: bool,
    /// Judge the configuration and stop: exits with 0 or 2.
    #[arg(long = "config.check")]
    check: bool,
    /// With --config.check: also try every account once and say what is missing.
    #[arg(long, requires = "check")]
    online: bool,
}

#[derive(Debug, Args)]
pub(super) struct WebArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Path of the metrics [default: /metrics].
    #[arg(long = "web.telemetry-path", value_name = "PATH")]
    telemetry_path: Option<String>,
    /// Requests answered at the same time [default: 40].
    #[arg(long = "web.max-requests", value_name = "N")]
    max_requests: Option<u32>,
    /// Where people open the exporter's pages, for the links in alerts [default: none].
    #[arg(long = "web.external-url", value_name = "URL")]
    external_url: Option<String>,
}

/// Where the daemon listens, and whether it speaks TLS there.
#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// Address and port to listen on; may be given again [default: 127.0.0.1:10057].
    #[arg(long = "web.listen-address", value_name = "ADDRESS")]
    listen_addresses: Vec<String>,
    /// File with TLS, client certificates, passwords and headers [default: none].
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<String>,
    /// A second address that serves /-/healthy and /-/ready alone [default: none].
    #[arg(long = "web.health-listen-address", value_name = "ADDRESS")]
    health_listen_address: Option<String>,
}

/// Whether the daemon is to run at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ConfigCheck {
    No,
    Offline,
    Online,
}

impl ConfigCheck {
    pub fn command(self) -> Command {
        match self {
            Self::No => Command::Serve,
            Self::Offline => Command::CheckConfig { online: false },
            Self::Online => Command::CheckConfig { online: true },
        }
    }
}

impl ServeArgs {
    /// The flags that were given.
    pub fn given(&self) -> Vec<&'static str> {
        let mut given = self.web.given();
        let flags = [
            (self.shard_index.is_some(), "--shard.index"),
            (self.shard_total.is_some(), "--shard.total"),
            (self.auto_reload, "--config.enable-auto-reload"),
            (self.check, "--config.check"),
            (self.online, "--online"),
        ];
        given.extend(named(flags));
        given
    }

    pub fn apply(self, overrides: &mut Overrides) -> ConfigCheck {
        self.web.apply(overrides);
        overrides.shard_index = self.shard_index.or(overrides.shard_index);
        overrides.shard_total = self.shard_total.or(overrides.shard_total);
        overrides.auto_reload |= self.auto_reload;
        match (self.check, self.online) {
            (false, _) => ConfigCheck::No,
            (true, false) => ConfigCheck::Offline,
            (true, true) => ConfigCheck::Online,
        }
    }
}

impl WebArgs {
    pub fn given(&self) -> Vec<&'static str> {
        let mut given = self.place.given();
        given.extend(named([
            (self.telemetry_path.is_some(), "--web.telemetry-path"),
            (self.max_requests.is_some(), "--web.max-requests"),
            (self.external_url.is_some(), "--web.external-url"),
        ]));
        given
    }

    pub fn apply(self, overrides: &mut Overrides) {
        self.place.apply(overrides);
        set(&mut overrides.telemetry_path, self.telemetry_path);
        set(&mut overrides.max_requests, self.max_requests);
        set(&mut overrides.external_url, self.external_url);
    }
}

impl PlaceArgs {
    pub fn given(&self) -> Vec<&'static str> {
        named([
            (!self.listen_addresses.is_empty(), "--web.listen-address"),
            (self.web_config_file.is_some(), "--web.config.file"),
            (
                self.health_listen_address.is_some(),
                "--web.health-listen-address",
            ),
        ])
        .collect()
    }

    pub fn apply(self, overrides: &mut Overrides) {
        overrides.listen_addresses.extend(self.listen_addresses);
        set(&mut overrides.web_config_file, self.web_config_file);
        set(
            &mut overrides.health_listen_address,
            self.health_listen_address,
        );
    }
}

fn set<T>(place: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *place = value;
    }
}
