//! The core under a simulated clock: thousands of accounts, and an AWS that answers as each test
//! says. Nothing here waits for real time.

mod push;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use root_posture::report::CredentialReport;
use root_posture::{
    AccountId, Answer, Counts, Limits, LiveSource, Moment, Partition, ReportClaim, RootKey,
    Timestamp, Topic, Values,
};

use super::agenda::RunId;
use super::core::{Core, Request};
use super::orders::{AccountList, Orders, Settings, Sources};
use super::probe::{Finding, Observation, Question, ReadReport};
use crate::account::{Access, Account};
use crate::aws::{RequestId, SessionKind};
use crate::clock::{Clock, Hand};
use crate::failure::{Failure, Reason};
use crate::state::{Gate, State};
use crate::views::Views;

const INTERVAL: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(30);
const QUICK: Duration = Duration::from_millis(200);
const START: Timestamp = Timestamp::from_unix(1_800_000_000);

fn settings() -> Settings {
    Settings {
        concurrency: 64,
        timeout: TIMEOUT,
        report_timeout: Duration::from_secs(900),
        limits: Limits {
            interval: INTERVAL,
            in_force: INTERVAL,
            max_staleness: Duration::from_secs(36_000),
            max_live_staleness: Duration::from_secs(1800),
        },
        sources: Sources {
            report: true,
            summary: true,
        },
        user_detail: false,
        max_detail_series: 50_000,
        push: None,
    }
}

fn id(number: u64) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

/// An account that is read by a role and by root sessions.
fn account(number: u64) -> Arc<Account> {
    Arc::new(Account {
        id: id(number),
        name: String::new(),
        region: "us-east-1".to_owned(),
        access: Some(Access::Role {
            arn: String::new(),
            external_id: None,
        }),
        root_session: true,
        labels: Arc::default(),
        exceptions: Arc::default(),
        details: Arc::default(),
    })
}

/// What AWS does with a question: how long it takes, and whether it answers.
type Script = Box<dyn Fn(AccountId, &Question) -> Reply>;

enum Reply {
    /// So many keys, of which so many are active.
    Keys(u8, u8),
    /// A report that was made so long ago, with these values.
    Report(Duration, Values),
    Refused(Reason),
    /// No answer until the deadline.
    Hangs,
}

/// The core, its clock, and what is on its way.
struct Simulation {
    core: Core,
    views: Arc<Views>,
    hand: Hand,
    clock: Clock,
    script: Script,
    /// Observations by the moment they arrive.
    arriving: BinaryHeap<Reverse<(Moment, u64)>>,
    observations: HashMap<u64, (RunId, Observation)>,
    sequence: u64,
    /// When each account was asked each kind of question.
    asked: HashMap<(AccountId, &'static str), Vec<Moment>>,
    /// The summaries that were asked for, oldest first.
    summaries: Vec<(AccountId, RequestId)>,
}

fn kind(question: &Question) -> &'static str {
    match question {
        Question::Summary(_) => "summary",
        Question::RootKeys => "keys",
        Question::LastUse(_) => "last use",
        Question::Certificates => "certificates",
        Question::Mfa => "mfa",
        Question::LoginProfile => "login profile",
        Question::Report => "report",
    }
}

impl Simulation {
    fn new(accounts: u64, script: Script) -> Self {
        Self::with(settings(), State::default(), accounts, script)
    }

    fn with(settings: Settings, state: State, accounts: u64, script: Script) -> Self {
        let (clock, hand) = Clock::manual(START);
        let views = Arc::new(Views::new(clock.clone()));
        let gate = Gate::new(Arc::clone(&views), clock.clone());
        let mut core = Core::new(settings, state, Arc::clone(&views), clock.clone(), gate);
        core.take_orders(orders(settings, accounts));
        Self {
            core,
            views,
            hand,
            clock,
            script,
            arriving: BinaryHeap::new(),
            observations: HashMap::new(),
            sequence: 0,
            asked: HashMap::new(),
            summaries: Vec::new(),
        }
    }

