//! Who is next: the due times of all tasks, and the slots in which they run.
//!
//! Nothing here runs anything or reads a clock; the loop in `mod.rs` does.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::attempt::Task;
use crate::account::AccountId;
use crate::clock::Moment;

/// A task of an account.
pub(super) type Item = (AccountId, Task);

/// The due times. An item has one at a time; it stays on the agenda until it is planned anew or
/// dropped, so that the oldest tells how late the most overdue one is.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    items: HashMap<Item, Entry>,
    /// Every item by the time it is or was due, those that run now included.
    due: BTreeSet<(Moment, Item)>,
    /// The items to wake for, by time.
    waking: BTreeSet<(Moment, Item)>,
    /// Items whose time has come, by due time: of accounts in order, and of those in trouble.
    ready: BTreeSet<(Moment, Item)>,
    ready_troubled: BTreeSet<(Moment, Item)>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    due: Moment,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Waking(Moment),
    Ready,
    ReadyTroubled,
    /// It runs, or waits for its account's other task.
    Out,
}

impl Agenda {
    /// Plans an item for `due`, in place of its plan so far.
    pub fn plan(&mut self, item: Item, due: Moment) {
        self.drop(item);
        self.due.insert((due, item));
        self.waking.insert((due, item));
        let place = Place::Waking(due);
        self.items.insert(item, Entry { due, place });
    }

    /// Takes an item off the agenda.
    pub fn drop(&mut self, item: Item) {
        if let Some(entry) = self.items.remove(&item) {
            self.displace(item, entry);
            self.due.remove(&(entry.due, item));
        }
    }

    fn displace(&mut self, item: Item, Entry { due, place }: Entry) {
        match place {
            Place::Waking(wake) => self.waking.remove(&(wake, item)),
            Place::Ready => self.ready.remove(&(due, item)),
            Place::ReadyTroubled => self.ready_troubled.remove(&(due, item)),
            Place::Out => false,
        };
    }

    /// Moves the items whose time has come to the ready ones. `troubled` tells those whose last
    /// attempt failed.
    pub fn wake(&mut self, now: Moment, troubled: impl Fn(Item) -> bool) {
        while let Some(&(wake, item)) = self.waking.first() {
            if wake > now {
                break;
            }
            self.waking.remove(&(wake, item));
            let Some(entry) = self.items.get_mut(&item) else {
                continue;
            };
            if troubled(item) {
                entry.place = Place::ReadyTroubled;
                self.ready_troubled.insert((entry.due, item));
            } else {
                entry.place = Place::Ready;
                self.ready.insert((entry.due, item));
            }
        }
    }

    /// Takes out the most overdue ready item that a slot is free for.
    pub fn pop(&mut self, slots: &Slots) -> Option<Item> {
        if slots.full() {
            return None;
        }
        let troubled = self
            .ready_troubled
            .first()
            .filter(|_| !slots.full_of_trouble());
        let (_, item) = match (self.ready.first(), troubled) {
            (Some(calm), Some(troubled)) if troubled < calm => self.ready_troubled.pop_first(),
            (None, Some(_)) => self.ready_troubled.pop_first(),
            _ => self.ready.pop_first(),
        }?;
        if let Some(entry) = self.items.get_mut(&item) {
            entry.place = Place::Out;
        }
        Some(item)
    }

    /// Has an item that was taken out wait for its account's other task, until `wake` at most
    /// where one is given; planning it anew ends the wait.
    pub fn park(&mut self, item: Item, wake: Option<Moment>) {
        if let (Some(entry), Some(wake)) = (self.items.get_mut(&item), wake) {
            entry.place = Place::Waking(wake);
            self.waking.insert((wake, item));
        }
    }

    /// When the next item wakes.
    pub fn next_wake(&self) -> Option<Moment> {
        self.waking.first().map(|(wake, _)| *wake)
    }

    /// When the most overdue unfinished item was due.
    pub fn oldest_due(&self) -> Option<Moment> {
        self.due.first().map(|(due, _)| *due)
    }
}

