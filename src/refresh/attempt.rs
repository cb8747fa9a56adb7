//! One attempt: a look at an account by its live sources, or one step of its credential report, under a deadline.

use std::sync::Arc;
use std::time::Duration;

use crate::account::Account;
use crate::aws::{Answer, Aws, Fetched, ReportState, SessionKind};
use crate::clock::{Clock, Moment};
use crate::evidence::{Counts, Failure, LastUse, Reason, RootKey, Stamp, Summary};
use crate::posture::ReportFacts;
use crate::report::{self, CredentialReport, ReportError};
use crate::store::RootKeys;

/// What is refreshed: each runs on its own schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Task {
    /// The live questions.
    Look,
    /// The credential report's next step.
    Report,
}

impl<T> Seen<T> {
    fn new(answer: Answer<T>) -> Self {
        Self {
            stamp: Stamp::live(answer.date, answer.received),
            skew: answer.skew,
            value: answer.value,
        }
    }

    fn map<U>(self, read: impl FnOnce(T) -> U) -> Seen<U> {
        Seen {
            value: read(self.value),
            stamp: self.stamp,
            skew: self.skew,
        }
    }
}

impl Task {
    pub const ALL: [Self; 2] = [Self::Look, Self::Report];
}

/// What a look asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ask {
    /// The account summary, with the account's own session.
    pub summary: bool,
    /// A root session.
    pub root: Option<AskRoot>,
}

/// What a look asks of a root session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AskRoot {
    /// Whether the account summary is asked for as well: no other session does.
    pub with_summary: bool,
    /// Whether it is time for what is asked less often; a change of what is known makes it so.
    pub detail: bool,
    /// What is known.
    pub known: Option<Arc<RootKeys>>,
    /// What the last summary said.
    pub last_summary: Option<Summary>,
}

/// What a look found: of each source that was asked, the answer or why there was none.
#[derive(Debug, Default)]
pub(super) struct LookFound {
    pub summary: Option<Result<Seen<Summary>, Failure>>,
    pub root: Option<Result<Seen<RootSeen>, Failure>>,
}

/// What a root session said.
#[derive(Debug)]
pub(super) struct RootSeen {
    pub answer: RootAnswer,
    pub detail: Option<RootDetail>,
}

/// What an attempt found.
#[derive(Debug)]
pub(super) enum Found {
    Look(Box<LookFound>),
    Report(Result<Seen<Step>, Failure>),
}

impl Found {
    /// How far AWS's clock is ahead of the local one, in seconds, where an answer told.
    pub fn skew(&self) -> Option<i64> {
        match self {
            Self::Look(found) => {
                let summary = found.summary.as_ref().and_then(|seen| seen.as_ref().ok());
                let root = found.root.as_ref().and_then(|seen| seen.as_ref().ok());
                summary
                    .and_then(|seen| seen.skew)
                    .or_else(|| root.and_then(|seen| seen.skew))
            }
            Self::Report(found) => found.as_ref().ok()?.skew,
        }
    }

    /// What to book for an attempt that broke off.
    pub fn broken_off(task: Task, ask: &Ask) -> Self {
        let failure = || Failure::new(Reason::Other, "the attempt broke off; please report this");
        match task {
            Task::Look => Self::Look(Box::new(LookFound {
                summary: ask.summary.then(|| Err(failure())),
                root: ask.root.as_ref().map(|_| Err(failure())),
            })),
            Task::Report => Self::Report(Err(failure())),
        }
    }
}

/// A finding, with what the answer told of AWS's clock.
#[derive(Debug)]
pub(super) struct Seen<T> {
    pub value: T,
    pub stamp: Stamp,
    pub skew: Option<i64>,
}

/// How far a credential report got.
#[derive(Debug)]
pub(super) enum Step {
    /// AWS is making it.
    InTheMaking,
    /// Here it is.
    Read(Box<Read>),
}

/// A report that could be read.
#[derive(Debug)]
pub(super) struct Read {
    pub report: CredentialReport,
    pub facts: ReportFacts,
}

/// Runs a task under the deadline of one attempt.
pub(super) async fn attempt(
    aws: Arc<Aws>,
    clock: Clock,
    account: Arc<Account>,
    task: Task,
    ask: Ask,
    timeout: Duration,
) -> Found {
    let deadline = Deadline {
        clock: &clock,
        at: clock.moment() + timeout,
        timeout,
    };
    match task {
        Task::Look => Found::Look(Box::new(
            Box::pin(look(&aws, &account, ask, &deadline)).await,
        )),
        Task::Report => Found::Report(deadline.keep(step(&aws, &account)).await),
    }
}

/// Until when an attempt must be finished.
struct Deadline<'a> {
    clock: &'a Clock,
    at: Moment,
    timeout: Duration,
}

impl Deadline<'_> {
    async fn keep<T>(&self, asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            answer = asked => answer,
            () = self.clock.sleep_until(self.at) => Err(Failure::new(
                Reason::Timeout,
                format!("the attempt took longer than refresh.timeout ({:?})", self.timeout),
            )),
        }
    }
}

