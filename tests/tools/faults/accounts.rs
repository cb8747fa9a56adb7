//! The rows about accounts. Each has three accounts in one simulated AWS, which one daemon monitors: one
//! with a finding, one without, and one that is new when the call fails. Eight more accounts have no
//! fault.
//!
//! There are four stages, and no metric may be wrong in any of them: everything works; a call fails; the
//! accounts change while it fails (the one without a finding gets one, the others lose theirs); the call
//! works again, and all values follow.

use std::fmt::Write as _;
use std::time::Duration;

use aws_simulator::{Account, Fault, FaultKind};

use super::table::{ANOTHER, Operation, Row, Shown, rows};
use super::values::{ALARMING, Course, FINE, Scrape, UNKNOWN, Values};
use test_support::daemon::{ACCEPT_TEXT, Daemon};
use test_support::eventually;
use test_support::exposition::Exposition;
use test_support::simulated::{Simulated, account, id, listed, now};

/// The accounts of the n-th row begin at this number and ten times the row's.
const FIRST: u64 = 10_000;

/// Accounts that meet no fault: half of them read by a role, half by a root session.
const HEALTHY: std::ops::Range<u64> = 1_000..1_008;

/// How long a stage may take on a busy machine: hundreds of accounts are polled in it. It bounds a
/// failure and costs nothing when all is well.
const STAGE: Duration = Duration::from_secs(240);

/// How often they are polled. A report that is held counts after four intervals, and on a machine that is
/// slow or runs browsers a poll must come before.
const INTERVAL: &str = "6s";

/// What an account of a row is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It has a finding when the call begins to fail.
    Alarming,
    /// It has no finding when the call begins to fail.
    Fine,
    /// It has a finding, but no values when the call begins to fail.
    New,
}

impl Part {
    const ALL: [Self; 3] = [Self::Alarming, Self::Fine, Self::New];

    fn truth(self) -> Values {
        match self {
            Self::Alarming | Self::New => ALARMING,
            Self::Fine => FINE,
        }
    }

    fn later_truth(self) -> Values {
        match self {
            Self::Alarming | Self::New => FINE,
            Self::Fine => ALARMING,
        }
    }
}

/// What is expected of an account, one value a stage: shown when all is well, when the call fails,
/// when AWS changes meanwhile, when it works again.
fn expected(row: &Row, part: Part) -> [Values; 4] {
    let (truth, later) = (part.truth(), part.later_truth());
    match (row.shown, part) {
        (Shown::TheTruth, Part::New) => [UNKNOWN, truth, later, later],
        (Shown::TheTruth, _) => [truth, truth, later, later],
        (_, Part::Alarming) => [truth, truth, truth, later],
        (_, Part::Fine) => [truth, UNKNOWN, UNKNOWN, later],
        (Shown::BeforeOrReport, Part::New) => [UNKNOWN, truth, truth, later],
        (_, Part::New) => [UNKNOWN, UNKNOWN, UNKNOWN, later],
    }
}

/// An account of a row.
struct Member {
    row: Row,
    part: Part,
    number: u64,
    name: String,
    course: Course,
}

impl Member {
    fn faults(&self) -> Vec<Fault> {
        let id = id(self.number);
        let mut faults: Vec<Fault> = self
            .row
            .faults()
            .into_iter()
            .map(|(operation, kind)| Fault::new(kind).of(id).on(operation))
            .collect();
        // A session that is open is opened again only when AWS refuses it.
        if let Some(operation) = self.row.operation.opens_session_for() {
            let refused = Fault::new(FaultKind::ExpiredToken).of(id).on(operation);
            faults.push(refused.times(1));
        }
        faults
    }

    /// What is wrong with the account after a stage, or not yet so.
    fn judge(&self, scrape: &Scrape, stage: usize) -> Result<(), String> {
        let stages = expected(&self.row, self.part);
        let before = stages[stage - 1];
        self.course
            .went(before, stages[stage])
            .map_err(|course| format!("values: {course}"))?;
        let source = self.row.operation.source();
        let reasons = scrape.reasons(&self.name, source);
        let wanted: Vec<&str> = self.row.reason.into_iter().collect();
        if reasons != wanted {
            return Err(format!("{source} counts {reasons:?}, not {wanted:?}"));
        }
        if stage == 3 && !scrape.is_up(&self.name) {
            return Err("a source is still down".to_owned());
        }
        Ok(())
    }
}

