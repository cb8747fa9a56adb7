//! One attempt: a look at an account, or one step of its credential report, under a deadline.

use std::sync::Arc;
use std::time::Duration;

use crate::account::Account;
use crate::aws::{Answer, Aws, Fetched, ReportState};
use crate::clock::Clock;
use crate::evidence::{Failure, Reason, Stamp};
use crate::posture::{Look, ReportFacts};
use crate::report::{self, CredentialReport, ReportError};

/// What is refreshed: each runs on its own schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Task {
    /// The live questions.
    Look,
    /// The credential report's next step.
    Report,
}

impl Task {
    pub const ALL: [Self; 2] = [Self::Look, Self::Report];
}

/// What an attempt found.
#[derive(Debug)]
pub(super) enum Found {
    Look(Result<Seen<Look>, Failure>),
    Report(Result<Seen<Step>, Failure>),
}

impl Found {
    /// How far AWS's clock is ahead of the local one, in seconds, where the answer told.
    pub fn skew(&self) -> Option<i64> {
        match self {
            Self::Look(found) => found.as_ref().ok()?.skew,
            Self::Report(found) => found.as_ref().ok()?.skew,
        }
    }

    /// What to book for an attempt that broke off.
    pub fn broken_off(task: Task) -> Self {
        let failure = Failure::new(Reason::Other, "the attempt broke off; please report this");
        match task {
            Task::Look => Self::Look(Err(failure)),
            Task::Report => Self::Report(Err(failure)),
        }
    }
}

/// A finding, with what the answer told of AWS's clock.
#[derive(Debug)]
pub(super) struct Seen<T> {
    pub value: T,
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
    timeout: Duration,
) -> Found {
    let deadline = clock.moment() + timeout;
    let late = || {
        Failure::new(
            Reason::Timeout,
            format!("the attempt took longer than refresh.timeout ({timeout:?})"),
        )
    };
    match task {
        Task::Look => Found::Look(tokio::select! {
            seen = look(&aws, &account) => seen,
            () = clock.sleep_until(deadline) => Err(late()),
        }),
        Task::Report => Found::Report(tokio::select! {
            seen = step(&aws, &account) => seen,
            () = clock.sleep_until(deadline) => Err(late()),
        }),
    }
}

async fn look(aws: &Aws, account: &Account) -> Result<Seen<Look>, Failure> {
    let answer = aws.account_summary(account).await?;
    Ok(Seen {
        value: Look {
            stamp: Stamp::live(answer.date, answer.received),
            summary: Some(answer.value),
            listed: None,
        },
        skew: answer.skew,
    })
}

/// Asks AWS to make a report, and takes it where it is there. Asking is the way to learn how far
/// it is: AWS begins a new one only when the last is four hours old.
async fn step(aws: &Aws, account: &Account) -> Result<Seen<Step>, Failure> {
    let generated = aws.generate_report(account).await?;
    if generated.value == ReportState::InTheMaking {
        return Ok(Seen {
            value: Step::InTheMaking,
            skew: generated.skew,
        });
    }
    let answer = aws.fetch_report(account).await?;
    let skew = answer.skew;
    let value = match &answer.value {
        // It ran out between the two calls; the next step has AWS make one.
        Fetched::InTheMaking | Fetched::Missing => Step::InTheMaking,
        Fetched::Report { content, generated } => {
            Step::Read(Box::new(read(account, content, *generated, &answer)?))
        }
    };
    Ok(Seen { value, skew })
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
