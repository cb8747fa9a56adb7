//! The life of a credential report: none, in the making, stored, and never two within four hours.
//!
//! Source: IAM API Reference, `GenerateCredentialReport` and `GetCredentialReport`.

use super::user::Inventory;

/// How long AWS keeps a report before it makes another, in seconds.
pub const LIFETIME: i64 = 4 * 3_600;

/// When a requested report is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// This many seconds after the request.
    After(i64),
    /// After this many more calls of Generate.
    AfterPolls(u32),
}

/// An account's credential report.
#[derive(Clone, Debug)]
pub struct Report {
    /// When a requested report is complete; two seconds later by default.
    pub ready: Ready,
    /// Changes the text of a new report, before it is stored.
    pub rewrite: Option<fn(&str) -> String>,
    /// These bytes instead of a new report.
    pub raw: Option<Vec<u8>>,
    /// A GeneratedTime that Get returns instead of the true one, as some AWS emulators do.
    pub shown_generated_time: Option<i64>,
    stage: Stage,
}

/// A report as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    /// The root user's credentials in it.
    pub(crate) root: Inventory,
}

/// How far the account's report is.
#[derive(Clone, Debug, Default)]
pub(crate) enum Stage {
    #[default]
    None,
    /// In the making, of the account as it was when the report was requested.
    Making {
        content: Content,
        started: i64,
        /// Calls of Generate since then.
        polls: u32,
    },
    Stored {
        content: Content,
        generated: i64,
    },
}

impl Default for Report {
    fn default() -> Self {
        Self {
            ready: Ready::After(2),
            rewrite: None,
            raw: None,
            shown_generated_time: None,
            stage: Stage::None,
        }
    }
}

impl Report {
    /// Forgets every report, stored or in the making.
    pub fn forget(&mut self) {
        self.stage = Stage::None;
    }

    pub(crate) fn store(&mut self, content: Content, generated: i64) {
        self.stage = Stage::Stored { content, generated };
    }

    /// The root user's credentials and the GeneratedTime in the stored report.
    pub(crate) fn reported(&self) -> Option<(Inventory, Option<i64>)> {
        match &self.stage {
            Stage::Stored { content, generated } => {
                let generated = self.shown_generated_time.unwrap_or(*generated);
                Some((content.root, Some(generated)))
            }
            _ => None,
        }
    }

    /// Begins a report with that content.
    pub(crate) fn begin(&mut self, content: Content, now: i64) {
        self.stage = Stage::Making {
            content,
            started: now,
            polls: 0,
        };
    }

    /// Counts a call of Generate for [`Ready::AfterPolls`].
    pub(crate) fn poll(&mut self) {
        if let Stage::Making { polls, .. } = &mut self.stage {
            *polls += 1;
        }
    }

    /// Where the report is now; one in the making is stored once it is due.
    pub(crate) fn stage(&mut self, now: i64) -> &Stage {
        if let Stage::Making {
            content,
            started,
            polls,
        } = &self.stage
        {
            let generated = match self.ready {
                Ready::After(seconds) => Some(started + seconds).filter(|due| *due <= now),
                Ready::AfterPolls(after) => (*polls >= after).then_some(now),
            };
            if let Some(generated) = generated {
                self.store(content.clone(), generated);
            }
        }
        &self.stage
    }
}
