//! The flags of the daemon, which override the configuration.

use clap::Args;

use crate::config::Overrides;

/// `serve`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    web: WebArgs,
    /// Shard of this process, counted from 0 [default: 0].
    #[arg(long = "shard.index", value_name = "N")]
    shard_index: Option<u32>,
    /// Number of shards that the accounts are split into [default: 1].
    #[arg(long = "shard.total", value_name = "N")]
    shard_total: Option<u32>,
    /// Reload the configuration when its file changes [default: off].
    #[arg(long = "config.enable-auto-reload")]
    auto_reload: bool,
    /// Check the configuration and stop; exits with 0 or 2.
    #[arg(long = "config.check")]
    pub(in crate::cli) check: bool,
    /// With --config.check: also try every account once and print what is missing.
    #[arg(long, requires = "check")]
    pub(in crate::cli) online: bool,
}

/// What the web server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct WebArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// URL path of the metrics [default: /metrics].
    #[arg(long = "web.telemetry-path", value_name = "PATH")]
    telemetry_path: Option<String>,
    /// Maximum number of concurrent requests [default: 40].
    #[arg(long = "web.max-requests", value_name = "N")]
    max_requests: Option<u32>,
    /// URL of the exporter's pages for people, for links in alerts [default: none].
    #[arg(long = "web.external-url", value_name = "URL")]
    external_url: Option<String>,
}

/// Where the daemon listens, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct PlaceArgs {
    /// Address and port to listen on; may be repeated [default: 127.0.0.1:10057].
    #[arg(long = "web.listen-address", value_name = "ADDRESS")]
    listen_addresses: Vec<String>,
    /// File with TLS, client certificates, passwords and headers [default: none].
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<String>,
    /// A second address, which serves only /-/healthy and /-/ready [default: none].
    #[arg(long = "web.health-listen-address", value_name = "ADDRESS")]
    health_listen_address: Option<String>,
}

impl ServeArgs {
    pub(super) fn apply(&self, overrides: &mut Overrides) {
        self.web.apply(overrides);
        set(&mut overrides.shard_index, self.shard_index.as_ref());
        set(&mut overrides.shard_total, self.shard_total.as_ref());
        overrides.auto_reload |= self.auto_reload;
    }
}

impl WebArgs {
    pub(super) fn apply(&self, overrides: &mut Overrides) {
        self.place.apply(overrides);
        set(&mut overrides.telemetry_path, self.telemetry_path.as_ref());
        set(&mut overrides.max_requests, self.max_requests.as_ref());
        set(&mut overrides.external_url, self.external_url.as_ref());
    }
}

impl PlaceArgs {
    pub(super) fn apply(&self, overrides: &mut Overrides) {
        overrides
            .listen_addresses
            .extend_from_slice(&self.listen_addresses);
        set(
            &mut overrides.web_config_file,
            self.web_config_file.as_ref(),
        );
        set(
            &mut overrides.health_listen_address,
            self.health_listen_address.as_ref(),
        );
    }
}

/// Overrides a value, if the flag is given.
fn set<T: Clone>(value: &mut Option<T>, flag: Option<&T>) {
    if let Some(flag) = flag {
        *value = Some(flag.clone());
    }
}
