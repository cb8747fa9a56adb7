//! The whole way: a root key is created, somebody is paged; it stands until the key is gone.

use std::path::Path;
use std::time::Duration;

use aws_simulator::{Fault, FaultKind};

use crate::support::paging::{ALERT, EXTERNAL_URL, HERO, OTHER, Way};
use crate::support::simulated::id;
use crate::support::{PATIENCE, eventually};

/// With steps of 2 s: the page, and the end of it.
const PAGE: Duration = Duration::from_secs(15);
const RESOLVE: Duration = Duration::from_secs(30);

const FIRING: &str = "count(ALERTS{alertname=\"AWSRootAccessKeyActive\",alertstate=\"firing\"})";

#[test]
fn a_key_pages_until_it_is_gone_whatever_is_away() {
    let mut way = Way::start();

    let created = way.create_key();
    let (page, took) = way.told_since(created, "firing");
    assert!(took < PAGE, "the page took {took:?}");
    names_the_account(&page);

    // The exporter is killed, and for 20 s and more Prometheus sees nothing; it too is restarted.
    drop(way.daemon.take());
    eventually(PATIENCE, || {
        way.shows("count_over_time((up == 0)[30s:2s]) > bool 5", "1")
    });
    way.prometheus = way.prometheus.restarted();
    eventually(PATIENCE, || {
        way.shows("count_over_time((up == 0)[60s:2s]) > bool 10", "1")
    });
    way.shows("count(aws_root_access_keys_active) or vector(0)", "0")
        .unwrap();
    way.shows(FIRING, "1").unwrap();
    way.stands();

    // It starts on another port, which is another instance label.
    way.start_daemon();
    eventually(PATIENCE, || way.shows("count(up == 1)", "1"));
    eventually(PATIENCE, || {
        way.shows("count(aws_root_access_keys_active)", "2")
    });
    way.shows(FIRING, "1").unwrap();
    way.stands();

    // Nothing can be read any more: what was fine is unknown, what was not stands.
    way.aws.world.fault(Fault::new(FaultKind::AccessDenied));
    let other = id(OTHER);
    eventually(PATIENCE, || {
        let fine =
            format!("count(aws_root_access_keys_active{{account=\"{other}\"}}) or vector(0)");
        way.shows(&fine, "0")
    });
    eventually(PATIENCE, || {
        let unknown = format!(
            "count(problem:aws:now{{problem=\"AWSRootPostureUnknown\",account=\"{other}\"}} == 1) or vector(0)"
        );
        way.shows(&unknown, "1")
    });
    let hero = id(HERO);
    way.shows(
        &format!("aws_root_access_keys_active{{account=\"{hero}\"}}"),
        "1",
    )
    .unwrap();
    way.stands();
    way.aws.world.clear_faults();

    // The throttled schedule comes back by itself before the key goes.
    eventually(PATIENCE, || {
        way.shows("count(aws_root_access_keys_active)", "2")
    });
    let deleted = way.delete_keys();
    let (_, took) = way.told_since(deleted, "resolved");
    assert!(took < RESOLVE, "the end of the page took {took:?}");
}

#[test]
fn one_page_and_one_end_while_one_scrape_in_five_fails() {
    let way = Way::start_behind_a_bad_proxy();
    way.fail_scrapes(1);

    let created = way.create_key();
    let (page, _) = way.told_since(created, "firing");
    names_the_account(&page);
    // At steps of 2 s these are 50 s and more: three of Alertmanager's group intervals.
    way.fail_scrapes(5);
    way.shows(FIRING, "1").unwrap();
    way.stands();

    let deleted = way.delete_keys();
    way.told_since(deleted, "resolved");
    way.fail_scrapes(5);
    way.shows(&format!("{FIRING} or vector(0)"), "0").unwrap();
    assert_eq!(way.notifications("firing"), 1, "{:#?}", way.webhook.told());
    assert_eq!(
        way.notifications("resolved"),
        1,
        "{:#?}",
        way.webhook.told()
    );
}

fn names_the_account(page: &crate::support::webhook::Told) {
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
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy/runbooks")
        .join(name);
    assert!(file.is_file(), "{} is the runbook", file.display());
}