    /// Lets `duration` pass.
    fn run(&mut self, duration: Duration) {
        let end = self.clock.moment() + duration;
        loop {
            self.core.turn();
            for request in self.core.requests() {
                if let Request::Ask {
                    run,
                    account,
                    question,
                } = request
                {
                    self.ask(run, account.id, question);
                }
            }
            let arrival = self.arriving.peek().map(|Reverse((at, _))| *at);
            let next = arrival
                .into_iter()
                .chain([self.core.next_wake(), end])
                .min()
                .unwrap_or(end);
            self.hand.advance(next.since(self.clock.moment()));
            while let Some(Reverse((at, sequence))) = self.arriving.peek().copied()
                && at <= next
            {
                self.arriving.pop();
                let (run, observation) = self.observations.remove(&sequence).unwrap();
                self.core.observed(run, observation);
            }
            if next >= end {
                return;
            }
        }
    }

    fn ask(&mut self, run: RunId, id: AccountId, question: Question) {
        let now = self.clock.moment();
        let asked = self.asked.entry((id, kind(&question))).or_default();
        asked.push(now);
        let reply = (self.script)(id, &question);
        let latency = match reply {
            Reply::Hangs => TIMEOUT,
            Reply::Keys(..) | Reply::Report(..) | Reply::Refused(_) => QUICK,
        };
        let outcome = match reply {
            Reply::Hangs => Err(Failure::new(Reason::Timeout, "no answer")),
            Reply::Refused(reason) => Err(Failure::new(reason, "refused")),
            Reply::Keys(present, active) => Ok(self.finding(&question, present, active, now)),
            Reply::Report(age, values) => Ok(self.report(now, age, values)),
        };
        let is_summary = matches!(question, Question::Summary(_));
        let request = is_summary.then(|| RequestId::of(self.sequence.to_string()));
        self.summaries.extend(request.map(|request| (id, request)));
        let observation = Observation {
            question,
            asked: now,
            skew: None,
            request,
            outcome,
        };
        self.sequence += 1;
        self.arriving.push(Reverse((now + latency, self.sequence)));
        self.observations.insert(self.sequence, (run, observation));
    }

    fn finding(&self, question: &Question, present: u8, active: u8, asked: Moment) -> Finding {
        let keys = Counts { present, active };
        let answer = |source, topic, value| Answer {
            source,
            asked,
            date: self.clock.now(),
            values: Values::default().with(topic, Some(value)),
        };
        let list = |topic| Finding::Live(answer(LiveSource::List, topic, Counts::NONE));
        match question {
            Question::Summary(_) => {
                let counted = Counts { active: 0, ..keys };
                Finding::Live(answer(LiveSource::Summary, Topic::Keys, counted))
            }
            Question::RootKeys => Finding::Keys(
                answer(LiveSource::List, Topic::Keys, keys),
                (0..present)
                    .map(|number| RootKey {
                        id: format!("AKIA{number}"),
                        active: number < active,
                        created: None,
                        last_used: None,
                    })
                    .collect(),
            ),
            Question::LastUse(key) => Finding::LastUse(key.clone(), None),
            Question::Certificates => list(Topic::Certificates),
            Question::Mfa => list(Topic::MfaOff),
            Question::LoginProfile => list(Topic::Password),
            Question::Report => {
                let values = Values::default().with(Topic::Keys, Some(keys));
                self.report(asked, Duration::ZERO, values)
            }
        }
    }

    fn report(&self, asked: Moment, age: Duration, values: Values) -> Finding {
        Finding::Report(Box::new(ReadReport {
            report: CredentialReport {
                account: id(1),
                partition: Partition::Aws,
                root: None,
                users: Vec::new(),
                rows_skipped: 0,
            },
            claim: ReportClaim {
                received: asked + QUICK,
                generated: asked - age,
                date: self.clock.now().minus(age),
                values,
            },
            refused: None,
        }))
    }

    fn active(&self, account: u64) -> Option<u8> {
        let view = self.views.get(id(account))?;
        view.posture.keys_active?.at(self.clock.moment())
    }

