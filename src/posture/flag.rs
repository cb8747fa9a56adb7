//! The rules for what is on or off: MFA and the console password.
//!
//! The newest source that says anything is believed; a report only where it is clearly later than
//! the look.

use serde::{Deserialize, Serialize};

use super::{REPORT_BLUR, Support};
use crate::evidence::{Source, Stamp};

/// What a source said, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    pub stamp: Stamp,
    pub source: Source,
    pub on: bool,
}

/// The value to believe and the evidence that supports it.
pub(super) fn judge(
    look: Option<Said>,
    report: Option<Said>,
) -> Option<(bool, [Option<Support>; 2])> {
    let on = match (look, report) {
        (Some(look), Some(report)) if report.stamp.at > look.stamp.at.plus(REPORT_BLUR) => {
            report.on
        }
        (Some(look), _) => look.on,
        (None, report) => report?.on,
    };
    let supports = [look, report].map(|said| {
        said.filter(|said| said.on == on)
            .map(|said| (said.source, said.stamp))
    });
    Some((on, supports))
}