/// Asks the live sources side by side: one that hangs costs the other nothing.
async fn look(aws: &Aws, account: &Account, ask: Ask, deadline: &Deadline<'_>) -> LookFound {
    let summary = async {
        if !ask.summary {
            return None;
        }
        let answer = deadline
            .keep(aws.account_summary(account, SessionKind::Own))
            .await;
        Some(answer.map(|answer| Seen::new(answer.map(old_summary))))
    };
    let root = async {
        let ask = ask.root.as_ref()?;
        let answer = deadline
            .keep(root_keys(aws, account, ask.with_summary))
            .await;
        Some(answer.map(Seen::new))
    };
    let (summary, root) = tokio::join!(summary, root);
    let root = match (ask.root, root) {
        (Some(ask), Some(Ok(seen))) => {
            let said = summary
                .as_ref()
                .and_then(|seen| Some(seen.as_ref().ok()?.value));
            let detail = if ask.detail || is_news(&ask, &seen.value, said) {
                let asked = root_detail(aws, account, &seen.value.keys);
                // Each question that fails is counted; what it would have told stays as it was.
                deadline.keep(asked).await.ok()
            } else {
                None
            };
            Some(Ok(seen.map(|answer| RootSeen { answer, detail })))
        }
        (_, Some(Err(failure))) => Some(Err(failure)),
        (_, _) => None,
    };
    LookFound { summary, root }
}

/// Whether a look shows a change of what is known.
fn is_news(ask: &AskRoot, answer: &RootAnswer, summary: Option<Summary>) -> bool {
    let summary = summary.or(answer.summary);
    let known = ask.known.iter().flat_map(|known| &known.keys);
    let keys_are_known = answer
        .keys
        .iter()
        .map(|key| (&key.id, key.active))
        .eq(known.map(|key| (&key.id, key.active)));
    !keys_are_known
        || summary.is_some() && ask.last_summary.is_some() && summary != ask.last_summary
}

/// Asks AWS to make a report, and takes it where it is there. Asking is the way to learn how far
/// it is: AWS begins a new one only when the last is four hours old.
async fn step(aws: &Aws, account: &Account) -> Result<Seen<Step>, Failure> {
    let generated = aws.generate_report(account).await?;
    if generated.value == ReportState::InTheMaking {
        return Ok(Seen {
            value: Step::InTheMaking,
            stamp: Stamp::live(generated.date, generated.received),
            skew: generated.skew,
        });
    }
    let answer = aws.fetch_report(account).await?;
    let skew = answer.skew;
    let stamp = Stamp::live(answer.date, answer.received);
    let value = match &answer.value {
        // It ran out between the two calls; the next step has AWS make one.
        Fetched::InTheMaking | Fetched::Missing => Step::InTheMaking,
        Fetched::Report { content, generated } => {
            Step::Read(Box::new(read(account, content, *generated, &answer)?))
        }
    };
    Ok(Seen { value, stamp, skew })
}

fn read<T>(
    account: &Account,
    content: &[u8],
    generated: Option<crate::clock::Timestamp>,
    answer: &Answer<T>,
) -> Result<Read, Failure> {
    let report =
        report::parse(content, Some(account.id), account.partition()).map_err(|error| {
            let reason = match &error {
                ReportError::AccountMismatch { .. } => Reason::AccountMismatch,
                ReportError::Malformed { .. } => Reason::ReportMalformed,
            };
            Failure::new(reason, format!("credential report: {error}"))
        })?;
    let Some(generated) = generated else {
        return Err(Failure::new(
            Reason::ReportMalformed,
            "credential report: the answer names no GeneratedTime",
        ));
    };
    let stamp = Stamp::dated(generated, answer.date, answer.received);
    let facts = ReportFacts::of(report.root.as_ref(), stamp);
    Ok(Read { report, facts })
}

/// What a root session answers at each look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RootAnswer {
    pub keys: Vec<RootKey>,
    pub summary: Option<Summary>,
}

/// What is asked less often. A field is `None` where AWS did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RootDetail {
    pub last_used: Vec<Option<Option<LastUse>>>,
    pub certificates: Option<Counts>,
    pub mfa: Option<bool>,
    pub password: Option<bool>,
}

fn old_summary(summary: root_posture::Summary) -> Summary {
    Summary {
        keys: summary.keys,
        certificates: summary.certificates,
        mfa: summary.mfa,
        password: summary.password,
    }
}

fn old_use(used: root_posture::LastUse) -> LastUse {
    LastUse {
        at: used.at,
        region: used.region,
        service: used.service,
    }
}

async fn root_keys(
    aws: &Aws,
    account: &Account,
    with_summary: bool,
) -> Result<Answer<RootAnswer>, Failure> {
    let listed = aws.root_keys(account).await?;
    let summary = if with_summary {
        let answer = aws.account_summary(account, SessionKind::Root).await;
        answer.ok().map(|answer| old_summary(answer.value))
    } else {
        None
    };
    let old = |key: root_posture::RootKey| RootKey {
        id: key.id,
        active: key.active,
        created: key.created,
        last_used: None,
    };
    Ok(listed.map(|keys| RootAnswer {
        keys: keys.into_iter().map(old).collect(),
        summary,
    }))
}

async fn root_detail(
    aws: &Aws,
    account: &Account,
    keys: &[RootKey],
) -> Result<RootDetail, Failure> {
    let mut last_used = Vec::new();
    for key in keys {
        let used = aws.key_last_used(account, &key.id).await.ok();
        last_used.push(used.map(|answer| answer.value.map(old_use)));
    }
    let counts = |counts: root_posture::Counts| Counts {
        active: counts.active,
        present: counts.present,
    };
    let value = |answer: Result<Answer<bool>, Failure>| answer.ok().map(|answer| answer.value);
    Ok(RootDetail {
        last_used,
        certificates: aws
            .root_certificates(account)
            .await
            .ok()
            .map(|answer| counts(answer.value)),
        mfa: value(aws.root_mfa(account).await),
        password: value(aws.root_login_profile(account).await),
    })
}
