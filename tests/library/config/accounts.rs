//! The accounts in the file, and external ids, which nothing shows.

use aws_root_exporter::account::{Access, Secret};

use super::{SECRET, account, load_environment, load_file, refuses};

#[test]
fn an_account_has_the_region_of_the_caller_unless_it_has_its_own() {
    let text = account("") + "[[accounts]]\nid = \"000000000001\"\nregion = \"cn-north-1\"\n";
    let config = load_file(&text, &[("AWS_REGION", "eu-west-1")]).unwrap();
    let regions: Vec<_> = config
        .accounts
        .iter()
        .map(|account| &account.region)
        .collect();
    assert_eq!(regions, ["eu-west-1", "cn-north-1"]);
    assert_eq!(config.accounts[0].access, Some(Access::Caller));
}

#[test]
fn a_role_may_have_a_path() {
    let arn = "arn:aws-us-gov:iam::111122223333:role/audit/eu/aws-root-exporter";
    let text = account(&format!("role_arn = {arn:?}\nregion = \"us-gov-east-1\""));
    let config = load_file(&text, &[]).unwrap();
    let access = Access::Role {
        arn: arn.to_owned(),
        external_id: None,
    };
    assert_eq!(config.accounts[0].access, Some(access));
    let config = load_file("organization.role_name = \"audit/r\"", &[]).unwrap();
    assert_eq!(config.organization.role_name, "audit/r");
}

#[test]
fn debug_hides_external_ids() {
    let text = format!(
        "{}[organization]\nexternal_id = {SECRET:?}\n",
        account(&format!(
            "role_arn = \"arn:aws:iam::111122223333:role/r\"\nexternal_id = {SECRET:?}"
        ))
    );
    let config = load_file(&text, &[]).unwrap();
    assert_eq!(config.organization.external_id, Some(Secret::new(SECRET)));
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn errors_about_accounts_have_place_value_and_fix() {
    for (lines, line) in [
        (
            "region = \"Oregon\"",
            "region: \"Oregon\" is not an AWS Region; write it like \"eu-central-1\"",
        ),
        (
            "external_id = \"0123\"",
            "external_id: is of use only with a role_arn; add one, or remove it (the value is not \
             shown)",
        ),
        (
            "role_arn = \"arn:aws:iam::111122223333:role/r\"\nprofile = \"p\"",
            "profile: an account is read by a role_arn or by a profile, not both; remove one",
        ),
        (
            "role_arn = \"arn:aws:iam::111122223333:user/u\"",
            "role_arn: \"arn:aws:iam::111122223333:user/u\" is not the ARN of a role; write it \
             like \"arn:aws:iam::111122223333:role/aws-root-exporter\"",
        ),
        (
            "role_arn = \"arn:aws:iam::444455556666:role/r\"",
            "role_arn: \"arn:aws:iam::444455556666:role/r\" is a role of account 444455556666, \
             not of 111122223333; name a role of 111122223333",
        ),
        (
            "role_arn = \"arn:aws:iam::111122223333:role/r\"\nregion = \"us-gov-west-1\"",
            "role_arn: \"arn:aws:iam::111122223333:role/r\" is in partition aws, but region \
             us-gov-west-1 is in aws-us-gov; set the account's region",
        ),
        (
            "labels = { \"cost-center\" = \"1\" }",
            "labels.cost-center: \"cost-center\" is not a label name; use letters, digits and \
             underscores",
        ),
        (
            "labels = { team = 7 }",
            "labels.team: 7 is a number; put it in quotes: \"7\"",
        ),
        (
            "labels = \"team\"",
            "labels: is text; write { team = \"payments\" }",
        ),
        (
            "profile = \"\"",
            "profile: \"\" is empty; leave the setting out instead",
        ),
    ] {
        refuses(&account(lines), &format!("config.toml: accounts[0].{line}"));
    }
}

#[test]
fn an_account_id_is_twelve_digits_in_quotes_and_listed_once() {
    let accounts = "[[accounts]]\nid = \"111122223333\"\n\
                    [[accounts]]\nid = \"12345\"\n\
                    [[accounts]]\nid = 12345678901\n\
                    [[accounts]]\nid = 12\n\
                    [[accounts]]\nname = \"nobody\"\n\
                    [[accounts]]\n\
                    [[accounts]]\nid = \"111122223333\"\n";
    refuses(
        accounts,
        "config.toml: accounts[1].id: \"12345\" is not an account id (12 digits, in quotes)\n\
         config.toml: accounts[2].id: 12345678901 is a number; an account id is 12 digits in \
         quotes: \"012345678901\"\n\
         config.toml: accounts[3].id: 12 is a number; an account id is 12 digits in quotes: \
         \"111122223333\"\n\
         config.toml: accounts[4].id: is missing; every account needs its id (12 digits, in \
         quotes)\n\
         config.toml: accounts[5].id: is missing; every account needs its id (12 digits, in \
         quotes)\n\
         config.toml: accounts[6].id: \"111122223333\" is listed twice, first as accounts[0]; \
         remove one",
    );
}

#[test]
fn no_error_shows_an_external_id() {
    let role = "role_arn = \"arn:aws:iam::111122223333:role/r\"";
    let number = "31337424242";
    let spaced = format!("{SECRET} {SECRET}");
    let mut errors = Vec::new();
    for value in [
        number.to_owned(),
        format!("[{SECRET:?}]"),
        format!("{{ value = {SECRET:?} }}"),
        format!("{spaced:?}"),
        format!("{SECRET:?} {SECRET:?}"),
        format!("\"{SECRET}"),
    ] {
        errors.push(load_file(
            &account(&format!("{role}\nexternal_id = {value}")),
            &[],
        ));
        errors.push(load_file(
            &format!("organization.external_id = {value}"),
            &[],
        ));
        errors.push(load_file(
            &format!("organization.externalid = {value}"),
            &[],
        ));
        errors.push(load_file(&format!("organization = {value}"), &[]));
        errors.push(load_file(&account(&format!("external_id = {value}")), &[]));
    }
    for variable in [
        "ORGANIZATION__EXTERNAL_ID",
        "ORGANIZATION__EXTERNALID",
        "ORGANIZATION",
    ] {
        let variable = format!("AWS_ROOT_EXPORTER__{variable}");
        errors.push(load_file("", &[(&variable, &format!("{spaced}\n"))]));
    }
    for error in errors {
        let error = error.unwrap_err();
        assert!(
            !error.contains("hunter2") && !error.contains(number),
            "{error}"
        );
    }
}

#[test]
fn a_wrong_external_id_is_refused_without_its_value() {
    refuses(
        "organization.external_id = 12345",
        "config.toml: organization.external_id: is a number, but an external id is a text; put it \
         in quotes (the value is not shown)",
    );
    let problem = "is not an external id: 2 to 1224 letters, digits and _ + = , . @ : / -, without \
                   spaces or line breaks (the value is not shown)";
    refuses(
        "organization.external_id = \"x\"",
        &format!("config.toml: organization.external_id: {problem}"),
    );
    let variable = "AWS_ROOT_EXPORTER__ORGANIZATION__EXTERNAL_ID";
    assert_eq!(
        load_environment(&[(variable, "secret\n")]).unwrap_err(),
        format!("{variable}: {problem}")
    );
}
