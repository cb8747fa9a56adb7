//! What a page offers to paste into a shell: nothing in it is AWS's to choose.

use std::sync::Arc;

use root_posture::{LastUse, ListedKeys, RootKey};

use super::support::{NOW, Server, account, json, with_keys};

const ACCOUNT: &str = "000000000012";

/// The page and the JSON of an account with a root key that AWS calls so.
async fn shown(id: &str) -> (String, serde_json::Value) {
    let mut view = with_keys(account(ACCOUNT, ""), 1);
    let key = RootKey {
        id: id.to_owned(),
        active: true,
        created: Some(NOW),
        last_used: Some(LastUse {
            at: NOW,
            region: Some("$(touch /tmp/x)".to_owned()),
            service: Some("sts".to_owned()),
        }),
    };
    view.listed = Some(Arc::new(ListedKeys {
        at: NOW,
        keys: vec![key],
    }));
    let server = Server::start([view]).await;
    let page = server.get(&format!("/accounts/{ACCOUNT}")).await;
    assert_eq!(page.status, 200);
    let api = server.get(&format!("/api/v1/accounts/{ACCOUNT}")).await;
    let page = String::from_utf8(page.body).unwrap();
    (page, json(&api)["root"]["access_keys"][0].clone())
}

#[tokio::test]
async fn the_id_of_a_key_is_pasted_only_where_it_is_one() {
    let (page, key) = shown("AKIAIOSFODNN7EXAMPLE").await;
    assert!(page.contains("delete-access-key --access-key-id AKIAIOSFODNN7EXAMPLE"));
    let ours = format!("remediate --account {ACCOUNT} --delete AKIAIOSFODNN7EXAMPLE --confirm");
    assert!(page.contains(&ours));
    assert_eq!(key["access_key_id"], "AKIAIOSFODNN7EXAMPLE");

    for id in [
        "AKIA1; touch /tmp/y",
        "$(touch /tmp/y)",
        "AKIA1\ntouch /tmp/y",
    ] {
        let (page, key) = shown(id).await;
        // The keys are those that AWS lists then.
        assert!(page.contains("delete-access-key --access-key-id &#34;$item&#34;"));
        assert!(!page.contains("/tmp/y"), "{id}");
        assert!(key["access_key_id"].is_null(), "{key}");
        // The key itself is shown all the same.
        assert_eq!(key["active"], true);
        for command in page.split("<pre").skip(1) {
            let command = command.split("</pre>").next().unwrap();
            assert!(!command.contains("touch"), "{command}");
        }
    }
}
