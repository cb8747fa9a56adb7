//! What root did, as the account page, the overview and the API show it.

use std::time::Duration;

use aws_root_exporter::activity::{Activity, RootEvent, SignIn};
use aws_root_exporter::views::{AccountView, EventStats, PushView};
use serde_json::json;

use super::support::{
    KEY, NOW, Server, account, after, created, json as read, with_keys, with_new_key,
};

const ACCOUNT: &str = "000000000012";
const PAGE: &str = "/accounts/000000000012";

async fn html(view: AccountView, path: &str) -> String {
    Server::start([view])
        .await
        .get(path)
        .await
        .text()
        .to_owned()
}

/// A call of root that failed, with texts of a client's choice.
fn failed(text: &str) -> Activity {
    Activity {
        id: text.to_owned(),
        event: RootEvent::Other,
        name: "DeleteTrail".to_owned(),
        address: text.to_owned(),
        client: text.to_owned(),
        by: SignIn::AccessKey(KEY.to_owned()),
        mfa: Some(false),
        key: None,
        error: Some("AccessDenied".to_owned()),
        ..created(5)
    }
}

#[tokio::test]
async fn the_overview_and_the_verdict_say_who_created_the_key_and_when() {
    let view = after(with_new_key(ACCOUNT, "payments"), [created(19)]);
    let words = "created by root from <bdi>198.51.100.7</bdi> (<bdi>console, MFA</bdi>) at <time \
                 datetime=\"2027-01-15T07:59:41Z\"";
    for path in ["/", PAGE] {
        let page = html(view.clone(), path).await;
        let verdict = page.split("<section class=\"verdict").nth(1).unwrap();
        let verdict = verdict.split("</section>").next().unwrap();
        assert!(verdict.contains(words), "{path}: {verdict}");
        assert!(verdict.contains(KEY), "{path}: {verdict}");
    }
}

#[tokio::test]
async fn a_key_that_nobody_is_known_to_have_created_is_attributed_to_nobody() {
    let old = after(with_new_key(ACCOUNT, "payments"), [created(3_600)]);
    for path in ["/", PAGE] {
        assert!(!html(old.clone(), path).await.contains("by root from"));
    }
    let overview = html(old, "/").await;
    assert!(overview.contains("a key, assumed active until its status is known, first seen <time"));
}

#[tokio::test]
async fn the_overview_names_the_accounts_with_the_newest_keys() {
    let ids = [
        "000000000001",
        "000000000002",
        "000000000003",
        "000000000004",
        "000000000005",
    ];
    let views = ids
        .iter()
        .zip(1..)
        .map(|(id, ago)| after(with_new_key(id, &format!("name {id}")), [created(ago)]));
    let server = Server::start(views.chain([with_keys(account(ACCOUNT, "fine"), 0)])).await;
    let page = server.get("/").await.text().to_owned();
    let list = page.split("<ul class=\"named\">").nth(1).unwrap();
    let list = list.split("</ul>").next().unwrap();
    let named: Vec<_> = ids.iter().filter(|id| list.contains(**id)).collect();
    assert_eq!(named, [&ids[0], &ids[1], &ids[2]]);
    assert!(list.contains("and 2 more"), "{list}");
}

#[tokio::test]
async fn the_account_page_lists_what_root_did_with_links_to_cloudtrail() {
    let none = html(with_keys(account(ACCOUNT, ""), 0), PAGE).await;
    assert!(!none.contains("Activity of the root user"));

    let view = after(account(ACCOUNT, ""), [created(19), failed("somewhere")]);
    let page = html(view, PAGE).await;
    let link = "href=\"https://us-east-1.console.aws.amazon.com/cloudtrailv2/home\
                ?region=us-east-1#/events/0b68c53f-66cf-4b01-a0c5-000000000019\"";
    assert!(page.contains(link));
    let rows: Vec<_> = page
        .split("<tr role=\"row\" class=\"fine\">")
        .skip(1)
        .collect();
    assert_eq!(rows.len(), 2);
    for text in [
        "called DeleteTrail",
        "failed</span>",
        "AccessDenied",
        "no MFA",
    ] {
        assert!(rows[0].contains(text), "{text}");
        assert!(!rows[1].contains(text), "{text}");
    }
    for text in ["created an access key", "198.51.100.7", "console, MFA", KEY] {
        assert!(rows[1].contains(text), "{text}");
    }
}

#[tokio::test]
async fn more_than_ten_activities_are_shown_on_request() {
    let view = |count| after(account(ACCOUNT, ""), (0..count).map(created));
    assert!(
        !html(view(10), PAGE)
            .await
            .contains("<details class=\"earlier\">")
    );
    let page = html(view(13), PAGE).await;
    let (first, earlier) = page.split_once("<details class=\"earlier\">").unwrap();
    assert!(earlier.contains("Show 3 earlier"));
    for (part, rows) in [(first, 10), (earlier, 3)] {
        assert_eq!(part.matches("created an access key").count(), rows);
    }
}

#[tokio::test]
async fn what_a_client_writes_is_never_markup_or_a_link() {
    let evil = "\"><script>alert(1)</script><a href=javascript:alert(2)>";
    let mut key = created(19);
    for text in [
        &mut key.id,
        &mut key.region,
        &mut key.address,
        &mut key.client,
    ] {
        evil.clone_into(text);
    }
    let view = after(
        with_new_key(ACCOUNT, "payments"),
        [key, failed(&format!("1{evil}"))],
    );
    let server = Server::start([view]).await;
    for path in ["/", PAGE] {
        let page = server.get(path).await.text().to_owned();
        assert!(page.contains("&#60;script&#62;alert(1)"), "{path}");
        assert!(!page.contains("<script"), "{path}");
        assert!(!page.contains("<a href=javascript"), "{path}");
    }
    let api = read(&server.get(&format!("/api/v1{PAGE}")).await);
    assert_eq!(api["activity"][1]["address"], evil);
    assert_eq!(api["activity"][1]["console_url"], json!(null));
}

#[tokio::test]
async fn the_account_page_shows_push_where_there_is_a_queue() {
    for (up, badge) in [
        (Some(true), "verified</span>"),
        (Some(false), "not verified</span>"),
        (None, "not verified yet</span>"),
    ] {
        let mut view = account(ACCOUNT, "");
        view.push = PushView {
            up,
            tampered: (up == Some(false)).then_some(NOW),
            interval: Duration::from_secs(900),
        };
        let server = Server::start([view]).await;
        assert!(!server.get(PAGE).await.text().contains("Polled every"));
        let events = Some(EventStats::default());
        server.store.exporter.note(|view| view.events = events);
        let page = server.get(PAGE).await.text().to_owned();
        let push = page.split(">push<").nth(1).unwrap();
        let push = push.split("</tr>").next().unwrap();
        assert!(push.contains(badge), "{push}");
        assert!(push.contains("Polled every 15 min."), "{push}");
        let is_tampered = push.contains("somebody changed the trail");
        assert_eq!(is_tampered, up == Some(false), "{push}");
    }
}

#[tokio::test]
async fn the_overview_says_that_the_queue_cannot_be_read() {
    let server = Server::start([account(ACCOUNT, "")]).await;
    for (up, is_told) in [(None, false), (Some(true), false), (Some(false), true)] {
        let events = Some(EventStats {
            up,
            ..EventStats::default()
        });
        server.store.exporter.note(|view| view.events = events);
        let page = server.get("/").await.text().to_owned();
        let notice = page.contains("The queue of events cannot be read");
        assert_eq!(notice, is_told, "{up:?}");
    }
}
