//! The courses of events that every alert must stand, whatever it is about.
//!
//! Each is written as a test for `promtool test rules`; the numbers are minutes. What one alert
//! alone knows is in the `.test.yml` files beside.

use std::fs;
use std::process::Command;

use crate::cases::{Believed, CASES, Case};
use test_support::program::succeed;
use test_support::repository;

use crate::support::RULES;
use crate::timeline::{Instance, Scenario, Shows, Value, promtool_file};

const INFO: Shows = Shows(
    "aws_account_info{account=\"111122223333\",account_name=\"production\",partition=\"aws\"}",
    Value::Is(1.0),
);
const RENAMED: Shows = Shows(
    "aws_account_info{account=\"111122223333\",account_name=\"prod\",partition=\"aws\"}",
    Value::Is(1.0),
);
const LEFT: Shows = Shows(
    "aws_account_left{account=\"111122223333\",reason=\"closed\"}",
    Value::Is(1.0),
);

/// The rules of IAM users are evaluated every 5 minutes, so phases and questions of all
/// scenarios leave a pace of time for an answer.
const PACE: usize = 6;

impl Case {
    fn alarming(&self) -> Vec<Shows> {
        [&[INFO], self.alarming].concat()
    }

    fn fine(&self) -> Vec<Shows> {
        [&[INFO], self.fine].concat()
    }

    /// Minutes of alarming samples after which the alert surely fires.
    fn certain(&self) -> usize {
        self.minutes + 2 * PACE
    }

    fn selector(&self) -> String {
        format!("alertname=\"{}\"", self.alert)
    }

    fn scenario(&self, what: &str, instances: Vec<Instance>) -> Scenario {
        Scenario::new(format!("{}: {what}", self.alert), instances)
    }

    fn scenarios(&self) -> Vec<Scenario> {
        let mut all = vec![
            self.quiet(),
            self.fires_and_resolves(),
            self.stands_through_a_gap("minutes", 7),
            self.stands_through_a_gap("an hour", 65),
            self.does_not_come_back_because_the_exporter_is_away(),
            self.stands_through_a_restart_elsewhere(),
            self.two_replicas_differ(),
        ];
        if self.of_account {
            all.push(self.stands_through_a_rename());
            all.push(self.one_of_two_shards_alarms_and_the_account_moves());
            all.push(self.ends_when_the_account_leaves());
        }
        all
    }

    fn quiet(&self) -> Scenario {
        let instance = Instance::named("a").shows(3 * PACE + self.minutes, &self.fine());
        let end = 2 * PACE + self.minutes;
        self.scenario("stays quiet", vec![instance])
            .firing(1, &self.selector(), 0)
            .firing(end, &self.selector(), 0)
    }

    fn fires_and_resolves(&self) -> Scenario {
        let fires = 5 + self.certain();
        let instance = Instance::named("a")
            .shows(5, &self.fine())
            .shows(self.certain(), &self.alarming())
            .shows(2 * PACE, &self.fine());
        let mut scenario = self
            .scenario("fires after its time and resolves", vec![instance])
            .firing(4, &self.selector(), 0)
            .firing(fires - 1, &self.selector(), 1)
            .firing(fires + PACE, &self.selector(), 0);
        if self.minutes > 0 {
            scenario = scenario.firing(4 + self.minutes, &self.selector(), 0);
        }
        scenario
    }

    fn stands_through_a_gap(&self, what: &str, gap: usize) -> Scenario {
        let gone = self.certain();
        let back = gone + gap;
        let instance = Instance::named("a")
            .shows(gone, &self.alarming())
            .away(gap)
            .shows(PACE, &self.alarming())
            .shows(2 * PACE, &self.fine());
        let mut scenario =
            self.scenario(&format!("a gap of {what} resolves nothing"), vec![instance]);
        for minute in (gone - 1..back + PACE).step_by(2) {
            scenario = scenario.firing(minute, &self.selector(), 1);
        }
        scenario.firing(back + 2 * PACE, &self.selector(), 0)
    }

    fn does_not_come_back_because_the_exporter_is_away(&self) -> Scenario {
        let fine = self.certain();
        let away = fine + 2 * PACE;
        let instance = Instance::named("a")
            .shows(fine, &self.alarming())
            .shows(2 * PACE, &self.fine())
            .away(65);
        let mut scenario = self.scenario("resolved stays resolved while away", vec![instance]);
        for minute in [away - 1, away, away + 10, away + 60] {
            scenario = scenario.firing(minute, &self.selector(), 0);
        }
        scenario
    }

    fn stands_through_a_restart_elsewhere(&self) -> Scenario {
        let stops = self.certain();
        let starts = stops + 3;
        let end = starts + 2 * PACE;
        let before = Instance::named("10.0.0.1:10057")
            .shows(stops, &self.alarming())
            .away(1);
        let after = Instance::named("10.0.0.2:10057")
            .away(starts)
            .shows(2 * PACE, &self.alarming())
            .shows(2 * PACE, &self.fine());
        let mut scenario = self.scenario(
            "another instance label changes nothing",
            vec![before, after],
        );
        for minute in stops - 1..end {
            scenario = scenario.firing(minute, &self.selector(), 1);
        }
        scenario.firing(end + PACE, &self.selector(), 0)
    }

