//! Organizations: the list of accounts, its pages, and who may read it.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::client::{Bench, NOW, hub, member, outside};
use aws_simulator::{AccountState, Fault, FaultKind, World};

/// The sizes of the pages up to the last one, and the ids on them.
async fn pages(bench: &Bench) -> (Vec<usize>, Vec<String>) {
    let (mut sizes, mut ids) = (Vec::new(), Vec::new());
    let mut body = json!({});
    loop {
        let page = bench.organizations("ListAccounts", body).await.json();
        let accounts = page["Accounts"].as_array().unwrap();
        sizes.push(accounts.len());
        ids.extend(
            accounts
                .iter()
                .map(|it| it["Id"].as_str().unwrap().to_owned()),
        );
        match &page["NextToken"] {
            Value::Null => return (sizes, ids),
            token => body = json!({"NextToken": token}),
        }
    }
}

#[tokio::test]
async fn accounts_come_in_pages_of_twenty() {
    let world = World::generate(45, 1, NOW);
    let bench = Bench::of(world.clone()).await;
    let (sizes, ids) = pages(&bench).await;
    assert_eq!(sizes, [20, 20, 5]);
    let all: Vec<_> = world.ids().iter().map(ToString::to_string).collect();
    assert_eq!(ids, all);
}

#[tokio::test]
async fn an_empty_page_can_come_before_any_other() {
    let bench = Bench::of(World::generate(5, 1, NOW)).await;
    bench.world.organization(|organization| {
        organization.page_size = 3;
        organization.empty_page_before = Some(1);
    });
    assert_eq!(pages(&bench).await.0, [3, 0, 2]);
    bench
        .world
        .organization(|it| it.empty_page_before = Some(0));
    assert_eq!(pages(&bench).await.0, [0, 3, 2]);
}

#[tokio::test]
async fn an_account_that_left_is_not_listed() {
    let bench = Bench::start().await;
    bench
        .world
        .edit(member(), |account| account.in_organization = false);
    assert_eq!(pages(&bench).await.1, ["999000000001"]);
}

#[tokio::test]
async fn state_and_status_are_independent_and_can_be_absent() {
    let bench = Bench::start().await;
    bench.world.edit(member(), |account| {
        account.state = Some(AccountState::PendingClosure);
        account.status = None;
    });
    bench.world.edit(hub(), |account| account.state = None);
    let page = bench.organizations("ListAccounts", json!({})).await.json();
    let (member, hub) = (&page["Accounts"][0], &page["Accounts"][1]);
    assert_eq!(member["Id"], "000000000042");
    assert_eq!(member["State"], "PENDING_CLOSURE");
    assert_eq!(member.get("Status"), None);
    assert_eq!(hub.get("State"), None);
    assert_eq!(hub["Status"], "ACTIVE");
    assert_eq!(
        member["Arn"],
        "arn:aws:organizations::999000000001:account/o-simulated0/000000000042"
    );
}

#[tokio::test]
async fn tags_and_the_organization_itself_can_be_read() {
    let bench = Bench::start().await;
    bench.world.edit(member(), |account| {
        account
            .tags
            .insert("team".to_owned(), "a \"b\" & c".to_owned());
    });
    let tags = bench
        .organizations("ListTagsForResource", json!({"ResourceId": "000000000042"}))
        .await;
    assert_eq!(tags.headers["content-type"], "application/x-amz-json-1.1");
    let tag = json!({"Key": "team", "Value": "a \"b\" & c"});
    assert_eq!(tags.json(), json!({"Tags": [tag]}));
    let nobody = bench
        .organizations("ListTagsForResource", json!({"ResourceId": "123456789012"}))
        .await;
    assert_eq!(nobody.json()["__type"], "TargetNotFoundException");
    let organization = bench
        .organizations("DescribeOrganization", json!({}))
        .await
        .json();
    assert_eq!(
        organization["Organization"]["MasterAccountId"],
        "999000000001"
    );
}

