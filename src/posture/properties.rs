//! The invariants, over any order of arriving evidence.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::evidence::{Counts, Listed, Summary};

const LIMITS: Limits = Limits {
    max_staleness: Duration::from_secs(36_000),
    max_live_staleness: Duration::from_secs(1_800),
};
const GAP: Duration = Duration::from_secs(30);

/// Something that happens to an account.
#[derive(Clone, Debug)]
enum Event {
    /// Time goes by, in seconds.
    Wait(i64),
    /// A report arrives that was generated so many seconds ago; MFA as given.
    Report {
        age: i64,
        counts: Counts,
        mfa: bool,
    },
    ReportFails,
    /// A look arrives: what the summary says of keys, what a root session lists.
    Look {
        summary: Option<u8>,
        listed: Option<Counts>,
        mfa: Option<bool>,
    },
    LookFails,
    /// The process restarts; the bystander's clock goes on.
    Restart,
}

fn counts() -> impl Strategy<Value = Counts> {
    prop_oneof![
        3 => Just((0, 0)),
        1 => Just((0, 1)),
        2 => Just((1, 1)),
        1 => Just((0, 2)),
        1 => Just((1, 2)),
        1 => Just((2, 2)),
    ]
    .prop_map(|(active, present)| Counts { active, present })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => prop_oneof![Just(1), Just(60), Just(60), Just(600), Just(1_000), Just(14_400), Just(40_000)]
            .prop_map(Event::Wait),
        3 => (prop_oneof![0i64..5, 0i64..2_000, 0i64..20_000], counts(), any::<bool>())
            .prop_map(|(age, counts, mfa)| Event::Report { age, counts, mfa }),
        1 => Just(Event::ReportFails),
        5 => (
            prop_oneof![4 => (0u8..=2).prop_map(Some), 1 => Just(None)],
            prop_oneof![3 => Just(None), 1 => counts().prop_map(Some)],
            any::<Option<bool>>(),
        )
            .prop_map(|(summary, listed, mfa)| Event::Look { summary, listed, mfa }),
        2 => Just(Event::LookFails),
        1 => Just(Event::Restart),
    ]
}

/// The account and what a bystander remembers of its history.
struct World {
    now: i64,
    record: Record,
    /// Whether anything ever said that there are keys, or that there are none.
    said_some: bool,
    said_none: bool,
    /// Looks in a row that said none, each at least a gap after the one before it that counted.
    nones: u32,
    last_none: Option<i64>,
    /// When any source last said "no active key" or "MFA is on".
    fine_said: Option<i64>,
    mfa_fine_said: Option<i64>,
    /// What a report said that waits for the next look.
    held_back: Option<Counts>,
}

impl World {
    fn new() -> Self {
        let mut record = Record::new(Awaited::default());
        record.settle(Moment::default());
        Self {
            now: 1_000_000,
            record,
            said_some: false,
            said_none: false,
            nones: 0,
            last_none: None,
            fine_said: None,
            mfa_fine_said: None,
            held_back: None,
        }
    }

    fn moment(&self) -> Moment {
        Moment::from_millis(self.now * 1000)
    }

    fn posture(&self) -> Posture {
        self.record.posture(LIMITS)
    }

    fn shown(&self, pick: fn(&Posture) -> Option<Figure>) -> Option<u8> {
        pick(&self.posture()).and_then(|figure| figure.at(self.moment()))
    }

    fn present(&self) -> Option<u8> {
        self.shown(|posture| posture.keys_present)
    }

    fn active(&self) -> Option<u8> {
        self.shown(|posture| posture.keys_active)
    }

