//! Notices changes of the shared files, and never waits for their disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::files::{Stamp, stamps};
use crate::clock::Moment;

/// The time between two checks of the files, while credentials are used.
const PAUSE: Duration = Duration::from_secs(1);

/// Counts the changes of the shared files.
#[derive(Debug)]
pub(in crate::aws) struct Watch(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    stamps: [Stamp; 2],
    changes: u64,
    /// When the next check is due; `None` during one.
    next: Option<Moment>,
}

impl Watch {
    /// Starts with the files as they are now.
    pub fn new() -> Self {
        Self(Mutex::new(Seen {
            stamps: stamps(),
            changes: 0,
            next: Some(Moment::default()),
        }))
    }

    /// How often the files have changed. A change counts within about a second.
    pub fn changes(self: &Arc<Self>, now: Moment) -> u64 {
        let mut seen = self.seen();
        if seen.next.is_some_and(|next| now >= next) {
            seen.next = None;
            let this = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                let stamps = stamps();
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
