//! Accepted keys: which key an exception accepts, and that a reload adds and ends it.

use std::fs;

use test_support::simulated::{EXTERNAL_ID, Simulated, account, id, listed};
use test_support::{PATIENCE, eventually};

const ACTIVE: &str = "aws_root_access_keys_active";
const ACCEPTED: &str = "aws_root_access_keys_accepted";

fn exception(number: u64, key: &str, until: &str) -> String {
    let account = id(number);
    format!(
        "[[exceptions]]\naccount = \"{account}\"\nkey = \"{key}\"\nreason = \"the old backup\"\n\
         until = \"{until}\"\n"
    )
}

#[test]
fn a_reload_adds_an_exception_and_ends_it_and_the_number_of_keys_stays() {
    let mut member = account(101, "member");
    member.root.create_key(1_700_000_000);
    let aws = Simulated::with([member]);
    let launch = aws.launch(&listed(101));
    let config = launch.path("config.toml");
    let daemon = launch.start();
    daemon.wait_until_ready();
    let account = id(101).to_string();
    let labels = [("account", account.as_str())];
    eventually(PATIENCE, || daemon.scrape().expect(ACTIVE, &labels, 1.0));
    let accepted = || daemon.scrape().value(ACCEPTED, &labels);
    assert_eq!(accepted(), None);

    let key = "AKIAIOSFODNN7EXAMPLE";
    let reload = |text: &str| {
        fs::write(&config, text).unwrap();
        let answer = daemon.post("/-/reload");
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    reload(&(listed(101) + &exception(101, key, "2999-12-31")));
    // The key is listed by the report alone, so its id cannot be verified.
    eventually(PATIENCE, || daemon.scrape().expect(ACCEPTED, &labels, 1.0));
    daemon.scrape().expect(ACTIVE, &labels, 1.0).unwrap();
    let path = format!("/api/v1/accounts/{account}");
    let json: serde_json::Value = serde_json::from_str(daemon.get(&path, &[]).text()).unwrap();
    assert_eq!(json["exceptions"][0]["key_id_verified"], false);

    reload(&(listed(101) + &exception(101, key, "2020-01-01")));
    eventually(PATIENCE, || match accepted() {
        None => Ok(()),
        Some(value) => Err(format!("{value} accepted")),
    });
    daemon.scrape().expect(ACTIVE, &labels, 1.0).unwrap();
    let lines = daemon.process.lines();
    let warning = |line: &&String| line.contains("an exception has ended") && line.contains(key);
    assert_eq!(lines.iter().filter(warning).count(), 1, "{lines:#?}");
}

#[test]
fn with_a_root_session_only_the_named_key_is_accepted() {
    let mut named = account(101, "named");
    let key = named.root.create_key(1_700_000_000).unwrap();
    named.root.create_key(1_700_000_100).unwrap();
    let mut other = account(102, "other");
    other.root.create_key(1_700_000_000).unwrap();
    let aws = Simulated::with([named, other]);
    let daemon = aws
        .launch(&format!(
            "[organization]\nenabled = true\naccess = \"root\"\nexternal_id = \"{EXTERNAL_ID}\"\n{}{}",
            exception(101, &key, "2999-12-31"),
            exception(102, &key, "2999-12-31"),
        ))
        .start();
    daemon.wait_until_ready();
    eventually(PATIENCE, || {
        let scrape = daemon.scrape();
        let of = |number| id(number).to_string();
        scrape.expect(ACTIVE, &[("account", &of(101))], 2.0)?;
        scrape.expect(ACCEPTED, &[("account", &of(101))], 1.0)?;
        scrape.expect(ACTIVE, &[("account", &of(102))], 1.0)?;
        scrape.expect(ACCEPTED, &[("account", &of(102))], 0.0)
    });
}
