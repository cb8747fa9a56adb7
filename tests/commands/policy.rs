//! `policy`: what is printed fits into IAM, or a message says that it does not.

use std::fmt::Write;

use serde_json::Value;

use crate::support::{Bench, Ran};

/// So many accounts, each with a role of that name.
fn accounts(count: usize, role: impl Fn(usize) -> String) -> Bench {
    let mut config = String::new();
    for number in 0..count {
        let id = 100_000_000_000 + number;
        let role = role(number);
        writeln!(
            config,
            "[[accounts]]\nid = \"{id}\"\nrole_arn = \"arn:aws:iam::{id}:role/{role}\""
        )
        .unwrap();
    }
    let bench = Bench::new();
    bench.file("config.toml", config);
    bench
}

/// The policies that were printed.
fn policies(ran: &Ran) -> Vec<Value> {
    let printed: Value = serde_json::from_str(&ran.out).unwrap();
    match printed.get("Policies") {
        Some(policies) => policies.as_array().unwrap().clone(),
        None => vec![printed],
    }
}

#[test]
fn a_hub_of_many_accounts_fits_into_one_policy_where_one_role_name_serves_all() {
    for count in [3, 200, 350] {
        let bench = accounts(count, |_| "aws-root-exporter".to_owned());
        let ran = bench.run("policy hub").exits(0);
        let [policy] = &policies(&ran)[..] else {
            panic!("{ran:#?}");
        };
        let length = policy.to_string().len();
        assert!(length <= 6_144, "{count}: {length} characters");
        assert_eq!(ran.err, "", "{count}");
        for account in [0, count - 1] {
            let id = (100_000_000_000 + account).to_string();
            assert!(ran.out.contains(&id), "{count}: {id}");
        }
    }
}

#[test]
fn a_policy_that_is_too_long_is_split_with_a_message() {
    let bench = accounts(200, |number| format!("audit-reader-of-account-{number:03}"));
    for (kind, parts) in [("hub", 3), ("remediate", 2)] {
        let ran = bench
            .run(&format!("policy {kind}"))
            .exits(0)
            .complains(&format!("attach each of these {parts}"));
        let policies = policies(&ran);
        assert_eq!(policies.len(), parts, "{kind}");
        for policy in policies {
            let length = policy.to_string().len();
            assert!(length <= 6_144, "{kind}: {length} characters");
        }
    }
}

#[test]
fn china_has_nothing_to_remediate() {
    let bench = Bench::new();
    bench.file("config.toml", "[aws]\nregion = \"cn-north-1\"\n");
    let ran = bench
        .run("policy remediate")
        .exits(2)
        .complains("root user credentials")
        .complains("there is nothing to delete");
    assert_eq!(ran.out, "");
    bench.run("policy hub").exits(0);
}