fn set_truth(account: &mut Account, values: Values) {
    account.root.delete_keys();
    account.root.certificates = [None, None];
    account.root.mfa = values == FINE;
    if values == ALARMING {
        account.root.create_key(1_700_000_000);
        account.root.upload_certificate(1_700_000_000);
    }
}

fn member(row: Row, nth: usize, part: Part) -> Member {
    let place = u64::try_from(nth * 10 + part as usize).unwrap();
    let number = FIRST + place;
    Member {
        row,
        part,
        number,
        name: id(number).to_string(),
        course: Course::from(UNKNOWN),
    }
}

fn simulated(member: &Member) -> Account {
    let mut account = account(member.number, "member");
    set_truth(&mut account, member.part.truth());
    account.store_report(now() - 3_600);
    if member.row.operation.is_report() {
        // A report that is always old is requested again and again.
        account.report.shown_generated_time = Some(now() - 4 * 3_600 - 600);
    }
    account
}

/// How the accounts of a test are read. How long a call may take: where none hangs, so
/// long that a busy machine is not taken for a fault.
#[derive(Clone, Copy)]
struct World {
    /// Every account by its role and by root sessions, instead of by one of them.
    both: bool,
    timeout: &'static str,
    /// How long a value without a finding stays; the details of a root session are polled thrice in it.
    staleness: &'static str,
}

fn config(members: &[Member], world: World) -> String {
    let World {
        both,
        timeout,
        staleness,
    } = world;
    let by_role = members
        .iter()
        .filter(|member| !member.row.operation.is_root())
        .map(|member| member.number)
        .chain(HEALTHY.step_by(2));
    // Accounts that are listed are not read by root sessions.
    let (access, listed) = if both {
        let external_id = test_support::simulated::EXTERNAL_ID;
        let role = test_support::simulated::ROLE;
        let access = format!("\"both\"\nrole_name = \"{role}\"\nexternal_id = \"{external_id}\"");
        (access, String::new())
    } else {
        ("\"root\"".to_owned(), by_role.map(listed).collect())
    };
    // Slots for all calls that hang at the same time.
    format!(
        "users.aggregate = false\n\
         [refresh]\ninterval = \"{INTERVAL}\"\nconcurrency = 400\ntimeout = \"{timeout}\"\n\
         report_timeout = \"3s\"\nmax_live_staleness = \"{staleness}\"\n\
         [organization]\nenabled = true\naccess = {access}\n{listed}"
    )
}

/// Returns each scrape once: between two renderings nothing changes.
struct Scraper<'a> {
    daemon: &'a Daemon,
    last: String,
}

impl Scraper<'_> {
    fn next(&mut self) -> Option<Scrape> {
        let response = self.daemon.get("/metrics", &[ACCEPT_TEXT]);
        assert_eq!(response.status, 200, "GET /metrics");
        if response.text() == self.last {
            return None;
        }
        response.text().clone_into(&mut self.last);
        Some(Scrape::of(&Exposition::parse(&self.last)))
    }
}

/// Scrapes until a stage is as expected, or cannot become so, and says what is wrong with it.
fn play(scraper: &mut Scraper<'_>, members: &mut [Member], stage: usize, name: &str) {
    for member in members.iter_mut() {
        let before = expected(&member.row, member.part)[stage - 1];
        member.course = Course::from(before);
    }
    let healthy = |scrape: &Scrape| {
        let mut wrong = String::new();
        for number in HEALTHY {
            let account = id(number).to_string();
            if scrape.values(&account) != FINE || !scrape.never_failed(&account) {
                let shown = Course::from(scrape.values(&account));
                let _ = writeln!(wrong, "  {account}, which met no fault: {shown}");
            }
        }
        wrong
    };
    let mut last = format!("{name}: no value changed");
    eventually(STAGE, || {
        let Some(scrape) = scraper.next() else {
            return Err(last.clone());
        };
        let mut wrong = healthy(&scrape);
        assert!(wrong.is_empty(), "{name}:\n{wrong}");
        let mut astray = String::new();
        for member in members.iter_mut() {
            member.course.note(scrape.values(&member.name));
            let Err(why) = member.judge(&scrape, stage) else {
                continue;
            };
            let (part, row) = (member.part, member.row.name());
            let cell = format!("  {row} ({part:?}, {}): {why}\n", member.name);
            wrong.push_str(&cell);
            let stages = expected(&member.row, member.part);
            if member.course.is_astray(stages[stage - 1], stages[stage]) {
                astray.push_str(&cell);
            }
        }
        assert!(
            astray.is_empty(),
            "{name}: these cells are wrong:\n{astray}"
        );
        last = format!("{name}: these cells are wrong:\n{wrong}");
        wrong.is_empty().then_some(()).ok_or_else(|| last.clone())
    });
}

