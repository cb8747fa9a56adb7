//! The accept loop of a listener: no more connections than the limits allow, drained at the stop.
//!
//! No client and no limit of the system ends it; only the stop does. At the limit, the
//! connection that is most dispensable is closed: one whose last request was refused, or that has
//! sent no request yet, before any other, and of those the one that has waited longest. So clients
//! that only hold connections keep no scraper out.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::timeout;

use crate::connection;
use crate::listener::{Audience, Listener};
use crate::progress::{self, Progress};
use crate::site::Site;

/// How long to wait before another try when the system has no room for a connection. Short, so
/// that a scrape is not late once there is room again.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers on a listener until the sender of `stopped` is gone, then drains.
pub(crate) async fn serve(
    listener: Listener,
    audience: Audience,
    site: Arc<Site>,
    mut stopped: watch::Receiver<()>,
) {
    let endpoint = listener.endpoint(audience);
    let mut connections = Connections::default();
    let config = site.web_config(audience);
    // Without a configuration there is no sender, and never a change.
    let mut tls = config.map_or_else(|| watch::channel(()).1, |config| config.tls_changes());
    let mut is_failing = false;
    loop {
        tokio::select! {
            accepted = listener.socket.accept() => match accepted {
                Ok((stream, _)) => {
                    if std::mem::take(&mut is_failing) {
                        tracing::info!("connections are accepted again");
                    }
                    let progress = Arc::new(Progress::begun());
                    let serving = connection::serve(
                        stream,
                        endpoint.clone(),
                        Arc::clone(&site),
                        Arc::clone(&progress),
                    );
                    let newest = connections.add(progress, serving);
                    tokio::select! {
                        () = connections.make_room(newest, &site) => {}
                        _ = stopped.changed() => break,
                    }
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(
                            %error,
                            "cannot accept a connection; raise the limit of open files \
                             (LimitNOFILE) if there are too many"
                        );
                    }
                    // Above all EMFILE: the connection stays in the queue, so that an immediate
                    // new try would spin.
                    connections.evict(None, &site);
                    let _ = timeout(PAUSE, stopped.changed()).await;
                }
            },
            () = connections.one_ends(), if !connections.tasks.is_empty() => {}
            Ok(()) = tls.changed() => connections.end_all(Progress::has_begun),
            // An error says that the sender is gone, which is the stop.
            _ = stopped.changed() => break,
        }
    }
    // The system refuses new connections from here on, rather than let them wait.
    drop(listener);
    connections.end_all(|_| true);
    connections.drain(site.limits().grace).await;
}

/// Whether a client gave up while it waited to be accepted.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// The connections of a listener.
#[derive(Debug, Default)]
struct Connections {
    tasks: JoinSet<()>,
    open: HashMap<Id, (Arc<Progress>, AbortHandle)>,
}

impl Connections {
    fn add(
        &mut self,
        progress: Arc<Progress>,
        serving: impl Future<Output = ()> + Send + 'static,
    ) -> Id {
        let task = self.tasks.spawn(serving);
        let id = task.id();
        self.open.insert(id, (progress, task));
        id
    }

    /// Waits until one ends. Cancel safe.
    async fn one_ends(&mut self) {
        if let Some(ended) = self.tasks.join_next_with_id().await {
            self.forget(ended);
        }
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.open.remove(&id);
    }

    /// Waits until there are no more than the limits allow.
    async fn make_room(&mut self, newest: Id, site: &Site) {
        loop {
            // Connections that have ended take no room.
            while let Some(ended) = self.tasks.try_join_next_with_id() {
                self.forget(ended);
            }
            if self.tasks.len() <= site.limits().connections {
                return;
            }
            self.evict(Some(newest), site);
            // Where each has an answer in progress, one of them may be dispensable soon.
            let _ = timeout(PAUSE, self.one_ends()).await;
        }
    }

    /// Closes the most dispensable connection, if any is, but never the newest.
    fn evict(&mut self, newest: Option<Id>, site: &Site) {
        let others = self.open.iter().filter(|(id, _)| Some(**id) != newest);
        let ranked = others.filter_map(|(_, (progress, task))| Some((progress.rank()?, task)));
        if let Some(task) = progress::most_dispensable(ranked.collect()) {
            task.abort();
            site.exporter.connection_evicted();
        }
    }

    /// Ends each of these as soon as no answer is in progress on it.
    fn end_all(&self, which: impl Fn(&Progress) -> bool) {
        let these = self.open.values().filter(|(progress, _)| which(progress));
        for (progress, task) in these {
            if progress.is_waiting() {
                task.abort();
            } else {
                progress.asked_to_end.notify_one();
            }
        }
    }

    /// Waits until all have ended, and cuts off those that take longer.
    async fn drain(mut self, grace: Duration) {
        let all_end = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(grace, all_end).await.is_err() {
            tracing::warn!(
                connections = self.tasks.len(),
                "clients did not take their answers in time; cutting them off"
            );
        }
        self.tasks.shutdown().await;
    }
}