    fn live(&self) -> Stamp {
        Stamp::live(Timestamp::from_unix(self.now), self.moment())
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Wait(seconds) => self.now += seconds,
            Event::Report { age, counts, mfa } => {
                let date = Timestamp::from_unix(self.now);
                let generated = Timestamp::from_unix(self.now - age);
                let facts = ReportFacts {
                    stamp: Stamp::dated(generated, date, self.moment()),
                    keys: Some(*counts),
                    certificates: Some(*counts),
                    mfa: Some(*mfa),
                    password: None,
                };
                self.said_some |= counts.present > 0;
                if counts.active == 0 {
                    self.said_none |= counts.present == 0;
                    self.fine_said = self.fine_said.max(Some(self.now - age));
                }
                if *mfa {
                    self.mfa_fine_said = self.mfa_fine_said.max(Some(self.now - age));
                }
                if self.record.report_arrived(facts) == Demand::LookAtOnce {
                    self.held_back = Some(*counts);
                }
            }
            Event::ReportFails => self.record.report_failed(),
            Event::Look {
                summary,
                listed,
                mfa,
            } => {
                if let Some(seen) = summary.max(&listed.map(|listed| listed.present)) {
                    if *seen == 0 {
                        self.said_none = true;
                        let apart = self.last_none.is_none_or(|last| self.now - last >= 30);
                        if apart {
                            self.nones += 1;
                            self.last_none = Some(self.now);
                        }
                    } else {
                        self.said_some = true;
                        self.nones = 0;
                        self.last_none = None;
                    }
                    if *seen == 0 || listed.is_some_and(|listed| listed.active == 0) {
                        self.fine_said = Some(self.now);
                    }
                }
                if *mfa == Some(true) {
                    self.mfa_fine_said = Some(self.now);
                }
                self.held_back = None;
                let look = Look {
                    stamp: self.live(),
                    summary: Some(Summary {
                        keys: *summary,
                        certificates: *summary,
                        mfa: *mfa,
                        password: None,
                    }),
                    listed: listed.map(|counts| Listed {
                        keys: Some(counts),
                        certificates: Some(counts),
                        ..Listed::default()
                    }),
                };
                self.record.look_arrived(look, GAP);
            }
            Event::LookFails => {
                self.held_back = None;
                self.record.look_failed();
            }
            Event::Restart => {
                let kept = serde_json::to_vec(&self.record).unwrap();
                self.record = serde_json::from_slice(&kept).unwrap();
                self.record.rebase(0);
            }
        }
        self.record.settle(self.moment());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_figure_is_always_supported_by_evidence(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
            if !world.said_some {
                prop_assert_eq!(world.present().unwrap_or(0), 0);
                prop_assert_eq!(world.active().unwrap_or(0), 0);
            }
            if !world.said_none {
                prop_assert_ne!(world.present(), Some(0), "unknown is never 0");
            }
            if let (Some(active), Some(present)) = (world.active(), world.present()) {
                prop_assert!(active <= present && present <= 2);
            }
        }
    }

    #[test]
    fn a_fine_value_is_never_shown_past_its_staleness(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
            let limit = 36_000;
            if world.fine_said.is_none_or(|said| world.now - said >= limit) {
                prop_assert_ne!(world.active(), Some(0));
            }
            if world.mfa_fine_said.is_none_or(|said| world.now - said >= limit) {
                prop_assert_ne!(world.shown(|posture| posture.mfa_enabled), Some(1));
            }
        }
    }

    #[test]
    fn an_alarming_value_is_never_dropped_by_failure_age_or_restart(
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut world = World::new();
        for event in &events {
            let active = world.active().unwrap_or(0);
            let present = world.present().unwrap_or(0);
            let held_back = world.held_back;
            world.happen(event);
            if matches!(event, Event::Wait(_) | Event::ReportFails | Event::LookFails | Event::Restart) {
                // A look that fails lets a report count that waited for it: that is evidence.
                let least = match (event, held_back) {
                    (Event::LookFails, Some(report)) => Counts {
                        active: active.min(report.active),
                        present: present.min(report.present),
                    },
                    _ => Counts { active, present },
                };
                prop_assert!(world.active().unwrap_or(0) >= least.active);
                prop_assert!(world.present().unwrap_or(0) >= least.present);
            }
        }
    }

    #[test]
    fn raising_takes_one_witness(events in prop::collection::vec(event(), 0..30), seen in 1u8..=2) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        world.happen(&Event::Wait(60));
        world.happen(&Event::Look { summary: Some(seen), listed: None, mfa: None });
        prop_assert!(world.present().unwrap_or(0) >= 1);
    }

    #[test]
    fn lowering_takes_two_looks_or_a_report_that_is_clearly_later(
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut world = World::new();
        for event in &events {
            let before = world.present().unwrap_or(0);
            world.happen(event);
            if before > 0 && world.present() == Some(0) {
                match event {
                    Event::Look { .. } => prop_assert!(world.nones >= 2, "{} looks", world.nones),
                    Event::Report { counts, .. } => prop_assert_eq!(counts.present, 0),
                    other => prop_assert!(false, "lowered by {:?}", other),
                }
            }
        }
    }

    #[test]
    fn after_two_looks_that_say_none_nothing_is_left(events in prop::collection::vec(event(), 0..30)) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        for _ in 0..2 {
            world.happen(&Event::Wait(60));
            world.happen(&Event::Look { summary: Some(0), listed: None, mfa: None });
        }
        prop_assert_eq!((world.active(), world.present()), (Some(0), Some(0)));
    }
}
