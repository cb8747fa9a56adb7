//! What the overview says of accounts that are known and polled, and of those that are not, and how
//! accounts are found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_root_exporter::account::Account;
use aws_root_exporter::failure::{Failure, Reason};
use aws_root_exporter::views::{AccountView, SourceView};
use root_posture::{ListedKeys, RootKey, Source};
use test_support::http::Response;

use super::support::{NOW, Server, account, after, created, with_keys, with_new_key};

const ONE: &str = "000000000012";
const TWO: &str = "111122223333";

/// The text between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text
        .split_once(start)
        .unwrap_or_else(|| panic!("{start} in {text}"))
        .1;
    rest.split_once(end).unwrap().0
}

fn headline(page: &Response) -> &str {
    between(page.text(), "<h1>", "</h1>")
}

fn verdict(page: &Response) -> &str {
    between(page.text(), "<section class=\"verdict ", "\"")
}

/// The account with sources that have failed for so many seconds; `None` is one that works.
fn failing(mut view: AccountView, seconds: [Option<u64>; 2]) -> AccountView {
    let sources = [Source::CredentialReport, Source::AccountSummary];
    let sources = sources.into_iter().zip(seconds).map(|(source, seconds)| {
        let mut source = SourceView::new(source);
        source.worked(NOW.minus(Duration::from_secs(300)));
        if let Some(seconds) = seconds {
            let failure = Failure::new(Reason::Network, "iam:GetAccountSummary: no route");
            source.failed(NOW.minus(Duration::from_secs(seconds)), failure.clone());
            source.failed(NOW, failure);
        }
        source
    });
    view.sources = sources.collect();
    view
}

fn fine(id: &str) -> AccountView {
    with_keys(account(id, ""), 0)
}

#[tokio::test]
async fn accounts_that_cannot_be_polled_are_never_green() {
    let works = [None, None];
    let no_key = "No account has an active root access key";
    for (one, two, level, text, ticks) in [
        (works, works, "fine", no_key, true),
        // A failure of a moment: the account is amber, and no count is green.
        ([None, Some(119)], works, "warning", no_key, false),
        ([Some(119); 2], works, "warning", no_key, false),
        (
            [Some(120), None],
            works,
            "unknown",
            "A source fails in 1 of 2 accounts; oldest data 0 s",
            false,
        ),
        (
            [Some(120); 2],
            works,
            "unknown",
            "Cannot poll 1 of 2 accounts; oldest data 0 s",
            false,
        ),
        (
            [Some(120); 2],
            [Some(200); 2],
            "unknown",
            "Cannot poll 2 of 2 accounts; oldest data 0 s",
            false,
        ),
    ] {
        let views = [failing(fine(ONE), one), failing(fine(TWO), two)];
        let page = Server::start(views).await.get("/").await;
        assert_eq!((verdict(&page), headline(&page)), (level, text));
        let tiles = between(page.text(), "<nav class=\"tiles\"", "</nav>");
        assert_eq!(tiles.contains("<circle"), ticks, "{text}");
        assert!(tiles.contains("Source failing"));
    }
}

#[tokio::test]
async fn an_account_that_was_never_polled_is_not_said_to_have_had_no_key() {
    let said = "No account had an active root access key when it was last polled.";
    for (view, is_known) in [(fine(ONE), true), (account(ONE, ""), false)] {
        let page = Server::start([failing(view, [Some(120); 2])])
            .await
            .get("/")
            .await;
        assert!(headline(&page).starts_with("Cannot poll 1 of 1 account"));
        assert_eq!(page.text().contains(said), is_known);
        let unknown = "Whether there is an active root access key is unknown in 1 account.";
        assert_eq!(page.text().contains(unknown), !is_known);
    }
}

#[tokio::test]
async fn the_page_of_an_account_in_china_has_no_values_of_a_root_user() {
    for (region, has_root) in [("us-east-1", true), ("cn-north-1", false)] {
        let mut view = account(ONE, "");
        Arc::make_mut(&mut view.account).region = region.to_owned();
        let page = Server::start([view]).await;
        let page = page.get(&format!("/accounts/{ONE}")).await;
        for part in ["No key is known.", "Console password"] {
            assert_eq!(page.text().contains(part), has_root, "{region}: {part}");
        }
    }
}

