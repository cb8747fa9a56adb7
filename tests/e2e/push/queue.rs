//! Queues that cannot be read, or hold garbage, and queues that come, change and go.

use std::fs;

use aws_simulator::{Fault, FaultKind};

use super::flood::garbage;
use super::*;

/// What is wrong with a queue.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Missing,
    Answers(FaultKind),
}

impl Trouble {
    fn begin(self, aws: &Simulated) {
        match self {
            Self::Missing => aws.world.delete_queue(QUEUE),
            Self::Answers(kind) => aws.world.fault(Fault::new(kind).on("ReceiveMessage")),
        }
    }

    fn end(self, aws: &Simulated) {
        match self {
            Self::Missing => drop(aws.world.create_queue(QUEUE, QueueSettings::default())),
            Self::Answers(_) => aws.world.clear_faults(),
        }
    }
}

#[test]
fn while_a_queue_cannot_be_read_accounts_are_polled_at_the_interval() {
    let troubles = [
        Trouble::Missing,
        Trouble::Answers(FaultKind::AccessDenied),
        Trouble::Answers(FaultKind::Throttling),
        Trouble::Answers(FaultKind::TruncatedXml),
        // Takes longest: refresh.timeout after the end of a long poll.
        Trouble::Answers(FaultKind::NeverAnswer),
    ];
    let all = troubles.map(|trouble| {
        let aws = with_events();
        let daemon = aws.launch(&Pace::QUICK.config(&aws)).start();
        (trouble, aws, daemon)
    });
    for (trouble, aws, daemon) in &all {
        daemon.scrape_until(|shown| expect_push(shown, 1.0, 8.0));
        trouble.begin(aws);
    }
    for (trouble, aws, daemon) in &all {
        daemon.scrape_until(|shown| {
            shown.expect(UP, &[], 0.0)?;
            shown.expect(INTERVAL, &OF, 1.0)
        });
        more_polls(aws, 2);
        // By polls alone.
        aws.world
            .edit(id(ONE), |account| account.root.create_key(now()));
        daemon.scrape_until(|shown| shown.expect(ACTIVE, &OF, 1.0));
        aws.world
            .edit(id(ONE), |account| account.root.delete_keys());
        daemon.scrape_until(|shown| shown.expect(ACTIVE, &OF, 0.0));
        let logged = daemon.process.lines();
        let reported = logged.iter().filter(|line| line.contains("cannot be read"));
        assert_eq!(reported.count(), 1, "{trouble:?}");
        trouble.end(aws);
    }
    for (_, _, daemon) in &all {
        daemon.scrape_until(|shown| {
            shown.expect(UP, &[], 1.0)?;
            expect_push(shown, 1.0, 8.0)
        });
    }
}

#[test]
fn garbage_is_counted_and_deleted_and_hides_no_event() {
    const GARBAGE: usize = 1_000;
    let aws = with_events();
    let queue = aws.world.queue(QUEUE);
    queue.send_all((0..GARBAGE).map(garbage));
    let daemon = aws.launch(&Pace::RARE.config(&aws)).start();
    root(&aws).sign_in();
    let shown = daemon.scrape_until(|shown| {
        expect_activity(shown, &["ConsoleLogin"])?;
        shown.expect(MESSAGES, &[("kind", "malformed")], 1_000.0)
    });
    shown.expect(UP, &[], 1.0).unwrap();
    shown.expect(ACTIVE, &OF, 0.0).unwrap();
    eventually(PATIENCE, || {
        let counts = queue.counts();
        let rest = counts.visible + counts.in_flight;
        (rest == 0).then_some(()).ok_or(format!("{rest} are left"))
    });
    let logged = daemon.process.lines();
    let logged = logged
        .iter()
        .filter(|line| line.contains("no event of CloudTrail"));
    assert_eq!(logged.count(), 1, "once a minute");
}

