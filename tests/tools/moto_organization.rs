//! An organization in moto's server, which a script changes through boto3.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use test_support::daemon::{ANY_PORT, Launch};
use test_support::exposition::Exposition;
use test_support::program::{succeed, venv};

use crate::support::moto::{CALLER_ACCOUNT, Moto};
use crate::support::script;

const ACTIVE: &str = "aws_root_access_keys_active";

const CONFIG: &str = "\
refresh.interval = \"1s\"
[organization]
enabled = true
interval = \"1s\"
external_id = \"e2e-external-id\"
tag_labels = [\"team\"]
";

/// Checks that exactly these accounts have a value.
fn expect_accounts(exposition: &Exposition, wanted: &BTreeSet<String>) -> Result<(), String> {
    let samples = exposition.all("aws_account_info", &[]).into_iter();
    let shown: BTreeSet<_> = samples
        .map(|sample| sample.labels["account"].clone())
        .collect();
    let is_wanted = shown == *wanted;
    is_wanted
        .then_some(())
        .ok_or_else(|| format!("{shown:?} and not {wanted:?}"))
}

/// Runs the script that changes moto's organization.
fn moto_organization(endpoint: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(venv("python"));
    command.arg(script("moto_organization.py")).arg(endpoint);
    succeed(command.args(arguments)).trim().to_owned()
}

#[test]
fn an_organization_of_moto_is_discovered_and_followed() {
    let moto = Moto::plain();
    let names: Vec<String> = (1..=25).map(|nth| format!("member {nth}")).collect();
    let mut arguments = vec!["make"];
    arguments.extend(names.iter().map(String::as_str));
    let made = moto_organization(&moto.endpoint, &arguments);
    let ids: BTreeMap<String, String> = serde_json::from_str(&made).unwrap();
    let mut wanted: BTreeSet<String> = ids.values().cloned().collect();
    wanted.insert(CALLER_ACCOUNT.to_owned());

    let daemon = Launch::new(&[ANY_PORT])
        .environment(moto.environment())
        .config(CONFIG)
        .start();
    let first = &ids["member 1"];
    daemon.scrape_until(|shown| {
        expect_accounts(shown, &wanted)?;
        let labels = [
            ("account", first.as_str()),
            ("account_name", "member 1"),
            ("label_team", "team of member 1"),
        ];
        shown.expect("aws_account_info", &labels, 1.0)?;
        // moto's summary shows no key.
        shown.expect(ACTIVE, &[("account", first)], 0.0)
    });
    wanted.insert(moto_organization(&moto.endpoint, &["add", "late"]));
    daemon.scrape_until(|shown| expect_accounts(shown, &wanted));
}