#[tokio::test]
async fn a_key_stays_the_headline_while_accounts_cannot_be_polled() {
    let views = [
        with_new_key(ONE, "payments"),
        failing(fine(TWO), [Some(120); 2]),
    ];
    let page = Server::start(views).await.get("/").await;
    assert_eq!(verdict(&page), "critical");
    assert!(headline(&page).contains("1 account"), "{}", headline(&page));
    assert!(
        page.text()
            .contains("Cannot poll 1 of 2 accounts; oldest data 0 s.")
    );
}

#[tokio::test]
async fn polls_that_are_late_are_not_green() {
    let server = Server::start([fine(ONE)]).await;
    assert_eq!(verdict(&server.get("/").await), "fine");
    let moment = server.store.moment();
    server.store.exporter.turned(moment, Some(moment), 0, 1);
    server.hand.advance(Duration::from_secs(301));
    let late = with_keys(account(ONE, ""), 0);
    let mut late = AccountView { ..late };
    late.posture.keys_active = late.posture.keys_active.map(|mut keys| {
        keys.fine_until = None;
        keys
    });
    server.store.put(late);
    let page = server.get("/").await;
    assert_eq!(verdict(&page), "unknown");
    assert!(page.text().contains("Polls are late by"));
}

#[tokio::test]
async fn a_key_without_a_status_is_said_to_be_assumed_active() {
    let page = Server::start([with_new_key(ONE, "payments")]).await;
    let expected =
        "AWS reports a root access key in 1 account, assumed active until its status is known";
    assert_eq!(headline(&page.get("/").await), expected);
    let account = page.get(&format!("/accounts/{ONE}")).await;
    assert!(
        account
            .text()
            .contains("AWS reports a root access key, assumed active until its status is known")
    );
    assert!(!account.text().contains("has an active access key"));
    let page = Server::start([with_listed_key(ONE, "AKIAIOSFODNN7EXAMPLE")])
        .await
        .get("/")
        .await;
    assert_eq!(headline(&page), "1 account has an active root access key");
    assert!(
        page.text()
            .contains("AKIAIOSFODNN7EXAMPLE</bdi>, created or last changed")
    );
}

fn with_listed_key(id: &str, key: &str) -> AccountView {
    let mut view = with_keys(account(id, ""), 1);
    view.posture.keys_by = Some(Source::RootSession);
    view.listed = Some(Arc::new(ListedKeys {
        at: NOW,
        keys: vec![RootKey {
            id: key.to_owned(),
            active: true,
            created: Some(NOW),
            last_used: None,
        }],
    }));
    view
}

#[tokio::test]
async fn a_page_reloads_itself_unless_it_is_told_not_to() {
    let server = Server::start([fine(ONE)]).await;
    let header = |page: &Response| page.header("refresh").map(str::to_owned);
    for path in ["/".to_owned(), format!("/accounts/{ONE}")] {
        let page = server.get(&path).await;
        assert_eq!(header(&page).as_deref(), Some("30"), "{path}");
        assert!(page.text().contains("reload=off"), "{path}");
        let page = server.get(&format!("{path}?reload=off")).await;
        assert_eq!(header(&page), None, "{path}");
        assert!(page.text().contains(">resume</a>"), "{path}");
    }
    let filtered = server.get("/?q=12&state=fine").await;
    assert_eq!(header(&filtered).as_deref(), Some("30"));
    assert!(
        filtered
            .text()
            .contains("./?q=12&#38;state=fine&#38;reload=off")
    );
}

