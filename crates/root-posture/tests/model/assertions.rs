//! What may be shown, and what must be, given the truth and what was answered.
//!
//! Each rule is checked after each piece of evidence, and whenever time has passed. None asks what
//! the judgement would say: that is what is tested.

mod may;
mod must;

use root_posture::{Evidence, Moment, Posture, Topic};

use crate::claims::Claims;
use crate::reference::{Arrival, World};
use crate::support::Shown;

/// Something that happened, and what is shown before and after.
pub struct Step<'w> {
    pub world: &'w World,
    /// `None`: time passed, or the process restarted.
    pub arrival: Option<Arrival>,
    /// The topics on which it is an answer not older than the newest.
    pub answered: Vec<Topic>,
    /// Judged at the same moment without this evidence; or earlier, where time passed.
    pub before: Posture,
    pub after: Posture,
}

/// A rule that does not hold, with what is wrong.
pub type Check = Result<(), String>;

pub fn check(step: &Step) -> Check {
    type Rule = fn(&Step) -> Check;
    let rules: [(&str, Rule); 18] = [
        ("values are bounded", may::values_are_bounded),
        (
            "a positive value stands on a claim",
            may::a_positive_value_stands_on_a_claim,
        ),
        (
            "a zero is supported within its limits",
            may::a_zero_is_supported,
        ),
        (
            "a first start is waited for",
            may::a_first_start_is_waited_for,
        ),
        (
            "the source said so at that time",
            may::the_source_said_so_at_that_time,
        ),
        (
            "the keys are shown by who knows them",
            may::the_keys_are_shown_by_who_knows_them,
        ),
        (
            "no page for what never was",
            may::no_page_for_what_never_was,
        ),
        (
            "the truth never moves a value away from it",
            may::the_truth_attracts,
        ),
        (
            "a zero after a key has a reason",
            may::a_zero_after_a_key_has_a_reason,
        ),
        ("a review has a reason", may::a_review_has_a_reason),
        (
            "a report that is contradicted raises nothing",
            may::a_report_that_is_contradicted_raises_nothing,
        ),
        (
            "a claim counts until it is refuted",
            must::a_claim_counts_until_it_is_refuted,
        ),
        ("one answer raises at once", must::one_answer_raises),
        ("a settled list decides", must::a_settled_list_decides),
        ("a settled none decides", must::a_settled_none_decides),
        (
            "a report clearly later decides",
            must::a_report_clearly_later_decides,
        ),
        (
            "what says nothing new changes nothing",
            must::nothing_new_changes_nothing,
        ),
        (
            "time changes only what was announced",
            must::time_changes_only_what_was_announced,
        ),
    ];
    for (name, rule) in rules {
        rule(step).map_err(|what| format!("{name}: {what}"))?;
    }
    Ok(())
}

/// Fails with a message unless the condition holds.
fn ensure(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}

impl Step<'_> {
    fn now(&self) -> Moment {
        self.world.now()
    }

    /// Whether nothing is shown because of a first start.
    fn is_cold(&self) -> bool {
        is_empty(&self.after)
    }

    fn claims(&self, shown: Shown) -> Claims<'_> {
        let reviewed = self.after.review_at.or(self.before.review_at);
        Claims {
            log: &self.world.log,
            shown,
            is_held: reviewed.is_some(),
        }
    }

    fn evidence(&self) -> Option<Evidence> {
        self.arrival.map(|arrival| arrival.evidence)
    }
}

fn is_empty(posture: &Posture) -> bool {
    Shown::ALL
        .iter()
        .all(|shown| shown.metric(posture).is_none())
}
