//! The questions of a probe to AWS, each with its own deadline, and their answers as findings.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use root_posture::report::{self, CredentialReport, ReportError};
use root_posture::{
    Answer, Counts, LastUse, LiveSource, Moment, ReportClaim, RootKey, SourcesInUse, Timestamp,
    Topic, Topics, Values,
};
use tracing::error;

use crate::account::Account;
use crate::aws::{self, Aws, Fetched, ReportState, RequestId, SessionKind};
use crate::clock::Clock;
use crate::failure::{Failure, Reason};

/// A kind of poll of one account. Each has its own plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Probe {
    /// iam:GetAccountSummary.
    Summary,
    /// iam:ListAccessKeys in a root session.
    RootKeys,
    /// What changes rarely, in a root session: last use, certificates, MFA devices, login profile.
    RootDetail,
    /// The next step of the credential report.
    Report,
}

impl Probe {
    pub const COUNT: usize = 4;
    pub const ALL: [Self; Self::COUNT] = [
        Self::Summary,
        Self::RootKeys,
        Self::RootDetail,
        Self::Report,
    ];

    /// Those that show a change at once.
    pub const LIVE: [Self; 2] = [Self::Summary, Self::RootKeys];

    /// Whether it gives evidence that is in use.
    pub fn is_used(self, in_use: SourcesInUse) -> bool {
        match self {
            Self::Summary => in_use.summary,
            Self::RootKeys | Self::RootDetail => in_use.list,
            Self::Report => in_use.report,
        }
    }
}

/// One request of a probe. Those of one probe run side by side, and each can fail alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Summary(SessionKind),
    RootKeys,
    /// Of the key with that id.
    LastUse(String),
    Certificates,
    Mfa,
    LoginProfile,
    Report,
}

impl Question {
    /// The evidence that is missing when it fails.
    pub fn topics(&self) -> Option<(LiveSource, Topics)> {
        let topic = match self {
            Self::Summary(_) => return Some((LiveSource::Summary, Topics::ALL)),
            Self::RootKeys => Topic::Keys,
            Self::Certificates => Topic::Certificates,
            Self::Mfa => Topic::MfaOff,
            Self::LoginProfile => Topic::Password,
            Self::LastUse(_) | Self::Report => return None,
        };
        Some((LiveSource::List, Topics::of(&[topic])))
    }
}

/// The result of a question, failures included.
#[derive(Debug)]
pub(super) struct Observation {
    pub question: Question,
    /// When the attempt began; an answer carries the time of its own request.
    pub asked: Moment,
    /// How far AWS's clock is ahead of the local one, in seconds, where the answer has a date.
    pub skew: Option<i64>,
    /// The request of a summary, whose event verifies push.
    pub request: Option<RequestId>,
    pub outcome: Result<Finding, Failure>,
}

#[derive(Debug)]
pub(super) enum Finding {
    /// Values of topics.
    Live(Answer),
    /// Root's access keys, one by one.
    Keys(Answer, Vec<RootKey>),
    /// The last use of the key with that id.
    LastUse(String, Option<LastUse>),
    /// AWS is making the report.
    ReportPending,
    /// A report.
    Report(Box<ReadReport>),
}

/// A credential report that was parsed.
#[derive(Debug)]
pub(super) struct ReadReport {
    pub report: CredentialReport,
    pub claim: ReportClaim,
    /// Why AWS refused to make a newer one, if it did.
    pub refused: Option<Failure>,
}

/// Asks AWS a question, for at most `timeout`.
pub(super) async fn ask(
    aws: Aws,
    clock: Clock,
    account: Arc<Account>,
    question: Question,
    timeout: Duration,
) -> Observation {
    let asked = clock.moment();
    let answered = tokio::select! {
        answered = without_panic(answer(&aws, &account, &question)) => {
            answered.unwrap_or_else(|| {
                error!(account = %account.id, ?question, "a probe panicked; please report this");
                let message = "the probe panicked; please report this with the log";
                Err(Failure::new(Reason::Other, message))
            })
        }
        () = clock.sleep_until(asked + timeout) => Err(Failure::new(
            Reason::Timeout,
            format!("no answer within refresh.timeout ({timeout:?})"),
        )),
    };
    let (outcome, skew, request) = match answered {
        Ok(found) => (Ok(found.finding), found.skew, found.request),
        Err(failure) => (Err(failure), None, None),
    };
    Observation {
        question,
        asked,
        skew,
        request,
        outcome,
    }
}

/// The output of a future; `None` if it panics. A panic is a defect of this program: it fails the
/// question, not the account and not the process.
async fn without_panic<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let poll = AssertUnwindSafe(|| future.as_mut().poll(context).map(Some));
        catch_unwind(poll).unwrap_or(Poll::Ready(None))
    })
    .await
}