/// How many attempts run, and how many may.
#[derive(Debug)]
pub(super) struct Slots {
    all: usize,
    /// Accounts whose last attempt failed get a quarter: they may hang until the deadline.
    for_troubled: usize,
    taken: usize,
    taken_by_troubled: usize,
}

impl Slots {
    pub fn new(all: usize) -> Self {
        let mut slots = Self {
            all: 0,
            for_troubled: 0,
            taken: 0,
            taken_by_troubled: 0,
        };
        slots.resize(all);
        slots
    }

    /// Changes how many attempts may run; those that run are not touched.
    pub fn resize(&mut self, all: usize) {
        self.all = all;
        self.for_troubled = (all / 4).max(1);
    }

    pub fn take(&mut self, troubled: bool) {
        self.taken += 1;
        self.taken_by_troubled += usize::from(troubled);
    }

    pub fn release(&mut self, troubled: bool) {
        self.taken -= 1;
        self.taken_by_troubled -= usize::from(troubled);
    }

    pub fn taken(&self) -> usize {
        self.taken
    }

    fn full(&self) -> bool {
        self.taken >= self.all
    }

    fn full_of_trouble(&self) -> bool {
        self.taken_by_troubled >= self.for_troubled
    }
}

/// Where in the interval an account is looked at, so that all accounts spread evenly.
///
/// The n-th account gets the fractional part of n times the golden ratio: however many there are
/// and whenever they join, no two are close and no gap is wide (a low-discrepancy sequence).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase(Duration);

impl Phase {
    pub fn of(nth: u32, interval: Duration) -> Self {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        Self(interval.mul_f64((f64::from(nth) * GOLDEN).fract()))
    }

    /// The first of this phase's times at or after `from`.
    pub fn next(self, from: Moment, interval: Duration) -> Moment {
        let step = i64::try_from(interval.as_millis())
            .unwrap_or(i64::MAX)
            .max(1);
        let phase = i64::try_from(self.0.as_millis()).unwrap_or(0) % step;
        let past = (from.millis() - phase).rem_euclid(step);
        from.shifted(if past == 0 { 0 } else { step - past })
    }
}

/// The beat in which what is due is started, where there are many accounts.
///
/// A call that comes alone finds the processor's caches cold and costs up to three times as much
/// as one of many that come together. So what is due within a beat is started at its end, a
/// quarter of a second later at most: long enough for forty looks of ten thousand accounts, short
/// enough to need no more connections than that. A handful of accounts is not worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beat(i64);

impl Beat {
    pub fn of(accounts: usize, interval: Duration) -> Self {
        const MANY: usize = 1000;
        const LONGEST: Duration = Duration::from_millis(250);
        if accounts < MANY {
            return Self(1);
        }
        let beat = (interval / 240).min(LONGEST);
        Self(i64::try_from(beat.as_millis()).unwrap_or(1).max(1))
    }

    /// The last end of a beat at or before `moment`: what was due by then is started.
    pub fn before(self, moment: Moment) -> Moment {
        moment.shifted(-moment.millis().rem_euclid(self.0))
    }

    /// The first end of a beat at or after `moment`.
    pub fn after(self, moment: Moment) -> Moment {
        moment.shifted((-moment.millis()).rem_euclid(self.0))
    }
}

