//! The life of a credential report: none, in the making, stored, and never two within four hours.
//!
//! Source: IAM API Reference, `GenerateCredentialReport` and `GetCredentialReport`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::account::Inventory;
use super::answer::Failure;
use super::render::Rendering;

/// How long AWS keeps a report before it makes another, in seconds.
pub const LIFETIME: i64 = 4 * 3_600;

/// When a report that was asked for is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// So many seconds after it was asked for.
    After(i64),
    /// When Generate has been called so many times more.
    AfterPolls(u32),
    /// Not at all.
    Never,
}

/// An account's credential report.
#[derive(Clone, Debug)]
pub struct Report {
    /// When a report that was asked for is there; two seconds later unless told otherwise.
    pub ready: Ready,
    /// How reports are written from now on.
    pub rendering: Box<Rendering>,
    /// The GeneratedTime that Get shows whatever the truth is, as some stand-in servers do.
    pub shown_generated_time: Option<i64>,
    stored: Option<Stored>,
    making: Option<Making>,
}

#[derive(Clone, Debug)]
struct Stored {
    content: Content,
    generated: i64,
}

/// What a report says.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// In base64, shared by every answer.
    pub(super) base64: Bytes,
    /// Of the root user.
    pub(super) root: Inventory,
}

#[derive(Clone, Debug)]
struct Making {
    /// What the account was when the report was asked for.
    content: Content,
    started: i64,
    polls: u32,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            ready: Ready::After(2),
            rendering: Box::default(),
            shown_generated_time: None,
            stored: None,
            making: None,
        }
    }
}

/// What Generate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Started,
    Making,
    Complete,
}

impl Report {
    /// Whether a report is stored, expired or not.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// Forgets every report, stored or in the making.
    pub fn forget(&mut self) {
        self.stored = None;
        self.making = None;
    }

    pub(super) fn store(&mut self, content: Content, generated: i64) {
        self.making = None;
        self.stored = Some(Stored { content, generated });
    }

    /// Answers Generate. The account is written down only when a report begins, so that an answer
    /// costs the same however large the account.
    pub(super) fn progress(&self, now: i64) -> Progress {
        match (&self.making, &self.stored) {
            (Some(_), _) => Progress::Making,
            (None, Some(stored)) if now - stored.generated < LIFETIME => Progress::Complete,
            (None, _) => Progress::Started,
        }
    }

    /// Begins a report with that content.
    pub(super) fn begin(&mut self, content: Content, now: i64) {
        self.making = Some(Making {
            content,
            started: now,
            polls: 0,
        });
    }

    /// Counts a call of Generate for [`Ready::AfterPolls`].
    pub(super) fn poll(&mut self) {
        if let Some(making) = &mut self.making {
            making.polls += 1;
        }
    }

    /// Lets a report that is due be stored.
    pub(super) fn settle(&mut self, now: i64) {
        let Some(making) = &self.making else { return };
        let generated = match self.ready {
            Ready::After(seconds) if now - making.started >= seconds => making.started + seconds,
            Ready::AfterPolls(polls) if making.polls >= polls => now,
            _ => return,
        };
        let content = making.content.clone();
        self.store(content, generated);
    }

    /// Answers Get: the content and its GeneratedTime.
    pub(super) fn get(&self, now: i64) -> Result<(&Content, i64), Failure> {
        match (&self.making, &self.stored) {
            (Some(_), _) => Err(in_progress()),
            (None, None) => Err(Failure::new(
                410,
                "ReportNotPresent",
                "No report exists. Use GenerateCredentialReport to generate one.",
            )),
            (None, Some(stored)) if now - stored.generated >= LIFETIME => Err(Failure::new(
                410,
                "ReportExpired",
                "The most recent credential report has expired. Use GenerateCredentialReport to \
                 generate a new one.",
            )),
            (None, Some(stored)) => Ok((
                &stored.content,
                self.shown_generated_time.unwrap_or(stored.generated),
            )),
        }
    }
}

/// AWS's own message here is the word "Unknown".
pub(super) fn in_progress() -> Failure {
    Failure::new(404, "ReportInProgress", "Unknown")
}

/// A report as `Content` carries it.
pub(super) fn encode(report: &[u8]) -> Bytes {
    Bytes::from(BASE64_STANDARD.encode(report))
}

/// What `Content` carries; empty when it is not base64, which the simulator never stores.
pub(super) fn decode(content: &[u8]) -> Vec<u8> {
    BASE64_STANDARD.decode(content).unwrap_or_default()
}
