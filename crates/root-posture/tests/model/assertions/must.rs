//! What must be shown.

use root_posture::{Counts, Evidence, LiveSource, MAX_CREDENTIALS, MAX_LAG, Moment, Topic};

use super::{Check, Step, ensure, is_empty};
use crate::support::Shown;
use crate::support::answers::Streak;

/// What a live source answers is shown at once, and so is what a summary counts beyond all that
/// was known in the last 15 minutes.
pub fn one_answer_raises(step: &Step) -> Check {
    let Some(Evidence::Answer(answer)) = step.evidence() else {
        return Ok(());
    };
    let log = &step.world.log;
    for shown in Shown::ALL {
        let is_current = log.is_current(answer.source, shown.topic);
        if step.is_cold() || !step.answered.contains(&shown.topic) || !is_current {
            continue;
        }
        let said = answer.values.get(shown.topic).unwrap_or_default();
        let known = log.known_lately(shown.topic, answer.asked);
        let least = match answer.source {
            LiveSource::Summary if !shown.present => said.present.saturating_sub(known),
            _ => shown.pick(said),
        };
        let value = shown.at(&step.after, step.now());
        // One none of a summary does not say how an inactive key is that still counts.
        let says_zero = answer.source == LiveSource::List
            && shown.pick(said) == 0
            && step.now() < answer.asked + step.world.limits.max_live_staleness;
        let may_be_unknown = least == 0 && !says_zero;
        ensure(
            value >= Some(least) || value.is_none() && may_be_unknown,
            || format!("{shown:?} is {value:?}, at least {least} is known"),
        )?;
    }
    Ok(())
}

/// What a source says counts until it is refuted by two answers, or a report is clearly later: every
/// answer of a live source back to the newest that it confirmed, and the report.
pub fn a_claim_counts_until_it_is_refuted(step: &Step) -> Check {
    if step.is_cold() || step.after.review_at.is_some() {
        return Ok(());
    }
    let log = &step.world.log;
    for shown in Shown::ALL {
        let [summary, list] = LiveSource::ALL.map(|source| log.answers(source, shown.topic));
        let none = summary.confirmed_none().and_then(Streak::twice_since);
        let other = list.confirmed().and_then(Streak::twice_since);
        let report = log.report(shown.topic);
        let since = report.map(|(report, _)| report.generated - MAX_LAG);
        let stands = |source, refuted: Option<Moment>| {
            let unsettled = log.answers(source, shown.topic).unsettled().iter();
            unsettled.filter(move |streak| {
                let has_failed = log.failed(source, shown.topic) > streak.last;
                since <= Some(streak.last) && !(has_failed && refuted > Some(streak.last))
            })
        };
        let mut claims: Vec<u8> = stands(LiveSource::List, none)
            .map(|streak| shown.pick(streak.value))
            .collect();
        if shown.present {
            let counted = stands(LiveSource::Summary, other);
            claims.extend(counted.map(|streak| streak.value.present));
        }
        if let Some((report, value)) = report {
            let nones = summary.0.iter().filter(|it| it.value.present == 0);
            let mut against = nones.chain(&list.0).filter_map(Streak::twice_since);
            if against.all(|twice_since| twice_since < report.received) {
                claims.push(shown.pick(value));
            }
        }
        let least = claims.into_iter().max().unwrap_or(0).min(MAX_CREDENTIALS);
        let value = shown.alarm(&step.after);
        ensure(value >= least, || {
            format!("{shown:?} is {value}, not {least}")
        })?;
    }
    Ok(())
}

/// A list that gave the same answer twice, has not failed since and is not contradicted decides the
/// value.
pub fn a_settled_list_decides(step: &Step) -> Check {
    let log = &step.world.log;
    for topic in Topic::ALL {
        let list = log.answers(LiveSource::List, topic);
        let summary = log.answers(LiveSource::Summary, topic);
        let Some((newest, twice_since)) = list
            .newest()
            .and_then(|newest| Some((newest, newest.twice_since()?)))
        else {
            continue;
        };
        let later = summary.0.iter().filter(|it| it.last > newest.last);
        let mut counted = later.chain(summary.unsettled());
        let is_settled = log.is_current(LiveSource::List, topic)
            && log
                .reports
                .iter()
                .all(|report| report.received <= twice_since)
            && counted.all(|it| it.value.present <= newest.value.present);
        if is_settled && !step.is_cold() {
            expect(step, topic, newest.value)?;
        }
    }
    Ok(())
}

/// A summary that counts none twice decides, where no list that did not fail says otherwise.
pub fn a_settled_none_decides(step: &Step) -> Check {
    let log = &step.world.log;
    for topic in Topic::ALL {
        let list = log.answers(LiveSource::List, topic);
        let summary = log.answers(LiveSource::Summary, topic);
        let newest = summary.newest().filter(|it| it.value == Counts::NONE);
        let Some(twice_since) = newest.and_then(Streak::twice_since) else {
            continue;
        };
        let list_agrees = list.unsettled().iter().all(|it| it.value == Counts::NONE);
        let list_failed = list.newest().is_some_and(|newest| {
            newest.last < twice_since && newest.last < log.failed(LiveSource::List, topic)
        });
        let is_settled = log.is_current(LiveSource::Summary, topic)
            && log
                .reports
                .iter()
                .all(|report| report.received <= twice_since)
            && (list_agrees || list_failed);
        if is_settled && !step.is_cold() {
            expect(step, topic, Counts::NONE)?;
        }
    }
    Ok(())
}

/// A report that was generated more than 15 minutes after every live answer is what is shown.
pub fn a_report_clearly_later_decides(step: &Step) -> Check {
    let log = &step.world.log;
    for topic in Topic::ALL {
        if let Some((report, value)) = log.report(topic)
            && log.last_live(topic) < Some(report.generated - MAX_LAG)
            && !step.is_cold()
        {
            expect(step, topic, value)?;
        }
    }
    Ok(())
}

fn expect(step: &Step, topic: Topic, value: Counts) -> Check {
    for shown in Shown::ALL.into_iter().filter(|it| it.topic == topic) {
        let (found, expected) = (
            shown.metric(&step.after),
            shown.pick(value).min(MAX_CREDENTIALS),
        );
        ensure(found.is_some_and(|it| it.value == expected), || {
            format!("{shown:?} is {found:?}, not {expected}")
        })?;
    }
    Ok(())
}

/// An answer that was asked before the newest, a report that is not the newest and the same once
/// more change nothing, once the first start is over.
pub fn nothing_new_changes_nothing(step: &Step) -> Check {
    let Some(evidence) = step.evidence() else {
        return Ok(());
    };
    let is_new = match evidence {
        Evidence::Answer(_) => !step.answered.is_empty(),
        Evidence::Report(report) => step.world.log.reports.last() == Some(&report),
        Evidence::Failure { .. } | Evidence::NoReportYet(_) => true,
    };
    let [.., previous, newest] = step.world.arrivals.as_slice() else {
        return Ok(());
    };
    let is_duplicate = previous.evidence == newest.evidence;
    ensure(
        is_new && !is_duplicate || is_empty(&step.before) || step.before == step.after,
        || "something changed".to_owned(),
    )
}

/// Time ends a zero, and a hold, and nothing else; nor does a restart.
pub fn time_changes_only_what_was_announced(step: &Step) -> Check {
    if step.arrival.is_some() || is_empty(&step.before) {
        return Ok(());
    }
    let is_reviewed = (step.before.review_at).is_some_and(|at| at <= step.now());
    ensure(is_reviewed || step.before == step.after, || {
        format!("{:?}", step.before)
    })
}
