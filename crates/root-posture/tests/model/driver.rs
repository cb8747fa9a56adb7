//! Takes the reference world and the system under test through a scenario, side by side, and
//! checks after every step.

use std::fmt::Write as _;

use root_posture::{Evidence, LiveSource, MAX_CREDENTIALS, MAX_LAG, Posture, Topic};

use crate::assertions::{Check, Step, check};
use crate::clock::Clock;
use crate::reference::{Arrival, World};
use crate::strategy::{HOUR, MINUTE, Scenario};
use crate::support::{Shown, moved};
use crate::sut::Sut;
use crate::transition::{Ask, Outcome, Transition, seconds};

/// Runs a scenario. `trace` gets a line for each thing that happens.
pub fn run(scenario: &Scenario, trace: Option<&mut String>) -> Check {
    let world = World::new(&scenario.setup);
    let sut = Sut::new(scenario.setup.sources, world.limits);
    let shown = sut.posture(world.now());
    let mut driver = Driver {
        world,
        sut,
        shown,
        trace,
    };
    driver.log(|_| scenario.setup.to_string());
    for transition in &scenario.transitions {
        let is_ignored = matches!(transition, Transition::Ask(ask)
            if !driver.world.sources.has(ask.source));
        if !is_ignored {
            driver.log(|_| format!("-- {transition}"));
        }
        driver.go(transition)?;
    }
    Ok(())
}

struct Driver<'s> {
    world: World,
    sut: Sut,
    /// What was shown last.
    shown: Posture,
    trace: Option<&'s mut String>,
}

