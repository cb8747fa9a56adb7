//! What root did survives restarts and kills; that push works has to be verified again.

use std::path::Path;

use aws_simulator::{Fault, FaultKind, Queue, Tampering};

use super::*;

/// The configuration with its state in a folder that outlives the daemon.
fn config(aws: &Simulated, folder: &Path) -> String {
    let path = folder.join("state.redb");
    let config = Pace::TRUSTING.config(aws);
    config.replace("state.redb", path.to_str().unwrap())
}

#[test]
fn after_a_restart_activity_is_known_and_push_has_to_be_verified_again() {
    let folder = tempfile::tempdir().unwrap();
    let aws = with_events();
    let config = config(&aws, folder.path());
    let first = aws.launch(&config).start();
    first.scrape_until(|shown| expect_push(shown, 1.0, 600.0));
    root(&aws).sign_in();
    first.scrape_until(|shown| expect_activity(shown, &["ConsoleLogin"]));
    first.process.signal("TERM");
    assert_eq!(first.exit_code(PATIENCE), 0);

    // Nobody reads the queue meanwhile.
    root(&aws).change_password();
    aws.world.fault(Fault::new(FaultKind::ServiceFailure));
    let second = aws.launch(&config).start();
    let shown = second.scrape();
    expect_activity(&shown, &["ConsoleLogin"]).expect("the state has it");
    expect_push(&shown, 0.0, 1.0).unwrap();
    assert_eq!(last(&shown, "PasswordUpdated"), None);
    aws.world.clear_faults();
    second.scrape_until(|shown| {
        expect_activity(shown, &["ConsoleLogin", "PasswordUpdated"])?;
        expect_push(shown, 1.0, 600.0)
    });
}

fn expect_empty(queue: &Queue) -> Result<(), String> {
    let counts = queue.counts();
    let rest = counts.visible + counts.in_flight + counts.delayed;
    (rest == 0).then_some(()).ok_or(format!("{rest} messages"))
}

#[test]
fn kills_lose_nothing_that_root_did() {
    let folder = tempfile::tempdir().unwrap();
    let aws = with_events();
    let config = config(&aws, folder.path());
    let queue = aws.world.queue(QUEUE);
    // No echoes: every message is about what root does.
    root(&aws).tamper(&Tampering::DisableRule("aws-root-exporter-echo".to_owned()));
    let acts: [fn(&RootUser); 6] = [
        RootUser::sign_in,
        RootUser::change_password,
        RootUser::change_email,
        RootUser::enable_mfa,
        RootUser::recover_password,
        |root| drop(root.create_key()),
    ];
    let events = [
        "ConsoleLogin",
        "PasswordUpdated",
        "EmailUpdated",
        "EnableMFADevice",
        "PasswordRecoveryCompleted",
        "CreateAccessKey",
    ];
    let mut done = vec!["other"];
    for (nth, (event, act)) in events.into_iter().zip(acts).enumerate() {
        let daemon = aws.launch(&config).start();
        // From its state, or because a message that a kill left came again.
        daemon.scrape_until(|shown| expect_activity(shown, &done));
        eventually(PATIENCE, || expect_empty(&queue));
        act(&root(&aws));
        done.push(event);
        if nth % 2 == 0 {
            daemon.scrape_until(|shown| expect_activity(shown, &done));
            drop(daemon);
            continue;
        }
        eventually(PATIENCE, || {
            let arrived = queue.counts().delayed == 0;
            arrived.then_some(()).ok_or("on its way".to_owned())?;
            expect_empty(&queue)
        });
        drop(daemon);
        // It was deleted, so it must be on disk: nothing can be asked.
        aws.world.fault(Fault::new(FaultKind::ServiceFailure));
        let dark = aws.launch(&config).start();
        expect_activity(&dark.scrape(), &done).expect("a deleted message is on disk");
        drop(dark);
        aws.world.clear_faults();
    }
    let daemon = aws.launch(&config).start();
    daemon.scrape_until(|shown| {
        expect_activity(shown, &done)?;
        shown.expect(ACTIVE, &OF, 1.0)
    });
}