    /// The longest time that any account went without a question of that kind, once it has its place
    /// in the interval: the first poll of a new account comes sooner than that.
    fn longest_gap(&self, wanted: &str) -> Duration {
        let now = self.clock.moment();
        let times = self.asked.iter().filter(|((_, kind), _)| *kind == wanted);
        times
            .map(|(_, times)| {
                let ends = times.iter().skip(2).chain([&now]);
                let starts = times.iter().skip(1);
                let gaps = starts.zip(ends).map(|(start, end)| end.since(*start));
                gaps.max().unwrap_or_default()
            })
            .max()
            .unwrap_or_default()
    }
}

fn orders(settings: Settings, accounts: u64) -> Orders {
    Orders {
        generation: 1,
        settings,
        list: Some(AccountList {
            accounts: (1..=accounts).map(account).collect(),
            complete: true,
            confirmed: true,
            ..AccountList::default()
        }),
    }
}

#[test]
fn no_account_is_late_while_another_probe_hangs_everywhere() {
    const ACCOUNTS: u64 = 10_000;
    for (hanging, punctual) in [("keys", "summary"), ("summary", "keys"), ("report", "keys")] {
        let script = move |_, question: &Question| {
            if kind(question) == hanging {
                Reply::Hangs
            } else {
                Reply::Keys(0, 0)
            }
        };
        let mut simulation = Simulation::new(ACCOUNTS, Box::new(script));
        simulation.run(INTERVAL + Duration::from_secs(15));
        let asked = simulation
            .asked
            .keys()
            .filter(|(_, kind)| *kind == punctual);
        assert_eq!(asked.count() as u64, ACCOUNTS, "{punctual} of all");
        simulation.run(INTERVAL * 3);
        let gap = simulation.longest_gap(punctual);
        assert!(
            gap <= INTERVAL + Duration::from_secs(15),
            "{hanging} hangs, {punctual} {gap:?} apart"
        );
    }
}

#[test]
fn accounts_whose_lists_hang_are_polled_by_summaries_within_an_interval() {
    // Most of the lists wait for a slot all the time, and so would a first start for them.
    const ACCOUNTS: u64 = 1000;
    let script = |_, question: &Question| match question {
        Question::RootKeys => Reply::Hangs,
        _ => Reply::Keys(1, 1),
    };
    let mut simulation = Simulation::new(ACCOUNTS, Box::new(script));
    simulation.run(INTERVAL);
    for account in 1..=ACCOUNTS {
        assert_eq!(simulation.active(account), Some(1), "account {account}");
    }
}

#[test]
fn a_key_is_exported_while_the_details_hang() {
    let script = |_, question: &Question| match question {
        Question::LoginProfile | Question::LastUse(_) => Reply::Hangs,
        Question::Summary(_) | Question::Report => Reply::Keys(0, 0),
        _ => Reply::Keys(1, 1),
    };
    let mut simulation = Simulation::new(1, Box::new(script));
    simulation.run(Duration::from_secs(1));
    assert_eq!(simulation.active(1), Some(1));
    simulation.run(INTERVAL * 10);
    assert!(
        simulation.longest_gap("keys") <= INTERVAL,
        "they are asked on"
    );
    let view = simulation.views.get(id(1)).unwrap();
    let mfa = view.posture.mfa_enabled.map(|mfa| mfa.value);
    assert_eq!(mfa, Some(1), "what was answered beside them counts");
}

#[test]
fn details_are_polled_soon_after_a_change_and_then_rarely() {
    let mut simulation = Simulation::new(1, Box::new(|_, _: &Question| Reply::Keys(0, 0)));
    simulation.run(INTERVAL * 30);
    let asked = simulation.asked[&(id(1), "mfa")].len();
    assert!((3..=5).contains(&asked), "{asked} in half an hour");
    simulation.script = Box::new(|_, _: &Question| Reply::Keys(1, 1));
    simulation.run(INTERVAL + Duration::from_secs(1));
    assert_eq!(
        simulation.asked[&(id(1), "last use")].len(),
        1,
        "of the key that came"
    );
}

