//! The rows about accounts: each has three accounts of its own in one world, which one daemon
//! watches: one with a finding, one that is fine, and one that meets the trouble before it was
//! ever seen. Eight more meet no trouble at all.
//!
//! Four stages, and in none of them may a figure say what is not so: all is well; the trouble
//! comes; AWS changes while it lasts (who was fine has a finding, and the other way round); it
//! goes, and all is to follow by itself.

use std::fmt::Write as _;
use std::time::Duration;

use aws_root_exporter::simulator::{Account, Fault, FaultKind};

use super::figures::{ALARMING, Course, FINE, Figures, Scrape, UNKNOWN};
use super::table::{Operation, Row, SOMEBODY_ELSE, Shown, rows};
use crate::support::daemon::{ACCEPT_TEXT, Daemon};
use crate::support::eventually;
use crate::support::exposition::Exposition;
use crate::support::simulated::{Simulated, account, id, listed, now};

/// The accounts of the n-th row begin at this number and ten times the row's.
const FIRST: u64 = 10_000;

/// Accounts that meet no trouble: half of them by a role, half by a root session.
const CALM: std::ops::Range<u64> = 1_000..1_008;

/// How long a stage may take on a machine that has much else to do: hundreds of accounts are
/// looked at in it. It bounds a failure and costs nothing when all is well.
const STAGE: Duration = Duration::from_secs(240);

/// What an account of a row is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It has a finding when the trouble comes.
    Alarming,
    /// It is fine when the trouble comes.
    Fine,
    /// It has a finding, and nothing is known of it when the trouble comes.
    New,
}

impl Part {
    const ALL: [Self; 3] = [Self::Alarming, Self::Fine, Self::New];

    fn truth(self) -> Figures {
        match self {
            Self::Alarming | Self::New => ALARMING,
            Self::Fine => FINE,
        }
    }

    fn later_truth(self) -> Figures {
        match self {
            Self::Alarming | Self::New => FINE,
            Self::Fine => ALARMING,
        }
    }
}

