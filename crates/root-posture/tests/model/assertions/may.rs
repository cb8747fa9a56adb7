//! What may be shown.

use std::time::Duration;

use root_posture::{
    Counts, Evidence, LiveSource, MAX_CREDENTIALS, MAX_LAG, ReportClaim, Source, Topic,
};

use super::{Check, Step, ensure, is_empty};
use crate::clock::Clock;
use crate::reference::Arrival;
use crate::strategy::MINUTE;
use crate::support::Shown;
use crate::support::answers::Streak;

pub fn values_are_bounded(step: &Step) -> Check {
    for shown in Shown::ALL {
        let most = match shown.topic {
            Topic::Keys | Topic::Certificates => MAX_CREDENTIALS,
            Topic::MfaOff | Topic::Password => 1,
        };
        let value = shown.alarm(&step.after);
        ensure(value <= most, || format!("{shown:?} is {value}"))?;
    }
    let [active, present] = [step.after.keys_active, step.after.keys_present];
    let value = |metric: Option<root_posture::Metric>| metric.map(|it| it.value);
    ensure(value(active) <= value(present), || {
        format!("{active:?} of {present:?}")
    })
}

/// Never a positive value without a positive claim of a source that may still stand.
pub fn a_positive_value_stands_on_a_claim(step: &Step) -> Check {
    for shown in Shown::ALL {
        let value = shown.alarm(&step.after);
        let claims = step.claims(shown);
        let (finer, counted) = (claims.finer(), claims.counted());
        ensure(value == 0 || value <= finer.max(counted), || {
            format!("{shown:?} is {value}; lists and reports say {finer}, summaries {counted}")
        })?;
    }
    Ok(())
}

/// A zero only if some source said so within its limits, and never for longer.
pub fn a_zero_is_supported(step: &Step) -> Check {
    for shown in Shown::ALL
        .into_iter()
        .filter(|it| it.topic != Topic::Password)
    {
        let metric = shown.metric(&step.after);
        let until = metric.and_then(|metric| metric.fine_until);
        ensure(
            until.is_some() == metric.is_some_and(|metric| metric.value == 0),
            || format!("{shown:?}: {metric:?} expires, or does not"),
        )?;
        let Some(last) = until.map(|until| until - Duration::from_millis(1)) else {
            continue;
        };
        let (log, limits) = (&step.world.log, &step.world.limits);
        ensure(
            last < step.now() || log.supports_zero(shown, last, limits),
            || format!("{shown:?} is zero until {until:?}, now is {:?}", step.now()),
        )?;
    }
    Ok(())
}

/// Nothing before each source in use has answered or failed, nor in the two minutes in which a
/// report may explain what a summary counts; and everything after.
pub fn a_first_start_is_waited_for(step: &Step) -> Check {
    let until = step.world.first_report_until();
    if step.world.awaits() || until.is_some_and(|until| step.now() < until) {
        return ensure(is_empty(&step.after), || {
            format!("{:?}, a report until {until:?}", step.world.awaiting)
        });
    }
    for shown in Shown::ALL {
        let is_said = step
            .world
            .arrivals
            .iter()
            .any(|arrival| arrival.says(shown.topic));
        ensure(shown.metric(&step.after).is_some() == is_said, || {
            format!("{shown:?} has a value or not, and was answered: {is_said}")
        })?;
    }
    Ok(())
}

/// The time beside a value is that of an answer of the source beside it.
pub fn the_source_said_so_at_that_time(step: &Step) -> Check {
    for shown in Shown::ALL {
        let Some(metric) = shown.metric(&step.after) else {
            continue;
        };
        let has_arrived = step.world.arrivals.iter().any(|arrival| {
            arrival.source() == Some(metric.source)
                && arrival.date() == Some(metric.observed)
                && arrival.says(shown.topic)
        });
        ensure(has_arrived, || format!("{shown:?}: {metric:?}"))?;
    }
    let newest = Clock::date(step.world.clock.truth());
    let dates = Shown::ALL
        .into_iter()
        .filter_map(|it| Some(it.metric(&step.after)?.observed));
    ensure(dates.max() <= Some(newest), || {
        "evidence of the future".to_owned()
    })
}