    fn two_replicas_differ(&self) -> Scenario {
        // The first sees it earlier, and sees its end earlier.
        let certain = self.certain();
        let first = Instance::named("a")
            .shows(5, &self.fine())
            .shows(certain, &self.alarming())
            .shows(3 * PACE, &self.fine());
        let second = Instance::named("b")
            .shows(5 + PACE, &self.fine())
            .shows(certain, &self.alarming())
            .shows(2 * PACE, &self.fine());
        let scenario = self.scenario("two replicas differ for a moment", vec![first, second]);
        // Whose word begins and ends it: fires at begin + minutes, resolves at end.
        let (begin, end) = match self.believed {
            Believed::WhoAlarms => (5, 5 + PACE + certain),
            Believed::WhoKnows => (5 + PACE, 5 + certain),
        };
        let fires = begin + self.minutes + PACE;
        let mut scenario = scenario.firing(4, &self.selector(), 0);
        for minute in fires..end {
            scenario = scenario.firing(minute, &self.selector(), 1);
        }
        scenario.firing(end + PACE, &self.selector(), 0)
    }

    fn stands_through_a_rename(&self) -> Scenario {
        let certain = self.certain();
        let renamed = [&[RENAMED], self.alarming].concat();
        let both = [&[INFO, RENAMED], self.alarming].concat();
        // A replica reads the list later than the other, so that both names are there.
        let first = Instance::named("a")
            .shows(certain, &self.alarming())
            .shows(10, &renamed);
        let second = Instance::named("b")
            .shows(certain + 3, &self.alarming())
            .shows(2, &both)
            .shows(5, &renamed);
        let mut scenario = self.scenario("a rename changes nothing", vec![first, second]);
        for minute in certain - 1..certain + 10 {
            scenario = scenario.firing(minute, &self.selector(), 1);
        }
        scenario
    }

    fn one_of_two_shards_alarms_and_the_account_moves(&self) -> Scenario {
        let certain = self.certain();
        let other: &[Shows] = &[Shows(
            "aws_account_info{account=\"000000000001\",account_name=\"other\",partition=\"aws-cn\"}",
            Value::Is(1.0),
        )];
        // The account is nowhere for two minutes, then in the other shard.
        let first = Instance::named("a")
            .shard(0, 2)
            .shows(certain, &self.alarming())
            .shows(2 + 4 * PACE, &[]);
        let second = Instance::named("b")
            .shard(1, 2)
            .shows(certain + 2, other)
            .shows(2 * PACE, &[other, &self.alarming()].concat())
            .shows(2 * PACE, &[other, &self.fine()].concat());
        let mut scenario = self.scenario(
            "a move to another shard changes nothing",
            vec![first, second],
        );
        for minute in certain - 1..certain + 2 + 2 * PACE {
            scenario = scenario.firing(minute, &self.selector(), 1).firing(
                minute,
                "account=\"000000000001\"",
                0,
            );
        }
        scenario
            .firing(certain + 2 + 3 * PACE, &self.selector(), 0)
            .firing(
                certain + 2 + 3 * PACE,
                "alertname=\"AWSRootExporterDown\"",
                0,
            )
    }

    fn ends_when_the_account_leaves(&self) -> Scenario {
        let certain = self.certain();
        let instance = Instance::named("a")
            .shows(certain, &self.alarming())
            .shows(2 * PACE, &[LEFT])
            .away(70);
        self.scenario("the account leaves for good", vec![instance])
            .firing(certain - 1, &self.selector(), 1)
            .firing(certain + PACE, &self.selector(), 0)
            .firing(certain + 2 * PACE + 65, &self.selector(), 0)
    }
}

#[test]
fn every_alert_stands_every_course_of_events() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = RULES.map(|file| repository(file).display().to_string());
    let mut promtool = Command::new("promtool");
    promtool.args(["test", "rules"]);
    for case in CASES {
        // One file of rules is enough, and half the work.
        let rules = &rules[usize::from(case.alert.starts_with("AWSIAM"))];
        let path = folder.path().join(format!("{}.yml", case.alert));
        let text = promtool_file(std::slice::from_ref(rules), &case.scenarios());
        fs::write(&path, text).expect("the temporary folder is writable");
        promtool.arg(path);
    }
    succeed(&mut promtool);
}

#[test]
fn what_single_alerts_know_holds() {
    let files = ["root.test.yml", "exporter.test.yml"];
    let files = files.map(|name| repository("tests/rules").join(name));
    succeed(Command::new("promtool").args(["test", "rules"]).args(files));
}
