//! What root did makes the daemon poll at once and is exported, also where it is gone before a poll.

use std::time::{Duration, Instant};

use aws_simulator::{Fault, FaultKind, Trail};

use super::*;

#[test]
fn a_key_is_exported_seconds_after_its_event() {
    let aws = with_events();
    let daemon = aws.launch(&Pace::RARE.config(&aws)).start();
    wait_until_reading(&daemon);
    let before = now();
    let created = Instant::now();
    assert!(root(&aws).create_key().is_some());
    eventually(SOON, || daemon.scrape().expect(ACTIVE, &OF, 1.0));
    println!("exported after {:?}", created.elapsed());
    let shown = daemon.scrape();
    let at = last(&shown, "CreateAccessKey");
    assert!(at >= Some(seconds(before)), "{at:?}");
    assert!(messages(&shown, "root") >= 1.0);
}

#[test]
fn a_key_is_exported_by_the_third_poll_where_two_are_stale() {
    let aws = with_events();
    let daemon = aws.launch(&Pace::RARE.config(&aws)).start();
    wait_until_reading(&daemon);
    // The polls after an event are 5 and 15 seconds after the first.
    let stale = FaultKind::Lag(Duration::from_secs(10));
    aws.world.fault(Fault::new(stale).of(id(ONE)));
    let before = polls(&aws);
    let created = Instant::now();
    assert!(root(&aws).create_key().is_some());
    eventually(SOON * 2, || daemon.scrape().expect(ACTIVE, &OF, 1.0));
    println!("exported after {:?}", created.elapsed());
    assert_eq!(polls(&aws) - before, 3);
}

#[test]
fn a_key_that_is_gone_before_a_poll_is_reported_and_changes_no_value() {
    let aws = with_events();
    let daemon = aws.launch(&Pace::RARE.config(&aws)).start();
    wait_until_reading(&daemon);
    let before = polls(&aws);
    let root = root(&aws);
    let key = root.create_key().unwrap();
    assert!(root.delete_key(&key));
    daemon.scrape_until(|shown| {
        shown.expect(ACTIVE, &OF, 0.0).unwrap();
        expect_activity(shown, &["CreateAccessKey", "DeleteAccessKey"])?;
        at_least(polls(&aws) - before, 3)
    });
}

#[test]
fn a_key_that_lives_for_seconds_is_exported_while_it_lives() {
    let aws = with_events();
    let daemon = aws.launch(&Pace::QUICK.config(&aws)).start();
    wait_until_reading(&daemon);
    let root = root(&aws);
    let key = root.create_key().unwrap();
    daemon.scrape_until(|shown| shown.expect(ACTIVE, &OF, 1.0));
    assert!(root.delete_key(&key));
    daemon.scrape_until(|shown| {
        let active = shown.value(ACTIVE, &OF);
        assert!(active.is_some() && active <= Some(1.0), "{active:?}");
        expect_activity(shown, &["CreateAccessKey", "DeleteAccessKey"])?;
        shown.expect(ACTIVE, &OF, 0.0)
    });
}

#[test]
fn events_that_come_twice_and_in_disorder_are_each_reported_once() {
    let aws = with_queue(&[ONE]);
    let disorder = Duration::ZERO..=Duration::from_secs(2);
    let trail = Trail::to(QUEUE).delayed(disorder).duplicating(1.0);
    aws.world.trail(trail);
    let daemon = aws.launch(&Pace::RARE.config(&aws)).start();
    wait_until_reading(&daemon);
    let root = root(&aws);
    let events = ["ConsoleLogin", "CreateAccessKey", "UpdateAccessKeyInactive"];
    root.sign_in();
    let key = root.create_key().unwrap();
    assert!(root.deactivate_key(&key));
    let shown = daemon.scrape_until(|shown| {
        expect_activity(shown, &events)?;
        let read = messages(shown, "root");
        (read >= 6.0).then_some(()).ok_or(format!("{read} of 6"))
    });
    assert_eq!(shown.all(ACTIVITY, &OF).len(), events.len());
    let logged = daemon.process.lines();
    let logged = logged.iter().filter(|line| line.contains("198.51.100.7"));
    assert_eq!(logged.count(), events.len(), "lines of the log");
}
