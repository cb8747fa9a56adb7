//! Courses of events in which every alert must behave, whatever it is about.
//!
//! Numbers are minutes. What only some alerts do is tested by the `.test.yml` files of this folder.

use std::process::Command;

use test_support::program::succeed;
use test_support::repository;

use crate::cases::{CASES, Case, Fires};
use crate::course::{Course, Suite, check};
use crate::support::RULES;
use crate::timeline::{Sample, Timeline, Value};

const INFO: Sample = Sample(
    "aws_account_info{account=\"111122223333\",account_name=\"production\",partition=\"aws\"}",
    Value::Is(1.0),
);
const RENAMED: Sample = Sample(
    "aws_account_info{account=\"111122223333\",account_name=\"prod\",partition=\"aws\"}",
    Value::Is(1.0),
);
const LEFT: Sample = Sample(
    "aws_account_left{account=\"111122223333\",reason=\"closed\"}",
    Value::Is(1.0),
);

/// The rules on IAM users are evaluated every 5 minutes, so each phase is longer than that.
const PACE: u32 = 6;

impl Case {
    fn alarming(&self) -> Vec<Sample> {
        [&[INFO], self.alarming].concat()
    }

    fn fine(&self) -> Vec<Sample> {
        [&[INFO], self.fine].concat()
    }

    /// Minutes of alarming samples after which the alert must fire.
    fn certain(&self) -> u32 {
        self.minutes + 2 * PACE
    }

    fn selector(&self) -> String {
        format!("alertname=\"{}\"", self.alert)
    }

    fn scenario(&self, what: &str, instances: Vec<Timeline>) -> Course {
        let replicas = instances.into_iter().map(Into::into).collect();
        Course::new(format!("{}: {what}", self.alert), 60, replicas)
    }

    fn scenarios(&self) -> Vec<Course> {
        let mut all = vec![
            self.quiet(),
            self.fires_and_resolves(),
            self.continues_through_a_gap("minutes", 7),
            self.continues_through_a_gap("an hour", 65),
            self.stays_resolved_while_the_exporter_is_down(),
            self.continues_through_a_restart_elsewhere(),
            self.two_replicas_differ(),
        ];
        if self.of_account {
            all.push(self.continues_through_a_rename());
            all.push(self.continues_when_the_account_moves_to_another_shard());
            all.push(self.ends_when_the_account_leaves());
        }
        all
    }

    fn quiet(&self) -> Course {
        let instance = Timeline::of("a").exports(3 * PACE + self.minutes, &self.fine());
        let end = 2 * PACE + self.minutes;
        self.scenario("stays quiet", vec![instance])
            .firing_at(1, &self.selector(), 0)
            .firing_at(end, &self.selector(), 0)
    }

    fn fires_and_resolves(&self) -> Course {
        let fires = 5 + self.certain();
        let instance = Timeline::of("a")
            .exports(5, &self.fine())
            .exports(self.certain(), &self.alarming())
            .exports(2 * PACE, &self.fine());
        let mut course = self
            .scenario("fires after its time and resolves", vec![instance])
            .firing_at(4, &self.selector(), 0)
            .firing_at(fires - 1, &self.selector(), 1)
            .firing_at(fires + PACE, &self.selector(), 0);
        if self.minutes > 0 {
            course = course.firing_at(4 + self.minutes, &self.selector(), 0);
        }
        course
    }

    fn continues_through_a_gap(&self, what: &str, gap: u32) -> Course {
        let gone = self.certain();
        let back = gone + gap;
        let instance = Timeline::of("a")
            .exports(gone, &self.alarming())
            .down(gap)
            .exports(PACE, &self.alarming())
            .exports(2 * PACE, &self.fine());
        let mut course =
            self.scenario(&format!("a gap of {what} resolves nothing"), vec![instance]);
        for minute in (gone - 1..back + PACE).step_by(2) {
            course = course.firing_at(minute, &self.selector(), 1);
        }
        course.firing_at(back + 2 * PACE, &self.selector(), 0)
    }

    fn stays_resolved_while_the_exporter_is_down(&self) -> Course {
        let fine = self.certain();
        let down = fine + 2 * PACE;
        let instance = Timeline::of("a")
            .exports(fine, &self.alarming())
            .exports(2 * PACE, &self.fine())
            .down(65);
        let mut course = self.scenario("stays resolved while the exporter is down", vec![instance]);
        for minute in [down - 1, down, down + 10, down + 60] {
            course = course.firing_at(minute, &self.selector(), 0);
        }
        course
    }

