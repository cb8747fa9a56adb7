//! Judges, from AWS's answers, which credentials an account's root user has.
//!
//! * [`report`] parses a credential report.
//! * [`Record`] stores the evidence of one account: answers, reports and failed attempts. It never
//!   stores a conclusion.
//! * [`judge`] computes the [`Posture`] of an account from its record: every value that is exported.
//! * [`key_details`] describes each access key, from the source that the judgement names.
//!
//! Every function depends on its arguments alone: no I/O, no clock, no async runtime, no log. Times
//! are compared on one local monotonic axis ([`Moment`]); calendar times are for display only.
//!
//! # The rules in short
//!
//! One answer of a live source (account summary, list of a root session) raises a value, two lower
//! it. A credential report lowers the value of a live source only when it is clearly later, and two
//! later answers refute it. A failed attempt changes no value. Zeros expire, alarms do not.

mod counts;
mod history;
mod ids;
mod judgement;
mod keys;
mod limits;
mod observation;
mod onset;
mod posture;
mod record;
pub mod report;
mod time;

pub use counts::{Counts, MAX_CREDENTIALS};
pub use history::{History, Run};
pub use ids::{AccessKeyId, AccessKeyIdError, AccountId, AccountIdError, Partition};
pub use judgement::judge;
pub use keys::{KeyDetail, ListedKeys, key_details};
pub use limits::{FIRST_REPORT_WAIT, Limits, MAX_LAG};
pub use observation::{
    Answer, Evidence, LastUse, LiveSource, ReportClaim, RootKey, Source, Summary, Topic, Topics,
    Values,
};
pub use onset::Onset;
pub use posture::{Metric, Posture};
pub use record::{Record, SourcesInUse};
pub use time::{Moment, Timestamp};
