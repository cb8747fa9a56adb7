//! What AWS says of an account's root user, and what it amounts to.
//!
//! Observations go in, one judgement comes out:
//!
//! * [`report`] reads the bytes of a credential report.
//! * [`Record`] keeps what each source said of one account, and that an attempt failed. It stores
//!   evidence only, never a conclusion.
//! * [`judge`] computes the [`Posture`] of an account from its record: every value that is exported.
//! * [`key_details`] says which access keys there are, one by one, by the same judgement.
//!
//! Everything here is a function of its arguments: no I/O, no clock, no async runtime, no log. All
//! comparisons use one local monotonic axis ([`Moment`]); wall clocks are for display only.
//!
//! # The rules in short
//!
//! A live source (account summary, list of a root session) raises a value by one answer and lowers
//! it by two. A credential report lowers what a live source claims only when it is clearly later,
//! and is itself refuted by two later answers. A failed attempt never speaks. Zeros expire, alarms
//! do not.

mod history;
mod ids;
mod judgement;
mod keys;
mod observation;
mod onset;
mod record;
pub mod report;
mod time;

pub use history::{History, Run};
pub use ids::{AccessKeyId, AccessKeyIdError, AccountId, AccountIdError, Partition};
pub use judgement::{Limits, Metric, Posture, judge};
pub use keys::{KeyDetail, ListedKeys, key_details};
pub use observation::{
    Answer, Counts, Evidence, LastUse, LiveSource, ReportClaim, RootKey, Source, Summary, Topic,
    Topics, Values,
};
pub use onset::Onset;
pub use record::{Record, SourcesInUse};
pub use time::{Moment, Timestamp};

use std::time::Duration;

/// How old the content of a credential report may be when AWS says that it was generated, and how
/// long one live source may lag behind another.
pub const LATE: Duration = Duration::from_secs(15 * 60);

/// How long a first start waits for a first report where only a summary has counted keys.
pub const COLD_WAIT: Duration = Duration::from_secs(2 * 60);

/// How many access keys, or signing certificates, AWS lets a root user have.
///
/// Source: IAM User Guide, "IAM and AWS STS quotas".
pub const MOST: u8 = 2;