/// When the n-th of `count` new accounts is first asked, counted from their arrival: 200 accounts
/// a second, or all within one interval where there are more.
pub(super) fn first_delay(nth: usize, count: usize, interval: Duration) -> Duration {
    const PACE: Duration = Duration::from_millis(5);
    let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    let pace = PACE.min(interval / count);
    pace.saturating_mul(u32::try_from(nth).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    fn item(number: u64, task: Task) -> Item {
        (format!("{number:012}").parse().unwrap(), task)
    }

    fn at(seconds: i64) -> Moment {
        Moment::from_millis(seconds * 1000)
    }

    #[test]
    fn the_most_overdue_item_runs_first_and_counts_until_it_is_finished() {
        let mut agenda = Agenda::default();
        agenda.plan(item(1, Task::Look), at(20));
        agenda.plan(item(2, Task::Look), at(10));
        agenda.wake(at(30), |_| false);
        let slots = Slots::new(8);
        assert_eq!(agenda.pop(&slots), Some(item(2, Task::Look)));
        assert_eq!(
            agenda.oldest_due(),
            Some(at(10)),
            "it runs, but is not done"
        );
        agenda.plan(item(2, Task::Look), at(70));
        assert_eq!(agenda.oldest_due(), Some(at(20)));
    }

    #[test]
    fn accounts_in_trouble_get_a_quarter_of_the_slots() {
        let mut agenda = Agenda::default();
        for number in 0..8 {
            agenda.plan(item(number, Task::Look), at(0));
        }
        agenda.plan(item(100, Task::Look), at(5));
        let in_trouble = |item: Item| item.0.number() < 100;
        agenda.wake(at(10), in_trouble);
        let mut slots = Slots::new(8);
        let mut ran = Vec::new();
        while let Some(item) = agenda.pop(&slots) {
            slots.take(in_trouble(item));
            ran.push(item.0.number());
        }
        assert_eq!(ran, [0, 1, 100]);
        slots.release(true);
        assert!(agenda.pop(&slots).is_some());
    }

    #[test]
    fn ten_thousand_accounts_are_looked_at_evenly() {
        let mut seconds = [0u32; 60];
        for nth in 0..10_000 {
            seconds[usize::try_from(Phase::of(nth, INTERVAL).0.as_secs()).unwrap()] += 1;
        }
        for count in seconds {
            assert!((160..=173).contains(&count), "{count} in one second");
        }
    }

    #[test]
    fn first_looks_are_spread_and_a_handful_is_asked_at_once() {
        assert!(first_delay(2, 3, INTERVAL) < Duration::from_millis(50));
        assert!(first_delay(9_999, 10_000, INTERVAL) > Duration::from_secs(45));
        assert!(first_delay(99_999, 100_000, INTERVAL) <= INTERVAL);
    }

    #[test]
    fn a_parked_item_wakes_at_its_bound_or_when_planned_anew() {
        let mut agenda = Agenda::default();
        let slots = Slots::new(8);
        let look = item(1, Task::Look);
        agenda.plan(look, at(0));
        agenda.wake(at(0), |_| false);
        agenda.pop(&slots);
        agenda.park(look, Some(at(1)));
        assert_eq!(agenda.next_wake(), Some(at(1)));
        assert_eq!(agenda.oldest_due(), Some(at(0)), "it is as late as it is");
        agenda.plan(look, at(0));
        agenda.wake(at(0), |_| false);
        assert_eq!(agenda.pop(&slots), Some(look));
        assert_eq!(agenda.next_wake(), None);
    }

    #[test]
    fn a_beat_delays_the_many_by_a_quarter_of_a_second_and_the_few_not_at_all() {
        let moment = Moment::from_millis(60_001);
        for (accounts, interval, after) in [
            (999, INTERVAL, 60_001),
            (1000, INTERVAL, 60_250),
            (10_000, 60 * INTERVAL, 60_250),
            (10_000, Duration::from_secs(5), 60_020),
        ] {
            let beat = Beat::of(accounts, interval);
            let after = Moment::from_millis(after);
            assert_eq!(beat.after(moment), after);
            assert_eq!(beat.before(after), after);
            assert!(beat.before(moment) <= moment);
            assert_eq!(beat.after(beat.before(moment)), beat.before(moment));
        }
    }

    proptest! {
        #[test]
        fn a_phase_comes_once_an_interval_and_does_not_drift(
            nth in 0u32..100_000, from in -100_000i64..10_000_000, millis in 1u64..100_000,
        ) {
            let interval = Duration::from_millis(millis);
            let phase = Phase::of(nth, interval);
            let from = Moment::from_millis(from);
            let next = phase.next(from, interval);
            prop_assert!(next >= from && next.since(from) < interval);
            prop_assert_eq!(phase.next(next, interval), next);
            prop_assert_eq!(phase.next(next.shifted(1), interval), next + interval);
        }
    }
}
