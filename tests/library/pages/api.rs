//! `/api/v1/accounts`: the schema, and what is unknown.

use std::io::Read;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Server, account, json, with_keys};

const LIST: &str = "/api/v1/accounts";
const ONE: &str = "/api/v1/accounts/000000000012";
const STRANGE: &str = "<script>alert('\"')</script>\\\n\u{202e}";

async fn server() -> Server {
    Server::start([
        with_keys(account("000000000012", STRANGE), 1),
        with_keys(account("111122223333", "fine"), 0),
        account("444455556666", ""),
    ])
    .await
}

#[tokio::test]
async fn the_list_has_the_worst_account_first_with_a_verdict_and_counts() {
    let answer = server().await.get(LIST).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let list = json(&answer);
    let figures: Vec<_> = list["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            [
                &one["account"],
                &one["name"],
                &one["root"]["access_keys_active"],
            ]
        })
        .collect();
    assert_eq!(
        json!(figures),
        json!([
            ["000000000012", STRANGE, 1],
            ["444455556666", null, null],
            ["111122223333", "fine", 0],
        ])
    );
    assert_eq!(list["accounts"][0]["observed"], "2027-01-15T08:00:00Z");
    assert!(list["accounts"][1]["observed"].is_null());
    assert_eq!(list["time"], "2027-01-15T08:00:00Z");
    assert_eq!(list["verdict"]["level"], "critical");
    let text = list["verdict"]["text"].as_str().unwrap();
    assert!(text.contains("1 account"), "{text}");
    let counts = &list["counts"];
    for (name, count) in [
        ("accounts", 3),
        ("active", 1),
        ("no_mfa", 0),
        ("unknown", 1),
        ("fine", 1),
        ("accepted", 0),
    ] {
        assert_eq!(counts[name], count, "{name} {counts}");
    }
}

#[tokio::test]
async fn the_list_is_filtered_sorted_and_paged_as_the_overview() {
    let accounts = (1..=250).map(|number| account(&format!("{number:012}"), ""));
    let pay = with_keys(account("111122223333", "pay"), 1);
    let server = Server::start(accounts.chain([pay])).await;
    let list = async |query: &str| {
        let list = json(&server.get(&format!("{LIST}{query}")).await);
        assert_eq!(list["counts"]["accounts"], 251, "whatever the query");
        list
    };
    let first = list("?sort=id").await;
    assert_eq!(
        (&first["found"], &first["page"], &first["pages"]),
        (&json!(251), &json!(1), &json!(3))
    );
    assert_eq!(first["accounts"].as_array().unwrap().len(), 100);
    assert_eq!(first["accounts"][0]["account"], "000000000001");
    let third = list("?sort=id&page=3").await;
    assert_eq!(third["page"], 3);
    assert_eq!(third["accounts"].as_array().unwrap().len(), 51);
    assert_eq!(third["accounts"][50]["account"], "111122223333");
    for query in ["?state=active", "?q=pay", "?q=1111"] {
        let one = list(query).await;
        assert_eq!(one["found"], 1, "{query}");
        assert_eq!(one["accounts"][0]["account"], "111122223333");
    }
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let server = server().await;
    for (query, error) in [
        (
            "state=nonsense",
            "state=\"nonsense\" is not known; known are active, ",
        ),
        ("sort=colour", "sort=\"colour\" is not known; known are "),
        ("order=up", "order=\"up\" is not known; known are reverse"),
        (
            "page=0",
            "page=\"0\" is not known; known are whole numbers from 1",
        ),
        (
            "filter=active",
            "unknown parameter \"filter\"; known are q, ",
        ),
    ] {
        let answer = server.get(&format!("{LIST}?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let why = json(&answer)["error"].as_str().unwrap().to_owned();
        assert!(why.starts_with(error), "{why}");
    }
}

#[tokio::test]
async fn one_account_is_the_same_object_as_in_the_list() {
    let server = server().await;
    let list = json(&server.get(LIST).await);
    let one = server.get(ONE).await;
    assert_eq!(one.status, 200);
    assert_eq!(json(&one), list["accounts"][0]);
    let head = server.ask("HEAD", ONE, "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn an_account_that_is_not_watched_is_not_found() {
    let server = server().await;
    let answer = server.get("/api/v1/accounts/999999999999").await;
    assert_eq!(answer.status, 404);
    assert!(json(&answer)["error"].is_string());
    for path in [
        "/api/v1/accounts/",
        "/api/v1/accounts/12",
        "/api/v1/",
        "/api",
    ] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    assert_eq!(server.ask("POST", LIST, "").await.status, 405);
}

#[tokio::test]
async fn a_zero_that_expired_is_null() {
    let server = server().await;
    let path = "/api/v1/accounts/111122223333";
    assert_eq!(
        json(&server.get(path).await)["root"]["access_keys_active"],
        0
    );
    server.hand.advance(Duration::from_secs(60));
    let answer = json(&server.get(path).await);
    assert_eq!(answer["root"]["access_keys_active"], Value::Null);
    assert_eq!(
        json(&server.get(ONE).await)["root"]["access_keys_active"],
        1
    );
}

#[tokio::test]
async fn it_is_packed_for_who_can_unpack_it() {
    let server = server().await;
    let plain = server.get(LIST).await;
    assert_eq!(plain.header("content-encoding"), None);
    let packed = server.ask("GET", LIST, "Accept-Encoding: gzip\r\n").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("Accept-Encoding"));
    let mut text = String::new();
    flate2::bufread::GzDecoder::new(packed.body.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, plain.text());
}