#[tokio::test]
async fn accounts_are_found_by_all_that_names_them() {
    let mut payments = with_listed_key(TWO, "AKIAIOSFODNN7EXAMPLE");
    let labels = [("team", "payments"), ("cost centre", "12: a & b")];
    let labels: BTreeMap<_, _> = labels
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    payments.account = Arc::new(Account {
        name: "Payments Production".to_owned(),
        labels: Arc::new(labels),
        ..Account::clone(&payments.account)
    });
    let mut fraud = fine(ONE);
    let labels = [("team", "payments-fraud")];
    let labels: BTreeMap<_, _> = labels
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    fraud.account = Arc::new(Account {
        labels: Arc::new(labels),
        ..Account::clone(&fraud.account)
    });
    let mut gone = created(5);
    gone.key = Some("AKIAI44QH8DHBGONEKEY".to_owned());
    let server = Server::start([payments, after(fraud, [gone])]).await;
    let both = [ONE, TWO].as_slice();
    for (text, found) in [
        ("1111-2222-3333", [TWO].as_slice()),
        ("111122223333", &[TWO]),
        ("1122", &[TWO]),
        ("payments", both),
        ("production payments", &[TWO]),
        // A label as its chip shows it is that label alone.
        ("team: payments", &[TWO]),
        ("TEAM: Payments-Fraud", &[ONE]),
        ("cost centre: 12: a & b", &[TWO]),
        ("AKIAIOSFODNN7EXAMPLE", &[TWO]),
        ("mple", &[TWO]),
        ("akiai", both),
        ("AKIAI44QH8DHBGONEKEY", &[ONE]),
        ("OSFODNN", &[]),
        ("ple", &[]),
        ("AKIAIOSFODNN7EXAMPL", &[TWO]),
        ("AKIAIOSFODNN7EXAMPLF", &[]),
        ("nobody", &[]),
    ] {
        let query: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let page = server.get(&format!("/?q={query}")).await;
        let rows: Vec<_> = page
            .text()
            .split("<tr role=\"row\" class=")
            .skip(1)
            .collect();
        let is_shown = |id: &&str| {
            rows.iter()
                .any(|row| row.contains(&format!("./accounts/{id}")))
        };
        let named: Vec<_> = [ONE, TWO].into_iter().filter(is_shown).collect();
        assert_eq!(named, found, "{text}");
        // Whose key it is, AWS knows.
        let hint = page
            .text()
            .contains("aws sts get-access-key-info --access-key-id");
        assert_eq!(hint, text == "AKIAIOSFODNN7EXAMPLF", "{text}");
    }
    let page = server.get("/").await;
    let chip = "href=\"./?q=team%3A+payments\">team: payments</a>";
    assert!(page.text().contains(chip), "{}", page.text());
    let page = server.get(&format!("/accounts/{TWO}")).await;
    assert!(page.text().contains("href=\"../?q=team%3A+payments\""));
}

#[tokio::test]
async fn a_filter_that_is_not_understood_is_an_error_with_a_way_back() {
    let server = Server::start([fine(ONE)]).await;
    for query in [
        "state=activ",
        "stat=active",
        "sort=worst",
        "page=0",
        "page=one",
        "order=up",
    ] {
        let page = server.get(&format!("/?{query}")).await;
        assert_eq!(page.status, 400, "{query}");
        assert!(page.text().contains("known are"), "{query}");
        assert!(page.text().contains("href=\"./\""), "{query}");
        assert!(!page.text().contains(ONE), "{query}");
    }
    let page = server.get("/?state=%3Cscript%3E").await;
    assert!(!page.text().contains("<script"));
}

#[tokio::test]
async fn a_wrong_address_leads_back() {
    let server = Server::start([fine(ONE)]).await;
    for (path, home) in [
        ("/accounts/999999999999", "./../"),
        ("/accounts/1111-2222-3333", "./../"),
        ("/accounts/", "./../"),
        ("/accounts/12/keys", "./../../"),
        ("/nowhere", "./"),
        ("/a/b/c", "./../../"),
    ] {
        let page = server.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        let link = format!("<a href=\"{home}\">Show all accounts</a>");
        assert!(page.text().contains(&link), "{path}: {}", page.text());
    }
    let api = server.get("/api/v1/nothing").await;
    assert_eq!(
        (api.status, api.header("content-type")),
        (404, Some("text/plain; charset=utf-8"))
    );
}

#[tokio::test]
async fn the_worst_accounts_are_named_where_none_has_a_key() {
    let mut view = fine(ONE);
    view.posture.mfa_enabled = view.posture.keys_active;
    let page = Server::start([view]).await.get("/").await;
    assert_eq!(verdict(&page), "warning");
    let named = between(page.text(), "<ul class=\"named\">", "</ul>");
    assert!(
        named.contains("No root MFA") && named.contains("What to do"),
        "{named}"
    );
}
