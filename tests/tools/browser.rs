//! The pages in Debian's Chromium: runs the tests in `tests/browser/` over views that are filled here.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aws_root_exporter::account::{Account, RootFeatures};
use aws_root_exporter::activity::{Activity, RootEvent, SignIn};
use aws_root_exporter::failure::{Failure, Reason};
use aws_root_exporter::views::{AccountView, EventStats, PushView, SourceView};
use root_posture::{Metric, Source};
use test_support::repository;
use tokio::sync::Mutex;

#[allow(dead_code, reason = "the tests of the library use the rest")]
#[path = "../library/pages/support.rs"]
mod served;

use served::{NOW, Server, account, after, created, with_keys, with_new_key};

/// One browser at a time: three would starve the daemons of the other tests on a small machine.
static BROWSER: Mutex<()> = Mutex::const_new(());

/// Runs a file of tests over the pages of a server.
async fn run(file: &'static str, server: &Server) {
    let folder = repository("tests/browser");
    assert!(
        folder.join("node_modules").is_dir(),
        "tests/browser/node_modules is missing: run `make test`, which installs it"
    );
    let _browser = BROWSER.lock().await;
    let url = format!("http://{}/", server.address);
    let node = move || {
        Command::new("node")
            .args(["--test", "--test-reporter=spec", file])
            .env("PAGES_URL", url)
            .current_dir(folder)
            .status()
            .expect("node is missing: run `make test`, which installs it")
    };
    // The server runs on this thread.
    let status = tokio::task::spawn_blocking(node).await.unwrap();
    assert!(status.success(), "the browser tests failed (see above)");
}

/// How many accounts the overview has: more than one page.
const ACCOUNTS: usize = 250;

/// The n-th account: the second is a member with a new key, the next four have one other finding each,
/// and the rest have none.
fn nth(n: usize) -> AccountView {
    let id = format!("{n:012}");
    let value = |value| {
        Some(Metric {
            value,
            source: Source::AccountSummary,
            observed: NOW,
            fine_until: None,
        })
    };
    let mut view = with_keys(account(&id, &format!("team-{}", n * 7 % ACCOUNTS)), 0);
    view.posture.mfa_enabled = value(1);
    let mut source = SourceView::new(Source::AccountSummary);
    source.worked(NOW);
    match n {
        2 => {
            view = after(with_new_key(&id, "payments"), [created(0)]);
            view.account = Arc::new(Account {
                root_session: true,
                ..Account::clone(&view.account)
            });
        }
        3 => source.failed(NOW, Failure::new(Reason::AccessDenied, "not authorized")),
        4 => view.posture.mfa_enabled = value(0),
        5 => view.posture.keys_present = value(1),
        6 => view = account(&id, "never polled"),
        _ => {}
    }
    view.sources = [source].into();
    view
}

#[tokio::test]
async fn the_pages_work_in_a_browser() {
    let server = Server::start((1..=ACCOUNTS).map(nth)).await;
    server.store.exporter.note(|view| {
        view.features = Some(RootFeatures {
            credentials_management: true,
            sessions: true,
        });
    });
    run("pages.test.js", &server).await;
}

#[tokio::test]
async fn activity_of_root_is_shown_in_a_browser() {
    let long = "x".repeat(256);
    let call = |ago| Activity {
        event: RootEvent::Other,
        name: "ListBuckets".to_owned(),
        service: "s3.amazonaws.com".to_owned(),
        address: "2001:db8:1234:5678:9abc:def0:1234:5678".to_owned(),
        client: long.clone(),
        by: SignIn::AccessKey(served::KEY.to_owned()),
        mfa: Some(false),
        key: None,
        error: Some("AccessDenied".to_owned()),
        ..created(ago)
    };
    let mut view = with_new_key("000000000012", "payments");
    view = after(view, (1..12).map(call).chain([created(0)]));
    view.push = PushView {
        up: Some(false),
        tampered: Some(NOW),
        interval: Duration::from_secs(60),
    };
    let server = Server::start([view]).await;
    let events = EventStats {
        up: Some(false),
        ..EventStats::default()
    };
    server
        .store
        .exporter
        .note(|view| view.events = Some(events));
    run("activity.test.js", &server).await;
}

#[tokio::test]
async fn the_runbooks_can_be_read_in_a_browser() {
    let server = Server::start([]).await;
    run("runbooks.test.js", &server).await;
}