#[test]
fn details_are_polled_while_they_contradict_an_old_report() {
    let refused = |_, question: &Question| match question {
        Question::Report | Question::Summary(_) => Reply::Refused(Reason::AssumeRole),
        _ => Reply::Keys(0, 0),
    };
    let mut simulation = Simulation::new(1, Box::new(refused));
    // The details are confirmed, and polled rarely from now on.
    simulation.run(INTERVAL * 4);
    simulation.script = Box::new(|_, question: &Question| match question {
        Question::Report => {
            let off = Values::default().with(Topic::MfaOff, Some(Counts::flag(true)));
            Reply::Report(Duration::from_secs(3600), off)
        }
        Question::Summary(_) => Reply::Refused(Reason::AccessDenied),
        _ => Reply::Keys(0, 0),
    });
    let reports = |simulation: &Simulation| simulation.asked[&(id(1), "report")].len();
    let before = reports(&simulation);
    for _ in 0..600 {
        simulation.run(Duration::from_secs(2));
        let view = simulation.views.get(id(1)).unwrap();
        let mfa = view.posture.mfa_enabled.map(|mfa| mfa.value);
        assert_eq!(mfa, Some(1), "it was turned on since the report");
    }
    assert!(reports(&simulation) > before, "the report was read");
    let asked = simulation.asked[&(id(1), "mfa")].len();
    assert!(asked <= 8, "{asked} polls of the details in 24 minutes");
}

#[test]
fn a_late_answer_of_an_account_that_left_or_changed_is_ignored() {
    let mut simulation = Simulation::new(1, Box::new(|_, _: &Question| Reply::Keys(1, 1)));
    simulation.run(Duration::ZERO);
    assert!(!simulation.observations.is_empty(), "on their way");
    let mut other = Account::clone(&account(1));
    other.access = Some(Access::Profile("audit".to_owned()));
    let mut list = orders(settings(), 0);
    list.list.as_mut().unwrap().accounts.push(Arc::new(other));
    simulation.script = Box::new(|_, _: &Question| Reply::Keys(0, 0));
    simulation.core.take_orders(list);
    simulation.run(INTERVAL);
    assert_eq!(simulation.active(1), Some(0), "what the new way says");
    simulation.core.take_orders(orders(settings(), 0));
    simulation.run(INTERVAL);
    assert!(simulation.views.get(id(1)).is_none());
}

#[test]
fn a_report_is_read_again_at_once_when_its_users_are_configured() {
    let mut simulation = Simulation::new(1, Box::new(|_, _: &Question| Reply::Keys(0, 0)));
    simulation.run(INTERVAL);
    let reports = |simulation: &Simulation| simulation.asked[&(id(1), "report")].len();
    assert_eq!(reports(&simulation), 1);
    let wanted = Settings {
        user_detail: true,
        ..settings()
    };
    simulation.core.take_orders(orders(wanted, 1));
    simulation.run(Duration::from_secs(1));
    assert_eq!(reports(&simulation), 2);
}

#[test]
fn a_first_start_waits_for_a_report_that_is_refused_for_two_minutes_at_most() {
    let script = |_, question: &Question| match question {
        Question::Report => Reply::Refused(Reason::Throttled),
        Question::RootKeys => Reply::Refused(Reason::AccessDenied),
        _ => Reply::Keys(1, 0),
    };
    let mut simulation = Simulation::new(1, Box::new(script));
    simulation.run(Duration::from_secs(115));
    assert_eq!(simulation.active(1), None);
    simulation.run(Duration::from_secs(10));
    assert_eq!(simulation.active(1), Some(1), "no source explains it");
}

#[test]
fn without_a_role_the_summary_is_polled_in_the_root_session() {
    let mut alone = Account::clone(&account(1));
    alone.access = None;
    let mut list = orders(settings(), 0);
    list.list.as_mut().unwrap().accounts.push(Arc::new(alone));
    let script = |_, question: &Question| {
        assert_ne!(*question, Question::Summary(SessionKind::Own));
        assert_ne!(*question, Question::Report);
        Reply::Keys(1, 1)
    };
    let mut simulation = Simulation::new(0, Box::new(script));
    simulation.core.take_orders(list);
    simulation.run(INTERVAL);
    assert_eq!(simulation.active(1), Some(1));
    let view = simulation.views.get(id(1)).unwrap();
    let sources: Vec<_> = view
        .sources
        .iter()
        .map(|view| view.source.as_str())
        .collect();
    assert_eq!(sources, ["root_session"]);
}
