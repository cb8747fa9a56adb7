//! Who is next: an index of the plans' due times, and the slots in which probes run.
//!
//! A plan is the only place where a due time lives; this index is rebuilt from it on each change.
//! Each kind of probe has slots of its own that no other kind can take, so that one that hangs for
//! the whole fleet delays no other. Nothing here runs anything or reads a clock.

use std::collections::BTreeSet;

use root_posture::{AccountId, Moment};

use super::probe::Probe;

/// When a probe of an account is due, and how it fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// When it is, or was, due.
    pub due: Moment,
    /// Failures in a row; for reports also those that were no newer than they should be.
    pub failures: u32,
    /// The run that is in flight.
    pub in_flight: Option<RunId>,
    /// Whether a run has ended, or what is known from before made one needless.
    pub attempted: bool,
}

impl Plan {
    pub fn new(due: Moment) -> Self {
        Self {
            due,
            failures: 0,
            in_flight: None,
            attempted: false,
        }
    }

    fn class(&self) -> usize {
        usize::from(self.failures > 0)
    }
}

/// One run of a probe, counted from the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RunId(pub u64);

/// Due times by account.
type DueTimes = BTreeSet<(Moment, AccountId)>;

/// The index of all plans, and the slots.
#[derive(Debug)]
pub(super) struct Agenda {
    /// For each probe the plans that are not in flight: of accounts in order, and of those whose
    /// last run failed.
    waiting: [[DueTimes; 2]; Probe::COUNT],
    /// The plans that are in flight: they are late until they have ended.
    in_flight: BTreeSet<(Moment, AccountId, Probe)>,
    slots: [Slots; Probe::COUNT],
}

impl Agenda {
    /// An empty agenda with that many slots for each kind of probe.
    pub fn new(slots: usize) -> Self {
        let mut agenda = Self {
            waiting: Default::default(),
            in_flight: BTreeSet::new(),
            slots: Default::default(),
        };
        agenda.resize(slots);
        agenda
    }

    /// Changes how many probes of a kind may run; those that run are not touched.
    pub fn resize(&mut self, slots: usize) {
        for kind in &mut self.slots {
            kind.all = slots;
        }
    }

    /// Takes a plan into the index.
    pub fn insert(&mut self, id: AccountId, probe: Probe, plan: &Plan) {
        if plan.in_flight.is_some() {
            self.in_flight.insert((plan.due, id, probe));
        } else {
            self.waiting[probe as usize][plan.class()].insert((plan.due, id));
        }
    }

    /// Takes a plan out of the index, as it was when it was inserted.
    pub fn remove(&mut self, id: AccountId, probe: Probe, plan: &Plan) {
        if plan.in_flight.is_some() {
            self.in_flight.remove(&(plan.due, id, probe));
        } else {
            self.waiting[probe as usize][plan.class()].remove(&(plan.due, id));
        }
    }

    /// The most overdue probe that was due by `until` and that a slot is free for.
    pub fn next(&self, until: Moment) -> Option<(AccountId, Probe)> {
        self.startable()
            .filter(|(due, ..)| *due <= until)
            .min()
            .map(|(_, id, probe)| (id, probe))
    }

    /// When the next probe is due that a slot is free for. The others wait for a slot.
    pub fn next_due(&self) -> Option<Moment> {
        self.startable().map(|(due, ..)| due).min()
    }

    /// The first of each queue that a slot is free for.
    fn startable(&self) -> impl Iterator<Item = (Moment, AccountId, Probe)> {
        Probe::ALL.into_iter().flat_map(move |probe| {
            let slots = &self.slots[probe as usize];
            let queues = &self.waiting[probe as usize];
            [false, true]
                .into_iter()
                .filter(move |troubled| slots.has_room(*troubled))
                .filter_map(move |troubled| queues[usize::from(troubled)].first())
                .map(move |(due, id)| (*due, *id, probe))
        })
    }

    /// When the most overdue unfinished probe was due, or the next is.
    pub fn oldest_due(&self) -> Option<Moment> {
        let waiting = self.waiting.iter().flatten();
        let waiting = waiting.filter_map(|queue| queue.first().map(|(due, _)| *due));
        waiting
            .chain(self.in_flight.first().map(|(due, ..)| *due))
            .min()
    }

    pub fn take_slot(&mut self, probe: Probe, troubled: bool) {
        let slots = &mut self.slots[probe as usize];
        slots.taken += 1;
        slots.taken_by_troubled += usize::from(troubled);
    }

    pub fn release_slot(&mut self, probe: Probe, troubled: bool) {
        let slots = &mut self.slots[probe as usize];
        slots.taken -= 1;
        slots.taken_by_troubled -= usize::from(troubled);
    }

    /// How many probes run.
    pub fn taken(&self) -> usize {
        self.slots.iter().map(|slots| slots.taken).sum()
    }
}

/// How many probes of one kind run, and how many may.
#[derive(Clone, Copy, Debug, Default)]
struct Slots {
    all: usize,
    taken: usize,
    taken_by_troubled: usize,
}

impl Slots {
    /// Accounts whose last run failed share a quarter: they may hang until their deadline.
    fn has_room(&self, troubled: bool) -> bool {
        self.taken < self.all && (!troubled || self.taken_by_troubled < (self.all / 4).max(1))
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

    /// Starts what may start, and says which accounts.
    fn start(agenda: &mut Agenda, plans: &mut [(u64, Probe, Plan)]) -> Vec<u64> {
        let mut started = Vec::new();
        while let Some((account, probe)) = agenda.next(at(100)) {
            let (number, _, plan) = plans
                .iter_mut()
                .find(|(number, kind, _)| (id(*number), *kind) == (account, probe))
                .unwrap();
            agenda.remove(account, probe, plan);
            agenda.take_slot(probe, plan.failures > 0);
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
        assert_eq!(agenda.next_due(), None, "the other waits for the slot");
        agenda.release_slot(Probe::Summary, false);
        assert_eq!(agenda.next_due(), Some(at(20)));
    }

    #[test]
    fn a_kind_whose_slots_are_full_leaves_the_others_theirs() {
        let mut plans: Vec<_> = (0..9)
            .map(|number| (number, Probe::RootKeys, Plan::new(at(0))))
            .collect();
        plans.push((100, Probe::Summary, Plan::new(at(50))));
        let mut agenda = agenda(4, &plans);
        assert_eq!(start(&mut agenda, &mut plans), [0, 1, 2, 3, 100]);
    }

    #[test]
    fn accounts_in_trouble_share_a_quarter_of_the_slots() {
        let troubled = Plan {
            failures: 1,
            ..Plan::new(at(0))
        };
        let mut plans: Vec<_> = (0..8)
            .map(|number| (number, Probe::Summary, troubled))
            .collect();
        plans.push((100, Probe::Summary, Plan::new(at(5))));
        let mut agenda = agenda(8, &plans);
        assert_eq!(start(&mut agenda, &mut plans), [0, 1, 100]);
        agenda.release_slot(Probe::Summary, true);
        assert_eq!(start(&mut agenda, &mut plans), [2]);
    }
}
