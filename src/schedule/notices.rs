//! What the events say to the schedule. They make it poll; no value follows from them.

use root_posture::{AccountId, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::activity::Activity;
use crate::aws::RequestId;
use crate::views::MessageKind;

/// What one event says about an account, as far as it concerns this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The account that it happened in.
    pub account: AccountId,
    /// The request of an iam:GetAccountSummary, which may be a poll of ours.
    pub summary: Option<RequestId>,
    /// Something that root did.
    pub activity: Option<Activity>,
    /// When a trail was changed, or a rule that carries events stopped.
    pub tampered: Option<Timestamp>,
    /// When such a rule was made or changed. That is the roll-out where events were never verified, and
    /// tampering elsewhere.
    pub rule_put: Option<Timestamp>,
}

/// What the reader of the queue hands to the schedule.
#[derive(Debug)]
pub enum FromQueue {
    /// Whether the queue can be read. It counts as one that cannot until this says so.
    Up(bool),
    /// Another queue is read from now on, or none: what an earlier one verified counts no more.
    Another,
    /// Events, and where to send the kind of each once it has taken effect.
    Events(Vec<Notice>, oneshot::Sender<Vec<MessageKind>>),
}

/// Hands events to the schedule; it waits until the schedule knows which accounts are monitored.
pub type Notices = mpsc::Sender<FromQueue>;
