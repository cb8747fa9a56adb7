//! Decides which probe starts next: an index of the plans' due times, and the slots in which probes
//! run.
//!
//! A plan is the only place of a due time; this index follows it at each change. Each kind of
//! probe has its own slots, so that one that hangs for every account delays no other kind. Nothing
//! here runs a probe or reads a clock.

use std::collections::BTreeSet;

use root_posture::{AccountId, Moment};

use super::probe::Probe;
use crate::backoff::Backoff;

/// When a probe of an account is due, and how its last runs ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// When it is, or was, due.
    pub due: Moment,
    /// Where an extra poll comes first: when it is due after that.
    pub regular: Option<Moment>,
    /// Failures in a row; for reports also those that were older than they should be.
    pub failures: u32,
    /// The run that is in flight.
    pub in_flight: Option<RunId>,
    /// When the newest run began.
    pub begun: Option<Moment>,
    /// Whether a run has ended, or saved evidence makes one unnecessary.
    pub attempted: bool,
}

impl Plan {
    pub fn new(due: Moment) -> Self {
        Self {
            due,
            regular: None,
            failures: 0,
            in_flight: None,
            begun: None,
            attempted: false,
        }
    }

    /// Counts a failure and postpones the plan; `draw` is a random number from 0 to 1.
    pub fn back_off(&mut self, backoff: Backoff, now: Moment, draw: f64) {
        self.failures += 1;
        self.due = now + backoff.pause(self.failures, draw);
    }

    /// Whether the last run failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }
}

/// One run of a probe, counted from the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RunId(pub u64);

/// The index of all plans, and the slots.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    kinds: [Kind; Probe::COUNT],
}

/// One kind of probe: its slots, and its plans by due time.
#[derive(Debug, Default)]
struct Kind {
    slots: usize,
    taken: usize,
    taken_by_failing: usize,
    /// The plans that wait, and whose last run did not fail.
    waiting: Queue,
    /// The plans that wait, and whose last run failed.
    failing: Queue,
    /// The plans in flight: they stay overdue until they have ended.
    in_flight: Queue,
}

type Queue = BTreeSet<(Moment, AccountId)>;

impl Kind {
    /// The first plan of each queue that a slot is free for. Failing plans share a quarter of the
    /// slots, because each may hang until its deadline.
    fn startable(&self) -> impl Iterator<Item = &(Moment, AccountId)> {
        let is_free = self.taken < self.slots;
        let is_free_for_failing = is_free && self.taken_by_failing < (self.slots / 4).max(1);
        let waiting = self.waiting.first().filter(|_| is_free);
        let failing = self.failing.first().filter(|_| is_free_for_failing);
        waiting.into_iter().chain(failing)
    }

    fn queue_of(&mut self, plan: &Plan) -> &mut Queue {
        if plan.in_flight.is_some() {
            &mut self.in_flight
        } else if plan.is_failing() {
            &mut self.failing
        } else {
            &mut self.waiting
        }
    }
}

impl Agenda {
    /// An empty agenda with that many slots for each kind of probe.
    pub fn new(slots: usize) -> Self {
        let mut agenda = Self::default();
        agenda.resize(slots);
        agenda
    }

    /// Changes how many probes of a kind may run; running ones are not touched.
    pub fn resize(&mut self, slots: usize) {
        for kind in &mut self.kinds {
            kind.slots = slots;
        }
    }

    /// Adds a plan to the index.
    pub fn insert(&mut self, id: AccountId, probe: Probe, plan: &Plan) {
        let queue = self.kinds[probe as usize].queue_of(plan);
        queue.insert((plan.due, id));
    }

    /// Removes a plan from the index, as it was when it was inserted.
    pub fn remove(&mut self, id: AccountId, probe: Probe, plan: &Plan) {
        let queue = self.kinds[probe as usize].queue_of(plan);
        queue.remove(&(plan.due, id));
    }