#[test]
fn a_reload_adds_changes_and_removes_the_queue() {
    let aws = with_events();
    let other = aws.world.create_queue("other", QueueSettings::default());
    let with = |url: &str| Pace::TRUSTING.reading(url, &[ONE]);
    let first = with(&aws.queue_url(QUEUE));
    let without: String = first
        .lines()
        .filter(|line| !line.starts_with("events.queue_url"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let daemon = aws.launch(&without).start();
    let reload = |config: &str| {
        fs::write(daemon.path("config.toml"), config).unwrap();
        assert_eq!(daemon.post("/-/reload").status, 200);
    };
    let shown = daemon.scrape_until(|shown| shown.expect(ACTIVE, &OF, 0.0));
    assert_eq!(shown.value(UP, &[]), None);
    assert!(shown.all(MESSAGES, &[]).is_empty());

    reload(&first);
    daemon.scrape_until(|shown| {
        shown.expect(UP, &[], 1.0)?;
        expect_push(shown, 1.0, 600.0)
    });

    // Echoes go on to arrive in the first one only: they verify nothing about the other.
    reload(&with(&aws.queue_url("other")));
    daemon.scrape_until(|shown| {
        shown.expect(UP, &[], 1.0)?;
        expect_push(shown, 0.0, 1.0)
    });
    let read = other.counts().received;
    aws.world.trail(Trail::to("other").delayed(ON_ITS_WAY));
    root(&aws).sign_in();
    daemon.scrape_until(|shown| {
        expect_activity(shown, &["ConsoleLogin"])?;
        expect_push(shown, 1.0, 600.0)
    });
    assert!(other.counts().received > read);

    reload(&without);
    let shown = daemon.scrape_until(|shown| {
        let up = shown.value(UP, &[]);
        up.map_or(Ok(()), |up| Err(format!("up is {up}")))?;
        shown.expect(INTERVAL, &OF, 1.0)
    });
    assert_eq!(shown.value(PUSH_UP, &OF), None);
    expect_activity(&shown, &["ConsoleLogin"]).expect("it was so");
    more_polls(&aws, 2);
    let read = other.counts().received;
    root(&aws).change_email();
    more_polls(&aws, 2);
    assert_eq!(other.counts().received, read);
}

#[test]
fn each_shard_reads_its_own_queue() {
    const ACCOUNTS: [u64; 6] = [11, 12, 13, 14, 15, 16];
    let aws = with_queue(&ACCOUNTS);
    let queues = ["events-0", "events-1"];
    for name in queues {
        aws.world.create_queue(name, QueueSettings::default());
    }
    let trail = Trail::to(queues[0]).and_to(queues[1]);
    aws.world.trail(trail.delayed(ON_ITS_WAY));
    let config = Pace::TRUSTING.reading(&aws.queue_url("events-{shard}"), &ACCOUNTS);
    let shards = [0, 1].map(|index| {
        let config = format!("shard.index = {index}\nshard.total = 2\n{config}");
        aws.launch(&config).start()
    });
    let names = ACCOUNTS.map(|number| id(number).to_string());
    for (number, name) in ACCOUNTS.into_iter().zip(&names) {
        let of = [("account", name.as_str())];
        let actor = Actor::console("198.51.100.7");
        aws.world.root(id(number), actor, now()).sign_in();
        let reported = |daemon: &Daemon| daemon.scrape().all(ACTIVITY, &of).len();
        eventually(PATIENCE, || match [&shards[0], &shards[1]].map(reported) {
            [0, 1] | [1, 0] => Ok(()),
            other => Err(format!("{name}: {other:?}")),
        });
        eventually(PATIENCE, || {
            let up = |daemon: &Daemon| daemon.scrape().value(PUSH_UP, &of);
            let up = [&shards[0], &shards[1]].map(up);
            let is_one = up.iter().flatten().eq(&[1.0]);
            is_one
                .then_some(())
                .ok_or_else(|| format!("{name}: {up:?}"))
        });
    }
    for (daemon, name) in shards.iter().zip(queues) {
        // Those of the other shard.
        assert!(messages(&daemon.scrape(), "ignored") > 0.0, "{name}");
        assert!(aws.world.queue(name).counts().deleted > 0, "{name}");
    }
}