#[tokio::test]
async fn only_the_management_account_and_delegates_may_list() {
    let bench = Bench::start().await;
    bench
        .world
        .set_callers(HashMap::from([(outside().key, member())]));
    let denied = bench.organizations("ListAccounts", json!({})).await;
    assert_eq!(denied.status, 400);
    assert_eq!(denied.json()["__type"], "AccessDeniedException");
    bench.world.organization(|it| it.delegated.insert(member()));
    assert_eq!(
        bench.organizations("ListAccounts", json!({})).await.status,
        200
    );
    bench.world.organization(|it| it.enabled = false);
    let none = bench.organizations("ListAccounts", json!({})).await;
    assert_eq!(none.json()["__type"], "AWSOrganizationsNotInUseException");
}

#[tokio::test]
async fn organizations_has_its_own_names_for_errors() {
    let bench = Bench::start().await;
    for (kind, status, name) in [
        (FaultKind::Throttling, 400, "TooManyRequestsException"),
        (FaultKind::ServiceFailure, 500, "ServiceException"),
        (FaultKind::AccessDenied, 400, "AccessDeniedException"),
        (FaultKind::ExpiredToken, 400, "ExpiredTokenException"),
        (FaultKind::InvalidToken, 400, "UnrecognizedClientException"),
        (
            FaultKind::UnknownOperation,
            400,
            "UnknownOperationException",
        ),
    ] {
        bench.world.fault(Fault::new(kind).times(1));
        let answer = bench.organizations("ListAccounts", json!({})).await;
        assert_eq!(answer.status, status, "{kind:?}");
        assert_eq!(answer.json()["__type"], name);
    }
}

#[tokio::test]
async fn a_list_can_be_endless() {
    let bench = Bench::start().await;
    bench.world.fault(Fault::new(FaultKind::EmptyPageForEver));
    let mut body = json!({});
    for _ in 0..5 {
        let page = bench.organizations("ListAccounts", body).await.json();
        assert_eq!(page["Accounts"], json!([]));
        body = json!({"NextToken": page["NextToken"].as_str().unwrap()});
    }
}

#[tokio::test]
async fn the_tree_of_units_leads_to_every_account() {
    let bench = Bench::start().await;
    bench.world.organization(|it| it.page_size = 1);
    for (number, units) in [(42, &["Workloads", "Production"][..]), (43, &["Workloads"])] {
        let id = format!("{number:012}").parse().unwrap();
        let mut account = aws_simulator::Account::new(id, format!("unit-{number}"), 1_700_000_000);
        account.units = units.iter().map(|unit| (*unit).to_owned()).collect();
        bench.world.add(account);
    }
    let roots = bench.organizations("ListRoots", json!({})).await.json();
    let mut parents = vec![(roots["Roots"][0].clone(), String::new())];
    let mut found = Vec::new();
    while let Some((parent, path)) = parents.pop() {
        let path = format!("{path}/{}", parent["Name"].as_str().unwrap());
        for (operation, member) in [
            ("ListOrganizationalUnitsForParent", "OrganizationalUnits"),
            ("ListAccountsForParent", "Accounts"),
        ] {
            let mut body = json!({"ParentId": parent["Id"]});
            loop {
                let page = bench.organizations(operation, body.clone()).await.json();
                for entry in page[member].as_array().unwrap() {
                    if member == "Accounts" {
                        found.push((entry["Name"].as_str().unwrap().to_owned(), path.clone()));
                    } else {
                        parents.push((entry.clone(), path.clone()));
                    }
                }
                match &page["NextToken"] {
                    Value::Null => break,
                    token => body["NextToken"] = token.clone(),
                }
            }
        }
    }
    for (name, path) in [
        ("unit-42", "/Root/Workloads/Production"),
        ("unit-43", "/Root/Workloads"),
    ] {
        assert!(
            found.contains(&(name.to_owned(), path.to_owned())),
            "{found:?}"
        );
    }
    assert!(found.iter().any(|(_, path)| path == "/Root"), "{found:?}");
    let nobody = bench
        .organizations("ListAccountsForParent", json!({"ParentId": "ou-none"}))
        .await;
    assert_eq!(nobody.json()["__type"], "ParentNotFoundException");
}
