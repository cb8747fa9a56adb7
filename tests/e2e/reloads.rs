//! Many reloads: each is answered, and none keeps the daemon from polling.

use std::thread;
use std::time::Duration;

use aws_simulator::{Fault, FaultKind};

use test_support::simulated::{EXTERNAL_ID, Simulated, account, id, listed};
use test_support::{PATIENCE, eventually};

const ACTIVE: &str = "aws_root_access_keys_active";

#[test]
fn reloads_at_once_are_all_answered_and_run_a_few_times_only() {
    const REQUESTS: usize = 200;
    let aws = Simulated::with([account(101, "member")]);
    let daemon = aws.launch(&listed(101)).start();
    daemon.wait_until_ready();

    thread::scope(|scope| {
        let requests: Vec<_> = (0..REQUESTS)
            .map(|_| scope.spawn(|| daemon.post("/-/reload")))
            .collect();
        for answer in requests {
            let answer = answer.join().unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    });

    let lines = daemon.process.lines();
    let reloads = lines.iter().filter(|line| line.contains("because=request"));
    let reloads = reloads.count();
    assert!((1..REQUESTS / 4).contains(&reloads), "{reloads}");
}

#[test]
fn an_account_is_found_while_the_configuration_is_reloaded_again_and_again() {
    let aws = Simulated::with([account(101, "member")]);
    let slow = FaultKind::Delay(Duration::from_secs(2));
    aws.world.fault(Fault::new(slow).on("ListAccounts"));
    let daemon = aws
        .launch(&format!(
            "refresh.interval = \"1s\"\n[organization]\nenabled = true\ninterval = \"1s\"\n\
             external_id = \"{EXTERNAL_ID}\"\n"
        ))
        .start();
    daemon.wait_until_ready();

    let mut new = account(102, "new");
    new.root.create_key(1_700_000_000);
    aws.world.add(new);

    eventually(PATIENCE, || {
        assert_eq!(daemon.post("/-/reload").status, 200);
        let labels = [("account", &*id(102).to_string())];
        daemon.scrape().expect(ACTIVE, &labels, 1.0)
    });
}