/// Plays the rows in one simulated AWS.
fn play_all(rows: impl Iterator<Item = Row>, world: World) {
    let mut members: Vec<Member> = rows
        .enumerate()
        .flat_map(|(nth, row)| Part::ALL.map(|part| member(row, nth, part)))
        .collect();
    let aws = Simulated::with(
        members
            .iter()
            .map(simulated)
            .chain(HEALTHY.map(|number| account(number, "healthy")))
            .chain([account(ANOTHER, "somebody else")]),
    );
    // Wrong answers name an account that exists, or its absence would protect from them.
    aws.world
        .edit(id(ANOTHER), |account| account.in_organization = false);
    let fail = |member: &Member| {
        member
            .faults()
            .into_iter()
            .for_each(|it| aws.world.fault(it));
    };
    let (new, known): (Vec<_>, Vec<_>) = members.iter().partition(|it| it.part == Part::New);
    new.into_iter().for_each(fail);
    let daemon = aws.launch(&config(&members, world)).start();
    let mut scraper = Scraper {
        daemon: &daemon,
        last: String::new(),
    };
    let mut last = "nothing was shown".to_owned();
    eventually(STAGE, || {
        let Some(scrape) = scraper.next() else {
            return Err(last.clone());
        };
        let unknown = known.iter().find(|member| {
            scrape.values(&member.name) != member.part.truth() || !scrape.is_up(&member.name)
        });
        let mut healthy = HEALTHY.map(|number| id(number).to_string());
        if let Some(member) = unknown {
            let shown = Course::from(scrape.values(&member.name));
            last = format!("{} is not known yet: {shown}", member.name);
        } else if healthy.any(|healthy| scrape.values(&healthy) != FINE) {
            "one that meets no fault is not known yet".clone_into(&mut last);
        } else {
            return Ok(());
        }
        Err(last.clone())
    });

    known.into_iter().for_each(fail);
    play(&mut scraper, &mut members, 1, "the call fails");

    for member in &members {
        let later = member.part.later_truth();
        aws.world.edit(id(member.number), |account| {
            set_truth(account, later);
            if member.part == Part::New && member.row.shown == Shown::BeforeOrNothing {
                // The first that is read of it would be an old report, and true of its time.
                account.store_report(now() - 60);
            }
        });
    }
    play(&mut scraper, &mut members, 2, "AWS changes meanwhile");

    aws.world.clear_faults();
    play(&mut scraper, &mut members, 3, "the call works again");
}

fn of_accounts() -> impl Iterator<Item = Row> {
    let mut rows = rows();
    rows.retain(|row| row.shown != Shown::TheList && row.is_simulated());
    rows.into_iter()
}

#[test]
fn each_fault_that_other_calls_compensate_matches_the_table() {
    let rows = of_accounts().filter(|row| !row.hangs() && row.shown == Shown::TheTruth);
    let world = World {
        both: false,
        timeout: "2m",
        staleness: "2m",
    };
    play_all(rows, world);
}

#[test]
fn each_fault_that_no_call_compensates_matches_the_table() {
    let rows = of_accounts().filter(|row| !row.hangs() && row.shown != Shown::TheTruth);
    let world = World {
        both: false,
        timeout: "2m",
        staleness: "1m",
    };
    play_all(rows, world);
}

#[test]
fn each_missing_answer_matches_the_table() {
    let world = World {
        both: false,
        timeout: "12s",
        staleness: "1m",
    };
    play_all(of_accounts().filter(Row::hangs), world);
}

#[test]
fn one_source_hangs_and_the_others_answer() {
    // Where there is a role, root sessions do not poll the summary.
    let rows = of_accounts()
        .filter(|row| row.hangs() && row.operation != Operation::RootSummary)
        .map(|row| Row {
            shown: Shown::TheTruth,
            ..row
        });
    let world = World {
        both: true,
        timeout: "12s",
        staleness: "2m",
    };
    play_all(rows, world);
}
