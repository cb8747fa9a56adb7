//! What may be shown.

use std::time::Duration;

use root_posture::{Evidence, LATE, LiveSource, MOST, Source, Topic};

use super::{Check, Step, ensure, is_empty};
use crate::clock::Clock;
use crate::reference::Heard;
use crate::strategy::MINUTE;
use crate::support::Shown;

pub fn values_are_bounded(step: &Step) -> Check {
    for shown in Shown::ALL {
        let most = match shown.topic {
            Topic::Keys | Topic::Certificates => MOST,
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

/// Nothing before each source in use has answered or failed, and everything after, but for the
/// two minutes in which a report may explain what a summary counts.
pub fn a_first_start_is_waited_for(step: &Step) -> Check {
    if step.world.awaits() {
        return ensure(is_empty(&step.after), || {
            format!("{:?} are awaited", step.world.awaiting)
        });
    }
    if (step.world.first_report_until()).is_some_and(|until| step.now() < until) {
        return Ok(());
    }
    for shown in Shown::ALL {
        let is_said = step.world.heard.iter().any(|heard| heard.says(shown.topic));
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
        let is_heard = step.world.heard.iter().any(|heard| {
            heard.source() == Some(metric.source)
                && heard.date() == Some(metric.observed)
                && heard.says(shown.topic)
        });
        ensure(is_heard, || format!("{shown:?}: {metric:?}"))?;
    }
    let newest = Clock::date(step.world.clock.truth());
    let dates = Shown::ALL
        .into_iter()
        .filter_map(|it| Some(it.metric(&step.after)?.observed));
    ensure(dates.max() <= Some(newest), || {
        "evidence of the future".to_owned()
    })
}

/// A page for a key that was at no time active since the newest list or report before what a summary
/// tells of is only made in the cases that are known: at a first start, where there is none before,
/// for a stale count after the summary's own none where there is no list to ask, and for a key that
/// went while nothing was polled for a quarter of an hour.
pub fn no_page_for_what_never_was(step: &Step) -> Check {
    let shown = Shown::active(Topic::Keys);
    let is_new = shown.alarm(&step.before) == 0 && shown.alarm(&step.after) > 0;
    if !is_new || step.claims(shown).finer() > 0 || !step.world.clock.is_true() {
        return Ok(());
    }
    let world = step.world;
    let heard = || world.heard.iter().filter(|it| it.says(Topic::Keys));
    let is_count = |heard: &&Heard| heard.source() == Some(Source::AccountSummary);
    let finer = || heard().filter(|heard| !is_count(heard));
    let count = |heard: &Heard| heard.value(Topic::Keys).map_or(0, |value| value.present);
    // The first, or the second key that a summary counts.
    let is_known_case = |nth: u8| {
        let mut counted = heard().filter(is_count).rev();
        let counted = counted.find(|heard| count(heard) >= nth)?.content_at?;
        let told = finer().filter_map(|heard| heard.content_at);
        let told_before = told.filter(|told| *told < counted).max();
        let since = told_before.unwrap_or(counted) - 15 * MINUTE;
        let truth = world.clock.truth();
        let was_active = world.account.most_active(Topic::Keys, since, truth) > 0;
        // Nobody knows how a key was of which only a summary tells, from before the first list or
        // report.
        let is_first = told_before.is_none() && finer().all(|heard| count(heard) < nth);
        Some(was_active || is_first)
    };
    // A stale "1" of a summary after its own confirmed none, and no list to ask.
    let summary = world.log.answers(LiveSource::Summary, Topic::Keys);
    let is_after_none =
        summary.confirmed_none().is_some() && !world.log.is_current(LiveSource::List, Topic::Keys);
    // What a list or report said explains a count for 15 minutes before the summary's newest answer.
    let newest = |of: &dyn Fn(&Heard) -> bool| {
        let heard = heard().filter(|heard| of(heard));
        heard.filter_map(|heard| heard.content_at).max()
    };
    let is_explained_no_more = |nth: u8| {
        let told = newest(&|heard| !is_count(&heard) && count(heard) >= nth)?;
        let margin = i64::try_from(3 * world.limits.interval.as_millis()).unwrap();
        Some(told + 15 * MINUTE - margin <= newest(&|heard| is_count(&heard))?)
    };
    let is_known = (1..=MOST)
        .flat_map(|nth| [is_known_case(nth), is_explained_no_more(nth)])
        .flatten()
        .any(|is_known| is_known);
    ensure(is_known || is_after_none, || {
        "a page for a key that never was active".to_owned()
    })
}

/// Evidence that is true moves no value away from the truth.
pub fn the_truth_attracts(step: &Step) -> Check {
    let Some((heard, content_at)) = step.heard.and_then(|it| Some((it, it.content_at?))) else {
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
        if then != truth || !heard.says(shown.topic) {
            continue;
        }
        let source = match heard.evidence {
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

/// A key that is shown becomes none only where a source said so twice, or in a report clearly later;
/// or where nobody but a summary had counted it.
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
        let none_since = none.and_then(|none| none.twice_since());
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
            shown.pick(value) == 0 && claims.all(|it| it.last < report.generated - LATE)
        });
        ensure(twice || reported_later || only_counted, || {
            format!("{shown:?} was {}, and is 0", shown.alarm(&step.before))
        })?;
    }
    Ok(())
}

/// A review is announced only for the end of a hold, four intervals after a report that a live
/// source contradicts, or for the end of the wait for a first one.
pub fn a_review_has_a_reason(step: &Step) -> Check {
    let Some(review_at) = step.after.review_at else {
        return Ok(());
    };
    let log = &step.world.log;
    let hold = step.world.limits.interval * 4;
    let is_held = log.reports.iter().rev().take(2).any(|report| {
        let mut sources = LiveSource::ALL.into_iter();
        let contradicts = sources.any(|source| {
            report.values.iter().any(|(topic, reported)| {
                let newest = log.answers(source, topic).newest();
                newest.is_some_and(|newest| {
                    newest.value.present < reported.present
                        || source == LiveSource::List && newest.value.active < reported.active
                })
            })
        });
        contradicts && review_at == report.received + hold
    });
    let is_awaited = step.is_cold() && step.world.first_report_until() == Some(review_at);
    ensure(review_at > step.now() && (is_held || is_awaited), || {
        format!("at {review_at:?}, now is {:?}", step.now())
    })
}
