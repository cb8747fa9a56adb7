//! Notices that the shared files change, without ever waiting for the disk they are on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::files::{Paths, Stamp};
use crate::clock::Moment;

/// How often the files are looked at, while credentials are used.
const PAUSE: Duration = Duration::from_secs(1);

/// Counts the changes of the shared files.
#[derive(Debug)]
pub(in crate::aws) struct Watch {
    paths: Paths,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    changes: u64,
    /// When the next look is due; `None` while one is under way.
    next: Option<Moment>,
}

impl Watch {
    /// Begins with the files as they are now.
    pub fn new(paths: Paths) -> Self {
        let seen = Seen {
            stamp: paths.stamp(),
            changes: 0,
            next: Some(Moment::default()),
        };
        Self {
            paths,
            seen: Mutex::new(seen),
        }
    }

    /// Where the files are.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// How often the files have changed, as far as that has been noticed: within a second or so.
    pub fn changes(self: &Arc<Self>, now: Moment) -> u64 {
        let mut seen = self.seen();
        if seen.next.is_some_and(|next| now >= next) {
            seen.next = None;
            let this = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                let stamp = this.paths.stamp();
                let mut seen = this.seen();
                seen.next = Some(now + PAUSE);
                if stamp != seen.stamp {
                    seen.stamp = stamp;
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
