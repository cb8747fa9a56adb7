//! An account is polled rarely only while the events of its own polls verifiably arrive.

use aws_simulator::{Actor, Tampering};

use super::flood::forged_echo;
use super::*;

/// The time between the newest two polls of the account.
fn newest_gap(aws: &Simulated) -> Duration {
    let polls = times_of_polls(aws);
    let [.., before, newest] = polls[..] else {
        panic!("{} polls", polls.len());
    };
    newest - before
}

#[test]
fn polls_are_rare_while_echoes_arrive_and_frequent_otherwise() {
    let aws = with_events();
    let daemon = aws.launch(&Pace::QUICK.config(&aws)).start();
    daemon.scrape_until(|shown| expect_push(shown, 1.0, 8.0));
    // The first may have been planned before.
    more_polls(&aws, 3);
    let gap = newest_gap(&aws);
    assert!(gap > Duration::from_secs(6), "{gap:?}");
    daemon.scrape().expect(ACTIVE, &OF, 0.0).unwrap();

    aws.world.cut_delivery(id(ONE));
    let cut = Instant::now();
    daemon.scrape_until(|shown| expect_push(shown, 0.0, 1.0));
    let took = cut.elapsed();
    // The next poll, and the timeout of its echo.
    assert!(took < SOON, "{took:?}");
    more_polls(&aws, 3);
    let gap = newest_gap(&aws);
    assert!(gap < Duration::from_secs(6), "{gap:?}");

    aws.world.restart_delivery(id(ONE));
    let shown = daemon.scrape_until(|shown| expect_push(shown, 1.0, 8.0));
    let delays = "aws_root_exporter_event_delay_seconds_count";
    assert!(shown.value(delays, &[]) >= Some(3.0), "delays");
}

#[test]
fn tampering_ends_rare_polls_at_once() {
    let aws = with_events();
    let daemon = aws.launch(&Pace::TRUSTING.config(&aws)).start();
    daemon.scrape_until(|shown| expect_push(shown, 1.0, 600.0));
    let (actor, at) = (Actor::console("203.0.113.9"), now());
    // One after which events still arrive: the echoes that follow verify nothing.
    let tampering = Tampering::UpdateTrail;
    aws.world.tamper(id(ONE), "admin", &actor, &tampering, at);
    eventually(SOON, || expect_push(&daemon.scrape(), 0.0, 1.0));
    more_polls(&aws, 3);
    let shown = daemon.scrape();
    expect_push(&shown, 0.0, 1.0).unwrap();
    shown.expect(TAMPERED, &OF, seconds(at)).unwrap();
    assert!(messages(&shown, "tampering") >= 1.0);
    assert!(shown.all(ACTIVITY, &OF).is_empty(), "root did nothing");
}

#[test]
fn what_root_tampers_with_is_activity_too() {
    let aws = with_events();
    let daemon = aws.launch(&Pace::TRUSTING.config(&aws)).start();
    daemon.scrape_until(|shown| expect_push(shown, 1.0, 600.0));
    root(&aws).tamper(&Tampering::StopLogging);
    daemon.scrape_until(|shown| {
        expect_push(shown, 0.0, 1.0)?;
        expect_activity(shown, &["other"])
    });
}

#[test]
fn an_account_with_a_key_is_polled_at_the_interval_however_well_push_works() {
    let aws = with_events();
    let daemon = aws.launch(&Pace::TRUSTING.config(&aws)).start();
    daemon.scrape_until(|shown| expect_push(shown, 1.0, 600.0));
    let key = root(&aws).create_key().unwrap();
    daemon.scrape_until(|shown| {
        shown.expect(ACTIVE, &OF, 1.0)?;
        expect_push(shown, 1.0, 1.0)
    });
    assert!(root(&aws).delete_key(&key));
    daemon.scrape_until(|shown| {
        shown.expect(ACTIVE, &OF, 0.0)?;
        expect_push(shown, 1.0, 600.0)
    });
}

#[test]
fn forged_echoes_verify_nothing() {
    const FORGED: usize = 500;
    let aws = with_queue(&[ONE]);
    let daemon = aws.launch(&Pace::QUICK.config(&aws)).start();
    wait_until_reading(&daemon);
    let queue = aws.world.queue(QUEUE);
    queue.send_all((0..FORGED).map(forged_echo));
    more_polls(&aws, 3);
    eventually(PATIENCE, || {
        let deleted = queue.counts().deleted;
        (deleted == FORGED)
            .then_some(())
            .ok_or(format!("{deleted} deleted"))
    });
    let shown = daemon.scrape();
    assert!(messages(&shown, "ignored") >= 500.0);
    assert_eq!(shown.value(PUSH_UP, &OF), None);
    shown.expect(INTERVAL, &OF, 1.0).unwrap();
}
