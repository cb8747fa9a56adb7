//! What clients of the daemon get: the metrics, the pages and the health, all from the views.
//!
//! It never calls AWS and never waits for a poll.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use exporter_toolkit::hyper::Uri;
use exporter_toolkit::{Exporter, MetricsWriter, Page};
use root_posture::Moment;

use crate::views::Views;
use crate::{metrics, pages};

/// How long the schedule may go without a turn; it turns every few seconds even when nothing is due.
const STANDSTILL: Duration = Duration::from_secs(60);

/// What the web server of the daemon serves.
#[derive(Debug)]
pub struct Site {
    views: Arc<Views>,
    telemetry_path: Arc<str>,
    /// Replaced by a reload. Locked for cloning a pointer only.
    options: RwLock<Arc<metrics::Options>>,
    /// How often the options were replaced.
    replaced: AtomicU64,
    /// Locked for a whole rendering, of which the server begins one at a time.
    renderer: Mutex<metrics::Renderer>,
}

impl Site {
    /// A site that shows `views`, with its metrics at `telemetry_path`.
    #[must_use]
    pub fn new(views: Arc<Views>, telemetry_path: &str, options: metrics::Options) -> Self {
        Self {
            views,
            telemetry_path: telemetry_path.into(),
            options: RwLock::new(Arc::new(options)),
            replaced: AtomicU64::new(0),
            renderer: Mutex::default(),
        }
    }

    /// Shows the metrics by other options from now on.
    pub fn set_options(&self, options: metrics::Options) {
        *self.options.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
        self.replaced.fetch_add(1, Ordering::Release);
    }

    fn options(&self) -> Arc<metrics::Options> {
        Arc::clone(&self.options.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Exporter for Site {
    fn write_metrics(&self, out: &mut MetricsWriter) -> fmt::Result {
        let mut renderer = self.renderer.lock().unwrap_or_else(PoisonError::into_inner);
        renderer.write(self.views.snapshot(), &self.options(), out)
    }

    /// Changes with each alarm that comes, changes or goes, and with the options.
    fn version(&self) -> u64 {
        // Both only grow, so that their sum differs once one of them does.
        self.views.alarms() + self.replaced.load(Ordering::Acquire)
    }

    fn health(&self) -> Result<(), String> {
        // A schedule that has not turned yet counts from the start of the process.
        let last = self.views.exporter.last_turn().unwrap_or_default();
        let still = self.views.moment().since(last);
        if still <= STANDSTILL {
            return Ok(());
        }
        Err(format!(
            "the schedule has not turned since {}, for {} s: restart the exporter",
            self.views.now().minus(still),
            still.as_secs()
        ))
    }

    fn readiness(&self) -> Result<(), String> {
        // Of the view only the lag depends on the moment.
        let view = self.views.exporter.view(Moment::default());
        match view.accounts {
            None => Err("the account list is not known yet".to_owned()),
            Some(counts) if view.attempted < counts.monitored => Err(format!(
                "{} of {} accounts polled",
                view.attempted, counts.monitored
            )),
            Some(_) => Ok(()),
        }
    }

    fn page(&self, path: &str, query: &str) -> Option<Page> {
        pages::at(&self.views, &self.telemetry_path, path, query)
    }

    fn not_found(&self, path: &str) -> Option<Page> {
        // Programs get a line.
        if path.starts_with("/api/") || path.starts_with("/-/") {
            return None;
        }
        let path = path.to_owned();
        Some(Page::new("other", move || pages::not_found(&path)))
    }

    fn external_url(&self) -> Option<Uri> {
        self.options().external_url.as_ref()?.parse().ok()
    }

    fn request_answered(&self, handler: &'static str, status: u16) {
        let exporter = &self.views.exporter;
        exporter.note(|view| *view.requests.entry((handler, status)).or_default() += 1);
    }

    fn connection_evicted(&self) {
        self.views.exporter.note(|view| view.evicted += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Hand, Timestamp};
    use crate::views::AccountCounts;

    fn site() -> (Site, Hand) {
        let (clock, hand) = Clock::manual(Timestamp::from_unix(1_800_000_000));
        let views = Arc::new(Views::new(clock));
        let site = Site::new(views, "/metrics", metrics::Options::default());
        (site, hand)
    }

    #[test]
    fn a_schedule_that_has_not_turned_for_a_minute_is_not_healthy() {
        let (site, hand) = site();
        for turns in [false, true] {
            if turns {
                site.views.exporter.turned(site.views.moment(), None, 0, 0);
            }
            hand.advance(Duration::from_secs(60));
            assert_eq!(site.health(), Ok(()), "{turns}");
            hand.advance(Duration::from_secs(1));
            let since = site.views.now().minus(Duration::from_secs(61));
            let expected = format!(
                "the schedule has not turned since {since}, for 61 s: restart the exporter"
            );
            assert_eq!(site.health(), Err(expected), "{turns}");
        }
    }

    #[test]
    fn ready_comes_when_every_account_was_polled() {
        let (site, _hand) = site();
        let note = |monitored, attempted| {
            site.views.exporter.note(|view| {
                view.accounts = Some(AccountCounts {
                    monitored,
                    excluded: 7,
                    inactive: 7,
                });
                view.attempted = attempted;
            });
        };
        let why = |why: &str| Err(why.to_owned());
        assert_eq!(site.readiness(), why("the account list is not known yet"));
        note(2, 1);
        assert_eq!(site.readiness(), why("1 of 2 accounts polled"));
        note(2, 2);
        assert_eq!(site.readiness(), Ok(()));
        note(0, 0);
        assert_eq!(site.readiness(), Ok(()));
    }

    #[test]
    fn other_options_are_another_version() {
        let (site, _hand) = site();
        let before = site.version();
        site.set_options(metrics::Options::default());
        assert_ne!(site.version(), before);
    }
}