impl Driver<'_> {
    fn go(&mut self, transition: &Transition) -> Check {
        match transition {
            Transition::Change(change) => {
                let truth = self.world.clock.truth();
                self.world.account.change(truth, *change);
                Ok(())
            }
            Transition::Wait(millis) => self.pass(*millis),
            Transition::Interval => self.pass(self.world.interval()),
            Transition::Ask(ask) => {
                self.world.ask(ask);
                self.pass(0)
            }
            Transition::Report { age, content_age } => {
                let report = self.world.report(*age, *content_age);
                report.map_or(Ok(()), |report| self.take(report))
            }
            Transition::NoReportYet if self.world.sources.report => self.no_report_yet(),
            Transition::NoReportYet => Ok(()),
            Transition::Duplicate => {
                let again = self.world.newest;
                again.map_or(Ok(()), |again| self.take(again))
            }
            Transition::Restart { down } => self.restart(*down),
            Transition::WallClockSteps(millis) => {
                self.world.clock.step_wall_clock(*millis);
                Ok(())
            }
            Transition::UseSources(sources) => {
                // Never at the very moment at which a source was asked.
                self.pass(1)?;
                self.world.use_sources(*sources);
                self.sut.use_sources(*sources, self.world.now());
                self.world.clock.write();
                // A source that goes may lower and raise, as a failure does.
                self.shown = self.sut.posture(self.world.now());
                self.time_passed()
            }
            Transition::Settle => self.settle(),
        }
    }

    /// Time passes, and what is under way arrives.
    fn pass(&mut self, millis: i64) -> Check {
        let until = self.world.clock.truth() + millis;
        while let Some(due) = self.world.next(until) {
            self.world.clock.pass(due - self.world.clock.truth());
            self.time_passed()?;
            let arrival = self.world.arrive();
            self.take(arrival)?;
        }
        self.world.clock.pass(until - self.world.clock.truth());
        self.time_passed()
    }

    fn take(&mut self, arrival: Arrival) -> Check {
        let before = self.sut.posture(self.world.now());
        let answered = self.world.take(arrival);
        self.sut.take(arrival.evidence);
        self.world.clock.write();
        self.log(|_| written(&arrival.evidence));
        self.compare(Some(arrival), answered, before)
    }

    fn time_passed(&mut self) -> Check {
        self.compare(None, Vec::new(), self.shown)
    }

    fn compare(
        &mut self,
        arrival: Option<Arrival>,
        answered: Vec<Topic>,
        before: Posture,
    ) -> Check {
        let was = self.written(self.trace.is_some());
        self.shown = self.sut.posture(self.world.now());
        if arrival.is_some() || was != self.written(self.trace.is_some()) {
            self.log(|driver| driver.written(true));
        }
        check(&Step {
            world: &self.world,
            arrival,
            answered,
            before,
            after: self.shown,
        })
    }

    fn restart(&mut self, down: i64) -> Check {
        let shift = self.world.restart(down);
        // The same record would have shown it by the clock before, had that much time passed.
        let before = self.sut.posture(self.world.now().shifted(-shift));
        self.shown = moved(before, shift);
        self.sut.restart(shift);
        self.time_passed()
    }

    fn no_report_yet(&mut self) -> Check {
        self.take(Arrival {
            evidence: Evidence::NoReportYet(self.world.now()),
            content_at: None,
        })
    }

    /// What every source in use answers truthfully for long enough is what is shown.
    fn settle(&mut self) -> Check {
        let sources = self.world.sources;
        self.world.setup.lags = [0, 0];
        if sources.report && !sources.list {
            // Until AWS makes another, which is also clearly later than all before.
            self.pass(4 * HOUR + i64::try_from(MAX_LAG.as_millis()).unwrap() + 1)?;
            let report = self.world.report(0, 0);
            report.map_or(Ok(()), |report| self.take(report))?;
        } else if sources.report {
            self.no_report_yet()?;
        }
        for _ in 0..4 {
            self.pass(self.world.interval())?;
            for source in LiveSource::ALL {
                self.world.ask(&Ask {
                    source,
                    topics: [true; 4],
                    lag: 0,
                    outcome: Outcome::Answers { after: 0 },
                });
                self.pass(0)?;
            }
        }
        if !sources.list && !sources.report {
            // The wait for a first report, which was configured away, or began before that.
            self.pass(2 * MINUTE)?;
        }
        self.is_settled()
    }

    fn is_settled(&self) -> Check {
        let sources = self.world.sources;
        for shown in Shown::ALL {
            let truth = self.world.truth().of(shown.topic);
            let is_reported = sources.report && self.world.setup.columns[shown.topic as usize];
            let is_flag = matches!(shown.topic, Topic::MfaOff | Topic::Password);
            let value = shown.at(&self.shown, self.world.now());
            let true_value = Some(shown.pick(truth).min(MAX_CREDENTIALS));
            let is_true = if sources.list || is_reported || sources.summary && is_flag {
                value == true_value
            } else if sources.summary {
                // It only shows whether there is any.
                truth.present > 0 || value == true_value
            } else {
                true
            };
            if !is_true {
                return Err(format!(
                    "the truth decides: {shown:?} is {value:?}, not {true_value:?}"
                ));
            }
        }
        Ok(())
    }

    fn log(&mut self, line: impl FnOnce(&Self) -> String) {
        if let Some(trace) = self.trace.take() {
            let line = line(self);
            let at = seconds(self.world.clock.truth() - Clock::START);
            let _: Result<_, _> = writeln!(trace, "{at:>12} {line}");
            self.trace = Some(trace);
        }
    }

    fn written(&self, is_wanted: bool) -> String {
        if !is_wanted {
            return String::new();
        }
        let values = Shown::ALL.map(|shown| {
            let value = shown.at(&self.shown, self.world.now());
            value.map_or("?".to_owned(), |value| value.to_string())
        });
        let [active, present, certificates, mfa_off, password] = values;
        format!(
            "     shown: keys {present}/{active}, certificates {certificates}, MFA off {mfa_off}, \
             password {password}"
        )
    }
}

fn written(evidence: &Evidence) -> String {
    let said = |values: &root_posture::Values| {
        let said = values
            .iter()
            .map(|(topic, value)| format!("{topic:?} {}/{}", value.present, value.active));
        said.collect::<Vec<_>>().join(", ")
    };
    match evidence {
        Evidence::Answer(answer) => format!(
            "{:?}, asked at {}: {}",
            answer.source,
            answer.asked.millis(),
            said(&answer.values)
        ),
        Evidence::Failure { source, topics, .. } => {
            format!(
                "{source:?} failed on {:?}",
                topics.iter().collect::<Vec<_>>()
            )
        }
        Evidence::Report(report) => format!("report: {}", said(&report.values)),
        Evidence::NoReportYet(_) => "no report yet".to_owned(),
    }
}
