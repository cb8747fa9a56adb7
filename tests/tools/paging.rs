//! The whole path: a root key is created and pages; the page lasts until the key is gone.

use std::time::Duration;

use aws_simulator::{Fault, FaultKind};

use test_support::simulated::id;
use test_support::{PATIENCE, eventually, repository};

use crate::support::paging::{ALERT, EXTERNAL_URL, HERO, OTHER, Path};
use crate::support::webhook::Notification;

/// With steps of 2 s: the page, and the end of it.
const PAGE: Duration = Duration::from_secs(15);
const RESOLVE: Duration = Duration::from_secs(30);

const FIRING: &str = "count(ALERTS{alertname=\"AWSRootAccessKeyActive\",alertstate=\"firing\"})";

#[test]
fn a_key_pages_until_it_is_gone_whatever_fails_meanwhile() {
    let mut path = Path::start();

    let created = path.create_key();
    let (page, took) = path.notified_since(created, "firing");
    assert!(took < PAGE, "the page took {took:?}");
    names_the_account(&page);

    // The exporter is killed, and for 20 s and more Prometheus sees nothing; it too is restarted.
    drop(path.daemon.take());
    eventually(PATIENCE, || {
        path.shows("count_over_time((up == 0)[30s:2s]) > bool 5", "1")
    });
    path.prometheus = path.prometheus.restarted();
    eventually(PATIENCE, || {
        path.shows("count_over_time((up == 0)[60s:2s]) > bool 10", "1")
    });
    path.shows("count(aws_root_access_keys_active) or vector(0)", "0")
        .unwrap();
    path.shows(FIRING, "1").unwrap();
    path.is_still_paged();

    // It starts on another port, which is another instance label.
    path.start_daemon();
    eventually(PATIENCE, || path.shows("count(up == 1)", "1"));
    eventually(PATIENCE, || {
        path.shows("count(aws_root_access_keys_active)", "2")
    });
    path.shows(FIRING, "1").unwrap();
    path.is_still_paged();

    // AWS refuses everything: a zero becomes unknown, a finding stays.
    path.aws.world.fault(Fault::new(FaultKind::AccessDenied));
    let other = id(OTHER);
    eventually(PATIENCE, || {
        let fine =
            format!("count(aws_root_access_keys_active{{account=\"{other}\"}}) or vector(0)");
        path.shows(&fine, "0")
    });
    eventually(PATIENCE, || {
        let unknown = format!(
            "count(problem:aws:now{{problem=\"AWSRootPostureUnknown\",account=\"{other}\"}} == 1) or vector(0)"
        );
        path.shows(&unknown, "1")
    });
    let hero = id(HERO);
    path.shows(
        &format!("aws_root_access_keys_active{{account=\"{hero}\"}}"),
        "1",
    )
    .unwrap();
    path.is_still_paged();
    path.aws.world.clear_faults();

    // The throttled schedule comes back by itself before the key goes.
    eventually(PATIENCE, || {
        path.shows("count(aws_root_access_keys_active)", "2")
    });
    let deleted = path.delete_keys();
    let (_, took) = path.notified_since(deleted, "resolved");
    assert!(took < RESOLVE, "the end of the page took {took:?}");
}

#[test]
fn one_page_and_one_resolution_while_one_scrape_in_five_fails() {
    let path = Path::start_behind_a_bad_proxy();
    path.fail_scrapes(1);

    let created = path.create_key();
    let (page, _) = path.notified_since(created, "firing");
    names_the_account(&page);
    // At steps of 2 s these are 50 s and more: three of Alertmanager's group intervals.
    path.fail_scrapes(5);
    path.shows(FIRING, "1").unwrap();
    path.is_still_paged();

    let deleted = path.delete_keys();
    path.notified_since(deleted, "resolved");
    path.fail_scrapes(5);
    path.shows(&format!("{FIRING} or vector(0)"), "0").unwrap();
    assert_eq!(
        path.notifications("firing"),
        1,
        "{:#?}",
        path.webhook.received()
    );
    assert_eq!(
        path.notifications("resolved"),
        1,
        "{:#?}",
        path.webhook.received()
    );
}

fn names_the_account(page: &Notification) {
    let text = |key: &str| page.annotations[key].as_str().unwrap_or_default();
    assert_eq!(page.receiver, "pager");
    assert_eq!(page.labels["account"], "012345678901");
    assert_eq!(page.labels["severity"], "critical");
    assert!(
        text("description").contains("012345678901 (payments)"),
        "{page:?}"
    );
    let link = format!("Its page: {EXTERNAL_URL}/accounts/012345678901");
    assert!(text("description").ends_with(&link), "{page:?}");
    let runbook = text("runbook_url");
    let name = format!("{ALERT}.md");
    assert!(runbook.ends_with(&name), "{page:?}");
    let file = repository("deploy/runbooks").join(name);
    assert!(file.is_file(), "{} is the runbook", file.display());
}