    /// The most overdue probe that a slot is free for, with its due time.
    pub fn next(&self) -> Option<(Moment, AccountId, Probe)> {
        let probes = Probe::ALL.into_iter().zip(&self.kinds);
        let startable = probes
            .flat_map(|(probe, kind)| kind.startable().map(move |(due, id)| (*due, *id, probe)));
        startable.min()
    }

    /// When the most overdue unfinished probe was due, or the next is.
    pub fn oldest_due(&self) -> Option<Moment> {
        let kinds = self.kinds.iter();
        let queues = kinds.flat_map(|kind| [&kind.waiting, &kind.failing, &kind.in_flight]);
        queues.filter_map(|queue| Some(queue.first()?.0)).min()
    }

    pub fn take_slot(&mut self, probe: Probe, is_failing: bool) {
        let kind = &mut self.kinds[probe as usize];
        kind.taken += 1;
        kind.taken_by_failing += usize::from(is_failing);
    }

    pub fn release_slot(&mut self, probe: Probe, is_failing: bool) {
        let kind = &mut self.kinds[probe as usize];
        kind.taken -= 1;
        kind.taken_by_failing -= usize::from(is_failing);
    }

    /// How many probes run.
    pub fn taken(&self) -> usize {
        self.kinds.iter().map(|kind| kind.taken).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    fn at(seconds: i64) -> Moment {
        Moment::from_millis(seconds * 1000)
    }

    /// Starts every probe that may start, and returns their accounts.
    fn start(agenda: &mut Agenda, plans: &mut [(u64, Probe, Plan)]) -> Vec<u64> {
        let mut started = Vec::new();
        while let Some((_, account, probe)) = agenda.next() {
            let (number, _, plan) = plans
                .iter_mut()
                .find(|(number, kind, _)| (id(*number), *kind) == (account, probe))
                .unwrap();
            agenda.remove(account, probe, plan);
            agenda.take_slot(probe, plan.is_failing());
            plan.in_flight = Some(RunId(*number));
            agenda.insert(account, probe, plan);
            started.push(*number);
        }
        started
    }

    fn agenda(slots: usize, plans: &[(u64, Probe, Plan)]) -> Agenda {
        let mut agenda = Agenda::new(slots);
        for (number, probe, plan) in plans {
            agenda.insert(id(*number), *probe, plan);
        }
        agenda
    }

    #[test]
    fn the_most_overdue_probe_runs_first_and_counts_until_it_has_ended() {
        let mut plans = [
            (1, Probe::Summary, Plan::new(at(20))),
            (2, Probe::Summary, Plan::new(at(10))),
        ];
        let mut agenda = agenda(1, &plans);
        assert_eq!(start(&mut agenda, &mut plans), [2]);
        assert_eq!(
            agenda.oldest_due(),
            Some(at(10)),
            "it runs, but has not ended"
        );
        assert_eq!(agenda.next(), None, "the other waits for the slot");
        agenda.release_slot(Probe::Summary, false);
        assert_eq!(agenda.next(), Some((at(20), id(1), Probe::Summary)));
    }

    #[test]
    fn a_kind_with_full_slots_delays_no_other_kind() {
        let mut plans: Vec<_> = (0..9)
            .map(|number| (number, Probe::RootKeys, Plan::new(at(0))))
            .collect();
        plans.push((100, Probe::Summary, Plan::new(at(50))));
        let mut agenda = agenda(4, &plans);
        assert_eq!(start(&mut agenda, &mut plans), [0, 1, 2, 3, 100]);
    }

    #[test]
    fn failing_accounts_share_a_quarter_of_the_slots() {
        let failing = Plan {
            failures: 1,
            ..Plan::new(at(0))
        };
        let mut plans: Vec<_> = (0..8)
            .map(|number| (number, Probe::Summary, failing))
            .collect();
        plans.push((100, Probe::Summary, Plan::new(at(5))));
        let mut agenda = agenda(8, &plans);
        assert_eq!(start(&mut agenda, &mut plans), [0, 1, 100]);
        agenda.release_slot(Probe::Summary, true);
        assert_eq!(start(&mut agenda, &mut plans), [2]);
    }
}