/// An answer, as a finding.
struct Found {
    finding: Finding,
    skew: Option<i64>,
    request: Option<RequestId>,
}

impl Found {
    fn new(finding: Finding, skew: Option<i64>) -> Self {
        Self {
            finding,
            skew,
            request: None,
        }
    }
}

type Answered = Result<Found, Failure>;

async fn answer(aws: &Aws, account: &Account, question: &Question) -> Answered {
    match question {
        Question::Summary(kind) => {
            let answer = aws.account_summary(account, *kind).await?;
            let claim = claim(LiveSource::Summary, &answer, answer.value.into());
            Ok(Found {
                request: answer.request_id,
                ..Found::new(Finding::Live(claim), answer.skew)
            })
        }
        Question::RootKeys => {
            let answer = aws.root_keys(account).await?;
            let values = Values::of_keys(&answer.value);
            let claim = claim(LiveSource::List, &answer, values);
            Ok(Found::new(Finding::Keys(claim, answer.value), answer.skew))
        }
        Question::LastUse(id) => {
            let answer = aws.key_last_used(account, id).await?;
            let skew = answer.skew;
            Ok(Found::new(Finding::LastUse(id.clone(), answer.value), skew))
        }
        Question::Certificates => {
            let answer = aws.root_certificates(account).await?;
            Ok(listed(&answer, Topic::Certificates, answer.value))
        }
        Question::Mfa => {
            let answer = aws.root_mfa(account).await?;
            Ok(listed(&answer, Topic::MfaOff, Counts::flag(!answer.value)))
        }
        Question::LoginProfile => {
            let answer = aws.root_login_profile(account).await?;
            let password = Counts::flag(answer.value);
            Ok(listed(&answer, Topic::Password, password))
        }
        Question::Report => report_step(aws, account).await,
    }
}

/// An answer of a root session about one topic.
fn listed<T>(answer: &aws::Answer<T>, topic: Topic, counts: Counts) -> Found {
    let values = Values::default().with(topic, Some(counts));
    let claim = claim(LiveSource::List, answer, values);
    Found::new(Finding::Live(claim), answer.skew)
}

fn claim<T>(source: LiveSource, answer: &aws::Answer<T>, values: Values) -> Answer {
    Answer {
        source,
        asked: answer.requested,
        date: answer.date,
        values,
    }
}

/// Requests a new report, and fetches the one that exists. The request also returns the state of a
/// report: AWS begins a new one only when the last is four hours old. Where AWS refuses to make one,
/// an older one may still exist.
async fn report_step(aws: &Aws, account: &Account) -> Answered {
    let refused = match aws.generate_report(account).await {
        Ok(answer) if answer.value == ReportState::Pending => {
            return Ok(Found::new(Finding::ReportPending, answer.skew));
        }
        Ok(_) => None,
        Err(failure) => Some(failure),
    };
    let answer = match (aws.fetch_report(account).await, &refused) {
        (Ok(answer), _) => answer,
        (Err(failure), None) => return Err(failure),
        (Err(_), Some(refused)) => return Err(refused.clone()),
    };
    let skew = answer.skew;
    match (&answer.value, refused) {
        (Fetched::Report { content, generated }, refused) => {
            let read = read(account, content, *generated, &answer, refused)?;
            Ok(Found::new(Finding::Report(Box::new(read)), skew))
        }
        (Fetched::Missing, Some(refused)) => Err(refused),
        // It expired between the two calls; the next step requests a new one.
        (Fetched::Pending | Fetched::Missing, _) => Ok(Found::new(Finding::ReportPending, skew)),
    }
}

fn read<T>(
    account: &Account,
    content: &[u8],
    generated: Option<Timestamp>,
    answer: &aws::Answer<T>,
    refused: Option<Failure>,
) -> Result<ReadReport, Failure> {
    let report =
        report::parse(content, Some(account.id), account.partition()).map_err(|error| {
            let reason = match &error {
                ReportError::AccountMismatch { .. } => Reason::AccountMismatch,
                ReportError::Malformed { .. } => Reason::ReportMalformed,
            };
            Failure::new(reason, format!("credential report: {error}"))
        })?;
    let Some(date) = generated else {
        return Err(Failure::new(
            Reason::ReportMalformed,
            "credential report: the answer has no GeneratedTime",
        ));
    };
    Ok(ReadReport {
        claim: ReportClaim {
            received: answer.received,
            generated: answer.received - answer.date.since(date),
            date,
            values: Values::of_row(report.root.as_ref()),
        },
        report,
        refused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_question_alone() {
        assert_eq!(without_panic(async { 1 }).await, Some(1));
        assert_eq!(
            without_panic(async { panic!("a defect") }).await,
            None::<()>
        );
    }
}