/// The keys are shown one by one by the list where it covers what the report in force says, else by
/// the report, and by none where only a summary counts.
pub fn the_keys_are_shown_by_who_knows_them(step: &Step) -> Check {
    if step.is_cold() || step.after.review_at.is_some() {
        return Ok(());
    }
    let log = &step.world.log;
    let report = log.report(Topic::Keys);
    let since = report.map(|(report, _)| report.generated - MAX_LAG);
    let list = log.answers(LiveSource::List, Topic::Keys).unsettled();
    let list = list.iter().filter(|it| since <= Some(it.last));
    let listed = list.map(|it| it.value).reduce(Counts::max);
    let reported = report.map(|(_, value)| value);
    let covers = |listed: Counts| reported.is_none_or(|reported| listed.max(reported) == listed);
    let newest = log.answers(LiveSource::List, Topic::Keys).newest();
    let newest = newest.filter(|_| log.is_current(LiveSource::List, Topic::Keys));
    let is_known = match step.after.keys_by {
        Some(Source::RootSession) => listed.is_some(),
        Some(Source::CredentialReport) => {
            reported.is_some() && !newest.is_some_and(|newest| covers(newest.value))
        }
        Some(Source::AccountSummary) => false,
        None => newest.is_none(),
    };
    let is_covered = listed.is_none_or(covers);
    let is_refuted = reported.is_none() || is_refuted(step, Topic::Keys);
    let is_right = step.after.keys_by != Some(Source::RootSession) || is_covered || is_refuted;
    ensure(is_known && is_right, || {
        format!(
            "{:?}, listed {listed:?}, reported {reported:?}",
            step.after.keys_by
        )
    })
}

/// Whether two answers since its receipt refute the newest report.
fn is_refuted(step: &Step, topic: Topic) -> bool {
    let log = &step.world.log;
    let [summary, list] = LiveSource::ALL.map(|source| log.answers(source, topic));
    let nones = summary.0.iter().filter(|it| it.value.present == 0);
    let mut against = nones.chain(&list.0).filter_map(Streak::twice_since);
    log.report(topic)
        .is_some_and(|(report, _)| against.any(|twice| twice >= report.received))
}

