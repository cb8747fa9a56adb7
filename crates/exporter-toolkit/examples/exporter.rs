//! An exporter of one metric, served as Prometheus' own exporters are.
//!
//! `cargo run -p exporter-toolkit --example exporter -- 127.0.0.1:9100 web.yml`; both are optional.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use exporter_toolkit::{Exporter, Listeners, MetricsWriter, Server, Settings, WebConfig};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

struct Scrapes {
    registry: Registry,
    count: Counter,
}

impl Scrapes {
    fn new() -> Self {
        let (mut registry, count) = (Registry::default(), Counter::default());
        registry.register(
            "scrapes",
            "How often the metrics were written",
            count.clone(),
        );
        Self { registry, count }
    }
}

impl Exporter for Scrapes {
    fn write_metrics(&self, out: &mut MetricsWriter) -> fmt::Result {
        self.count.inc();
        text::encode(out, &self.registry)
    }
}

/// Serves until Ctrl-C.
pub async fn serve(listeners: Listeners, web_config: Option<WebConfig>) {
    let settings = Settings {
        web_config: web_config.map(Arc::new),
        ..Settings::default()
    };
    let server = Server::new(Arc::new(Scrapes::new()), settings);
    let stop = async { _ = tokio::signal::ctrl_c().await };
    server.serve(listeners, stop).await;
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:9100".to_owned());
    let web_config = arguments.next().map(|file| WebConfig::open(file.as_ref()));
    let listeners = Listeners::open(&[address.parse()?], None).await?;
    serve(listeners, web_config.transpose()?).await;
    Ok(())
}
