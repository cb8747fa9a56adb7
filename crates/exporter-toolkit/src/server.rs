//! A server: an exporter and its settings, served on listeners until it is stopped.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::accept;
use crate::exporter::Exporter;
use crate::listener::Audience;
use crate::listeners::Listeners;
use crate::settings::Settings;
use crate::site::Site;

/// Serves an [`Exporter`] over HTTP/1.1.
pub struct Server(Arc<Site>);

impl Server {
    /// A server of an exporter.
    #[must_use]
    pub fn new(exporter: Arc<dyn Exporter>, settings: Settings) -> Self {
        Self(Arc::new(Site::new(exporter, settings)))
    }

    /// Answers on the listeners until `shutdown` is ready.
    ///
    /// Then it accepts nothing more, lets answers in progress end for at most
    /// [`Limits::grace`](crate::Limits::grace), cuts off the rest and returns. It returns early when
    /// one listener ends, for serving the others alone would hide that. Dropping the future stops at
    /// once.
    pub async fn serve(self, listeners: Listeners, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(());
        let mut tasks = JoinSet::new();
        let everyone = listeners
            .everyone
            .into_iter()
            .map(|it| (it, Audience::Everyone));
        let probes = listeners
            .probes
            .into_iter()
            .map(|it| (it, Audience::Probes));
        for (listener, audience) in everyone.chain(probes) {
            let address = listener.local_addr();
            tracing::info!(%address, serves = audience.as_str(), "listening");
            if let Some(missing) = self.0.missing_protection(&listener.endpoint(audience)) {
                tracing::warn!(
                    %address,
                    "{missing}; configure TLS and passwords in the web configuration file, or let \
                     only Prometheus reach this address"
                );
            }
            let site = Arc::clone(&self.0);
            tasks.spawn(accept::serve(listener, audience, site, stopped.clone()));
        }
        tokio::select! {
            () = shutdown => {}
            Some(_) = tasks.join_next() => return,
        }
        drop(stop);
        while tasks.join_next().await.is_some() {}
    }
}