/// A key that a summary counts pages although it was never active, since the newest list or report
/// before that answer, only in the known cases: at a first start, where there is no list or report
/// before; for a stale count after the summary's own none, without a list that answers; and for a key
/// that was deleted while nothing was polled for 15 minutes.
pub fn no_page_for_what_never_was(step: &Step) -> Check {
    let shown = Shown::active(Topic::Keys);
    let is_new = shown.alarm(&step.before) == 0 && shown.alarm(&step.after) > 0;
    if !is_new || step.claims(shown).finer() > 0 || !step.world.clock.is_true() {
        return Ok(());
    }
    let world = step.world;
    let arrival = || world.arrivals.iter().filter(|it| it.says(Topic::Keys));
    let is_count = |arrival: &&Arrival| arrival.source() == Some(Source::AccountSummary);
    let finer = || arrival().filter(|arrival| !is_count(arrival));
    let count = |arrival: &Arrival| arrival.value(Topic::Keys).map_or(0, |value| value.present);
    // The first, or the second key that a summary counts.
    let is_known_case = |nth: u8| {
        let mut counted = arrival().filter(is_count).rev();
        let counted = counted.find(|arrival| count(arrival) >= nth)?.content_at?;
        let described = finer().filter_map(|arrival| arrival.content_at);
        let before = described.filter(|at| *at < counted).max();
        let since = before.unwrap_or(counted) - 15 * MINUTE;
        let truth = world.clock.truth();
        let was_active = world.account.most_active(Topic::Keys, since, truth) > 0;
        // The status of a key is unknown that only a summary has counted, before the first list or
        // report.
        let is_first = before.is_none() && finer().all(|arrival| count(arrival) < nth);
        Some(was_active || is_first)
    };
    // A stale "1" of a summary after its own confirmed none, and no list to ask.
    let summary = world.log.answers(LiveSource::Summary, Topic::Keys);
    let has_said_none = summary.confirmed_none().is_some();
    let is_after_none = has_said_none && !world.log.is_current(LiveSource::List, Topic::Keys);
    // What a list said explains a count for 15 minutes before the summary's newest answer, and what a
    // report said does so until the summary has confirmed a none.
    let is_explained_no_more = |nth: u8| {
        let explains = |arrival: &&Arrival| match arrival.source() {
            Some(Source::AccountSummary) => false,
            Some(Source::CredentialReport) => !has_said_none && count(arrival) >= nth,
            _ => count(arrival) >= nth,
        };
        let explained = arrival().filter(explains).filter_map(|it| it.content_at);
        let counted = arrival().filter(is_count).filter_map(Arrival::date).max()?;
        // The times on answers are whole seconds, and up to half a minute after the request.
        let window = Duration::from_secs(15 * 60 - 31);
        let until = explained.max().map(|at| Clock::date(at).plus(window));
        Some(until.map_or(has_said_none, |until| until <= counted))
    };
    let is_known = (1..=MAX_CREDENTIALS)
        .flat_map(|nth| [is_known_case(nth), is_explained_no_more(nth)])
        .flatten()
        .any(|is_known| is_known);
    ensure(is_known || is_after_none, || {
        "a page for a key that never was active".to_owned()
    })
}

/// Evidence that is true moves no value away from the truth.
pub fn the_truth_attracts(step: &Step) -> Check {
    let Some((arrival, content_at)) = step.arrival.and_then(|it| Some((it, it.content_at?))) else {
        return Ok(());
    };
    let log = &step.world.log;
    for shown in Shown::ALL {
        let [then, truth] = [step.world.account.at(content_at), step.world.truth()]
            .map(|state| state.of(shown.topic));
        let (before, after) = (shown.metric(&step.before), shown.metric(&step.after));
        let (Some(before), Some(after)) = (before, after) else {
            continue;
        };
        if then != truth || !arrival.says(shown.topic) {
            continue;
        }
        let source = match arrival.evidence {
            Evidence::Answer(answer) => Some(answer.source),
            _ => None,
        };
        if source.is_some_and(|source| {
            !step.answered.contains(&shown.topic) || !log.is_current(source, shown.topic)
        }) {
            continue;
        }
        let is_flag = matches!(shown.topic, Topic::MfaOff | Topic::Password);
        let (before, after, true_value) = (before.value, after.value, shown.pick(truth));
        let what = || format!("{shown:?} from {before} to {after}, the truth is {true_value}");
        let says_status = source != Some(LiveSource::Summary) || is_flag;
        ensure(!says_status || after >= before.min(true_value), what)?;
        // An answer that is not the one that held a report lets it count. What a summary still
        // counts beyond the truth comes on top of it. And a list that finds a key again contradicts
        // the summary's none that had refuted what the list said before.
        let is_exact = source == Some(LiveSource::List) || source.is_some() && is_flag;
        let mut unsettled = log
            .answers(LiveSource::List, shown.topic)
            .unsettled()
            .iter();
        let may_raise = step.before.review_at.is_some()
            || step.claims(shown).counted() > truth.present
            || truth.present > 0 && unsettled.any(|it| shown.pick(it.value) >= after);
        ensure(
            !is_exact || may_raise || after <= before.max(true_value),
            what,
        )?;
    }
    Ok(())
}

