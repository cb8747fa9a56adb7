//! A key that the configuration accepts: it is shown as that, and not as a finding.

use std::sync::Arc;

use aws_root_exporter::account::Exception;
use aws_root_exporter::views::{AccountView, ReportView, UserDetail};
use root_posture::report::{KeySlot, RootRow, UserCounts};

use super::support::{KEY, NOW, Server, account, json, with_keys};

/// An account with so many keys in its report, one of which is accepted until a day.
fn excepted(keys: u8, until: time::Date) -> AccountView {
    let mut view = with_keys(account("000000000012", "payments"), keys);
    Arc::make_mut(&mut view.account).exceptions = [Exception {
        key: KEY.parse().unwrap(),
        reason: "the old <backup>".to_owned(),
        until,
    }]
    .into();
    let slot = |nth| KeySlot {
        active: nth < keys,
        ..KeySlot::default()
    };
    view.report = Some(Arc::new(ReportView {
        generated: NOW,
        root: Some(RootRow {
            access_keys: [slot(0), slot(1)],
            ..RootRow::default()
        }),
        rows_skipped: 0,
        users: UserCounts::default(),
        detail: UserDetail::Off,
    }));
    view
}

async fn pages(view: AccountView) -> (String, String, serde_json::Value) {
    let server = Server::start([view]).await;
    let page = server.get("/accounts/000000000012").await;
    let overview = server.get("/").await;
    let list = json(&server.get("/api/v1/accounts").await);
    (page.text().to_owned(), overview.text().to_owned(), list)
}

#[tokio::test]
async fn the_only_key_is_accepted_and_the_pages_say_by_what_and_that_it_is_not_verified() {
    let (page, overview, list) = pages(excepted(1, time::Date::MAX)).await;
    for part in [
        "The root user's access key is accepted by the configuration",
        &format!("The only key is accepted as {KEY} until 9999-12-31 (UTC)"),
        "its id cannot be verified",
        "the old &#60;backup&#62;",
    ] {
        let page = page.replace("&#39;", "'");
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!page.contains("What to do"), "there is nothing to do");
    let notice = "In 1 account the configuration accepts an active root access key.";
    assert!(overview.contains(notice), "{overview}");
    assert!(overview.contains("No account has an active root access key that is not accepted"));
    assert!(overview.contains("accepted until 9999-12-31 (UTC)"));
    assert_eq!(list["counts"]["active"], 0);
    assert_eq!(list["counts"]["accepted"], 1);
    assert_eq!(list["verdict"]["level"], "fine");
}

#[tokio::test]
async fn the_accepted_keys_can_be_listed() {
    let other = with_keys(account("111122223333", ""), 0);
    let server = Server::start([excepted(1, time::Date::MAX), other]).await;
    let list = json(&server.get("/api/v1/accounts?state=accepted").await);
    assert_eq!(list["found"], 1);
    assert_eq!(list["accounts"][0]["account"], "000000000012");
}

#[tokio::test]
async fn a_second_key_and_an_exception_that_has_ended_are_findings() {
    for view in [excepted(2, time::Date::MAX), excepted(1, time::Date::MIN)] {
        let (page, _, list) = pages(view).await;
        assert_eq!(list["counts"]["active"], 1);
        assert_eq!(list["counts"]["accepted"], 0);
        assert_eq!(list["verdict"]["level"], "critical");
        assert!(page.contains("What to do"), "{page}");
    }
}
