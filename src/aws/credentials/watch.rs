//! Notices changes of the shared files, and never waits for their disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::files::{Paths, Stamp};
use crate::clock::Moment;

/// The time between two checks of the files, while credentials are used.
const PAUSE: Duration = Duration::from_secs(1);

/// Counts the changes of the shared files.
#[derive(Debug)]
pub(in crate::aws) struct Watch {
    paths: Paths,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    stamps: [Stamp; 2],
    changes: u64,
    /// When the next check is due; `None` during one.
    next: Option<Moment>,
}

impl Watch {
    /// Starts with the files as they are now.
    pub(super) fn new(paths: Paths) -> Self {
        let seen = Seen {
            stamps: paths.stamps(),
            changes: 0,
            next: Some(Moment::default()),
        };
        Self {
            paths,
            seen: Mutex::new(seen),
        }
    }

    /// Where the files are.
    pub(super) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// How often the files have changed. A change counts within about a second.
    pub fn changes(self: &Arc<Self>, now: Moment) -> u64 {
        let mut seen = self.seen();
        if seen.next.is_some_and(|next| now >= next) {
            seen.next = None;
            let this = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                let stamps = this.paths.stamps();
                let mut seen = this.seen();
                seen.next = Some(now + PAUSE);
                if stamps != seen.stamps {
                    seen.stamps = stamps;
                    seen.changes += 1;
                }
            });
        }
        seen.changes
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