    fn continues_through_a_restart_elsewhere(&self) -> Course {
        let stops = self.certain();
        let starts = stops + 3;
        let end = starts + 2 * PACE;
        let before = Timeline::of("10.0.0.1:10057")
            .exports(stops, &self.alarming())
            .down(1);
        let after = Timeline::of("10.0.0.2:10057")
            .down(starts)
            .exports(2 * PACE, &self.alarming())
            .exports(2 * PACE, &self.fine());
        let mut course = self.scenario(
            "another instance label changes nothing",
            vec![before, after],
        );
        for minute in stops - 1..end {
            course = course.firing_at(minute, &self.selector(), 1);
        }
        course.firing_at(end + PACE, &self.selector(), 0)
    }

    fn two_replicas_differ(&self) -> Course {
        // The first sees both the begin and the end earlier.
        let certain = self.certain();
        let first = Timeline::of("a")
            .exports(5, &self.fine())
            .exports(certain, &self.alarming())
            .exports(3 * PACE, &self.fine());
        let second = Timeline::of("b")
            .exports(5 + PACE, &self.fine())
            .exports(certain, &self.alarming())
            .exports(2 * PACE, &self.fine());
        let course = self.scenario("two replicas differ for a moment", vec![first, second]);
        // It fires at begin + minutes and resolves at end.
        let (begin, end) = match self.fires {
            Fires::IfAnyAlarms => (5, 5 + PACE + certain),
            Fires::IfAllAlarm => (5 + PACE, 5 + certain),
        };
        let fires = begin + self.minutes + PACE;
        let mut course = course.firing_at(4, &self.selector(), 0);
        for minute in fires..end {
            course = course.firing_at(minute, &self.selector(), 1);
        }
        course.firing_at(end + PACE, &self.selector(), 0)
    }

    fn continues_through_a_rename(&self) -> Course {
        let certain = self.certain();
        let renamed = [&[RENAMED], self.alarming].concat();
        let both = [&[INFO, RENAMED], self.alarming].concat();
        // One replica reads the list later than the other, so that both names are exported.
        let first = Timeline::of("a")
            .exports(certain, &self.alarming())
            .exports(10, &renamed);
        let second = Timeline::of("b")
            .exports(certain + 3, &self.alarming())
            .exports(2, &both)
            .exports(5, &renamed);
        let mut course = self.scenario("a rename changes nothing", vec![first, second]);
        for minute in certain - 1..certain + 10 {
            course = course.firing_at(minute, &self.selector(), 1);
        }
        course
    }

    fn continues_when_the_account_moves_to_another_shard(&self) -> Course {
        let certain = self.certain();
        let other: &[Sample] = &[Sample(
            "aws_account_info{account=\"000000000001\",account_name=\"other\",partition=\"aws-cn\"}",
            Value::Is(1.0),
        )];
        // No shard has the account for two minutes; then the other one has it.
        let first = Timeline::of("a")
            .shard(0.0, 2.0)
            .exports(certain, &self.alarming())
            .exports(2 + 4 * PACE, &[]);
        let second = Timeline::of("b")
            .shard(1.0, 2.0)
            .exports(certain + 2, other)
            .exports(2 * PACE, &[other, &self.alarming()].concat())
            .exports(2 * PACE, &[other, &self.fine()].concat());
        let mut course = self.scenario(
            "a move to another shard changes nothing",
            vec![first, second],
        );
        for minute in certain - 1..certain + 2 + 2 * PACE {
            course = course.firing_at(minute, &self.selector(), 1).firing_at(
                minute,
                "account=\"000000000001\"",
                0,
            );
        }
        course
            .firing_at(certain + 2 + 3 * PACE, &self.selector(), 0)
            .firing_at(
                certain + 2 + 3 * PACE,
                "alertname=\"AWSRootExporterDown\"",
                0,
            )
    }

    fn ends_when_the_account_leaves(&self) -> Course {
        let certain = self.certain();
        let instance = Timeline::of("a")
            .exports(certain, &self.alarming())
            .exports(2 * PACE, &[LEFT])
            .down(70);
        self.scenario("the account leaves for good", vec![instance])
            .firing_at(certain - 1, &self.selector(), 1)
            .firing_at(certain + PACE, &self.selector(), 0)
            .firing_at(certain + 2 * PACE + 65, &self.selector(), 0)
    }
}

#[test]
fn every_alert_behaves_in_every_course_of_events() {
    check(CASES.iter().map(|case| Suite {
        // Each alert needs one of the files only.
        rules: RULES[usize::from(case.alert.starts_with("AWSIAM"))],
        evaluation: 60,
        courses: case.scenarios(),
    }));
}

#[test]
fn the_test_files_of_single_alerts_pass() {
    let files = ["root.test.yml", "exporter.test.yml"];
    let files = files.map(|name| repository("tests/rules").join(name));
    succeed(Command::new("promtool").args(["test", "rules"]).args(files));
}