/// What is expected of an account, one value a stage: shown when all is well, in trouble, when AWS
/// changes meanwhile, when the trouble is over.
fn expected(row: &Row, part: Part) -> [Figures; 4] {
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
struct Player {
    row: Row,
    part: Part,
    number: u64,
    name: String,
    course: Course,
}

impl Player {
    fn faults(&self) -> Vec<Fault> {
        let id = id(self.number);
        let Some(kind) = self.row.kind() else {
            return Vec::new();
        };
        // A root session is anybody's until STS has said whose it is.
        let on = match (self.row.operation, kind) {
            (Operation::AssumeRoot, FaultKind::WrongAccount(_)) => "GetCallerIdentity".to_owned(),
            (operation, _) => operation.to_string(),
        };
        let mut faults = vec![Fault::new(kind).of(id).on(on.as_str())];
        // Who has a session opens another one only when AWS refuses it.
        let refused_at = match self.row.operation {
            Operation::AssumeRole => "GetAccountSummary",
            Operation::AssumeRoot => "ListAccessKeys",
            _ => return faults,
        };
        let refused = Fault::new(FaultKind::ExpiredToken).of(id).on(refused_at);
        faults.push(refused.times(1));
        faults
    }

    /// What is wrong with the account after a stage, or not yet so.
    fn judge(&self, scrape: &Scrape, stage: usize) -> Result<(), String> {
        let stages = expected(&self.row, self.part);
        let before = stages[stage - 1];
        self.course
            .went(before, stages[stage])
            .map_err(|course| format!("figures: {course}"))?;
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

fn set_truth(account: &mut Account, figures: Figures) {
    account.root.delete_keys();
    account.root.certificates = [None, None];
    account.root.mfa = figures == FINE;
    if figures == ALARMING {
        account.root.create_key(1_700_000_000);
        account.root.upload_certificate(1_700_000_000);
    }
}

fn player(row: Row, nth: usize, part: Part) -> Player {
    let place = u64::try_from(nth * 10 + part as usize).unwrap();
    let number = FIRST + place;
    Player {
        row,
        part,
        number,
        name: id(number).to_string(),
        course: Course::from(UNKNOWN),
    }
}

fn simulated(player: &Player) -> Account {
    let mut account = account(player.number, "member");
    set_truth(&mut account, player.part.truth());
    account.store_report(now() - 3_600);
    if player.row.operation.is_report() {
        // A report that is always an old one is asked for again and again.
        account.report.shown_generated_time = Some(now() - 4 * 3_600 - 600);
    }
    account
}

/// What is short in a world because it is tried there. All else is so long that a busy machine is
/// not taken for a fault.
#[derive(Clone, Copy)]
struct Short {
    timeout: &'static str,
    staleness: &'static str,
}

fn config(players: &[Player], short: Short) -> String {
    let Short { timeout, staleness } = short;
    let roles = players
        .iter()
        .filter(|player| !player.row.operation.is_root())
        .map(|player| player.number)
        .chain(CALM.step_by(2));
    let listed: String = roles.map(listed).collect();
    // Slots enough for all who hang at the same time.
    format!(
        "users.aggregate = false\n\
         [refresh]\ninterval = \"1500ms\"\nconcurrency = 400\ntimeout = \"{timeout}\"\n\
         report_timeout = \"3s\"\nmax_live_staleness = \"{staleness}\"\n\
         [organization]\nenabled = true\naccess = \"root\"\n{listed}"
    )
}

/// Hands out each scrape once: between two renderings there is nothing to learn.
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
fn play(scraper: &mut Scraper<'_>, players: &mut [Player], stage: usize, name: &str) {
    for player in players.iter_mut() {
        let before = expected(&player.row, player.part)[stage - 1];
        player.course = Course::from(before);
    }
    let calm = |scrape: &Scrape| {
        let mut wrong = String::new();
        for number in CALM {
            let account = id(number).to_string();
            if scrape.figures(&account) != FINE || !scrape.never_failed(&account) {
                let shown = Course::from(scrape.figures(&account));
                let _ = writeln!(wrong, "  {account}, which met no trouble: {shown}");
            }
        }
        wrong
    };
    let mut last = format!("{name}: nothing new was shown");
    eventually(STAGE, || {
        let Some(scrape) = scraper.next() else {
            return Err(last.clone());
        };
        let mut wrong = calm(&scrape);
        assert!(wrong.is_empty(), "{name}:\n{wrong}");
        let mut astray = String::new();
        for player in players.iter_mut() {
            player.course.note(scrape.figures(&player.name));
            let Err(why) = player.judge(&scrape, stage) else {
                continue;
            };
            let (part, row) = (player.part, player.row.name());
            let cell = format!("  {row} ({part:?}, {}): {why}\n", player.name);
            wrong.push_str(&cell);
            let stages = expected(&player.row, player.part);
            if player.course.is_astray(stages[stage - 1], stages[stage]) {
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

/// Plays the rows in one world.
fn play_all(rows: impl Iterator<Item = Row>, short: Short) {
    let mut players: Vec<Player> = rows
        .enumerate()
        .flat_map(|(nth, row)| Part::ALL.map(|part| player(row, nth, part)))
        .collect();
    let aws = Simulated::with(
        players
            .iter()
            .map(simulated)
            .chain(CALM.map(|number| account(number, "calm")))
            .chain([account(SOMEBODY_ELSE, "somebody else")]),
    );
    // Wrong answers name an account that exists: it is not its absence that saves us.
    aws.world
        .edit(id(SOMEBODY_ELSE), |account| account.in_organization = false);
    let trouble = |player: &Player| {
        player
            .faults()
            .into_iter()
            .for_each(|it| aws.world.fault(it));
    };
    let (new, known): (Vec<_>, Vec<_>) = players.iter().partition(|it| it.part == Part::New);
    new.into_iter().for_each(trouble);
    let daemon = aws.launch(&config(&players, short)).start();
    let mut scraper = Scraper {
        daemon: &daemon,
        last: String::new(),
    };
    let mut last = "nothing was shown".to_owned();
    eventually(STAGE, || {
        let Some(scrape) = scraper.next() else {
            return Err(last.clone());
        };
        let unknown = known.iter().find(|player| {
            scrape.figures(&player.name) != player.part.truth() || !scrape.is_up(&player.name)
        });
        let calm = CALM.map(|number| id(number).to_string());
        let late = calm
            .map(|calm| scrape.figures(&calm))
            .find(|shown| *shown != FINE);
        if let Some(player) = unknown {
            let shown = Course::from(scrape.figures(&player.name));
            last = format!("{} is not known yet: {shown}", player.name);
        } else if late.is_some() {
            "one that meets no trouble is not known yet".clone_into(&mut last);
        } else {
            return Ok(());
        }
        Err(last.clone())
    });

    known.into_iter().for_each(trouble);
    play(&mut scraper, &mut players, 1, "in trouble");

    for player in &players {
        let later = player.part.later_truth();
        aws.world.edit(id(player.number), |account| {
            set_truth(account, later);
            if player.part == Part::New && player.row.shown == Shown::BeforeOrNothing {
                // The first that is learnt of it would be an old report, and true of its time.
                account.store_report(now() - 60);
            }
        });
    }
    play(&mut scraper, &mut players, 2, "AWS changes meanwhile");

    aws.world.clear_faults();
    play(&mut scraper, &mut players, 3, "the trouble is over");
}

fn of_accounts() -> impl Iterator<Item = Row> {
    let mut rows = rows();
    rows.retain(|row| row.operation != Operation::ListAccounts && row.kind().is_some());
    rows.into_iter()
}

#[test]
fn where_looks_go_on_each_fault_shows_what_the_table_says() {
    let rows = of_accounts().filter(|row| !row.hangs() && row.shown == Shown::TheTruth);
    let short = Short {
        timeout: "2m",
        staleness: "30m",
    };
    play_all(rows, short);
}

#[test]
fn where_looks_fail_each_fault_shows_what_the_table_says() {
    let rows = of_accounts().filter(|row| !row.hangs() && row.shown != Shown::TheTruth);
    let short = Short {
        timeout: "2m",
        staleness: "30s",
    };
    play_all(rows, short);
}

#[test]
fn each_answer_that_does_not_come_shows_what_the_table_says() {
    let short = Short {
        timeout: "12s",
        staleness: "30s",
    };
    play_all(of_accounts().filter(Row::hangs), short);
}