/// A key becomes none only where a source said so twice, or by a report that is clearly later, or where
/// only a summary had counted it.
pub fn a_zero_after_a_key_has_a_reason(step: &Step) -> Check {
    for shown in Shown::ALL {
        let is_gone = shown.alarm(&step.before) > 0 && shown.alarm(&step.after) == 0;
        if !is_gone || step.is_cold() {
            continue;
        }
        let log = &step.world.log;
        let twice = LiveSource::ALL.into_iter().any(|source| {
            let answers = log.answers(source, shown.topic);
            let mut unsettled = answers.unsettled().iter();
            answers.confirmed().is_some()
                && unsettled.all(|streak| shown.says_zero(Some(source), streak.value))
        });
        let none = log
            .answers(LiveSource::Summary, shown.topic)
            .confirmed_none();
        let none_since = none.and_then(Streak::twice_since);
        let failed = log.failed(LiveSource::List, shown.topic);
        let list = log
            .answers(LiveSource::List, shown.topic)
            .unsettled()
            .iter();
        let mut claims = list
            .filter(|it| shown.pick(it.value) > 0)
            .filter(|it| failed < it.last || none_since < Some(it.last))
            .peekable();
        let only_counted = claims.peek().is_none() && log.claimed_in_force(shown) == 0;
        let reported_later = log.report(shown.topic).is_some_and(|(report, value)| {
            shown.pick(value) == 0 && claims.all(|it| it.last < report.generated - MAX_LAG)
        });
        ensure(twice || reported_later || only_counted, || {
            format!("{shown:?} was {}, and is 0", shown.alarm(&step.before))
        })?;
    }
    Ok(())
}

/// A report is held, and a review announced for the end of that after four intervals, only where a
/// live source contradicts it that had confirmed its answer before it came, answered in the 15
/// minutes before it was generated and did not fail since. Else a review is the end of the wait for
/// a first report.
pub fn a_review_has_a_reason(step: &Step) -> Check {
    let Some(review_at) = step.after.review_at else {
        return Ok(());
    };
    let reports = step.world.log.reports.iter().rev().take(2);
    let mut held = reports.filter(|report| {
        let mut topics = report.values.iter().map(|(topic, _)| topic);
        topics.any(|topic| is_held(step, report, topic))
    });
    let longest = step.world.limits.interval * 4;
    let is_held = held.any(|report| review_at == report.received + longest);
    let is_awaited = step.is_cold() && step.world.first_report_until() == Some(review_at);
    ensure(review_at > step.now() && (is_held || is_awaited), || {
        format!("at {review_at:?}, now is {:?}", step.now())
    })
}

/// A report that describes what was just deleted raises nothing before it is clear what it is.
pub fn a_report_that_is_contradicted_raises_nothing(step: &Step) -> Check {
    let Some(Evidence::Report(report)) = step.evidence() else {
        return Ok(());
    };
    for shown in Shown::ALL {
        if !is_empty(&step.before) && is_held(step, &report, shown.topic) {
            let [was, is] = [&step.before, &step.after].map(|posture| shown.alarm(posture));
            ensure(is <= was, || format!("{shown:?} from {was} to {is}"))?;
        }
    }
    Ok(())
}

fn is_held(step: &Step, report: &ReportClaim, topic: Topic) -> bool {
    let log = &step.world.log;
    let reported = report.values.get(topic).unwrap_or_default();
    LiveSource::ALL.into_iter().any(|source| {
        let Some(newest) = log.answers(source, topic).newest() else {
            return false;
        };
        let (said, failed) = (newest.value, log.failed(source, topic));
        let contradicts = match source {
            LiveSource::Summary => said.present == 0 && reported.present > 0,
            LiveSource::List => said.present < reported.present || said.active < reported.active,
        };
        contradicts
            && newest
                .counted
                .get(1)
                .is_some_and(|it| *it <= report.received)
            && newest.last >= report.generated - MAX_LAG
            && failed < newest.last.min(report.received)
    })
}
