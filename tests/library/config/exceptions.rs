//! The accepted keys in the file.

use super::{load_environment, load_file, refuses};

fn exception(lines: &str) -> String {
    format!("[[exceptions]]\n{lines}\n")
}

/// The lines of a good exception, with one of them replaced.
fn with(key: &str, value: &str) -> String {
    let lines = [
        ("account", "\"111122223333\""),
        ("key", "\"AKIAIOSFODNN7EXAMPLE\""),
        ("reason", "\"the old backup\""),
        ("until", "\"2027-12-31\""),
    ];
    let lines = lines.map(|(name, good)| {
        let value = if name == key { value } else { good };
        format!("{name} = {value}\n")
    });
    exception(&lines.concat())
}

#[test]
fn an_exception_belongs_to_its_account_however_that_is_found() {
    let text =
        with("", "") + "[[accounts]]\nid = \"111122223333\"\n[[accounts]]\nid = \"000000000001\"\n";
    let config = load_file(&text, &[]).unwrap();
    let [listed, other] = &config.accounts[..] else {
        panic!("{:?}", config.accounts);
    };
    assert!(other.exceptions.is_empty());
    let [exception] = &listed.exceptions[..] else {
        panic!("{:?}", listed.exceptions);
    };
    assert_eq!(exception.key.as_str(), "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(exception.reason, "the old backup");
    assert_eq!(exception.until.to_string(), "2027-12-31");
    let id = "111122223333".parse().unwrap();
    let alone = load_file(&with("", ""), &[]).unwrap();
    assert_eq!(alone.exceptions[&id][..], listed.exceptions[..]);
}

#[test]
fn an_account_may_have_several_and_one_that_has_ended_is_no_error() {
    let text = with("until", "\"2000-01-01\"") + &with("key", "\"AKIAI44QH8DHBEXAMPLE\"");
    let config = load_file(&text, &[]).unwrap();
    let id = "111122223333".parse().unwrap();
    assert_eq!(config.exceptions[&id].len(), 2);
}

#[test]
fn errors_about_exceptions_have_place_value_and_fix() {
    let long = format!("\"{}\"", "x".repeat(501));
    for (key, value, line) in [
        (
            "account",
            "111122223333",
            "account: 111122223333 is a number; an account id is 12 digits in quotes: \
             \"111122223333\"",
        ),
        (
            "key",
            "\"AKIA IOSF\"",
            "key: \"AKIA IOSF\" is not the id of an access key: AKIA and at least 12 capital letters \
             and digits, as AKIAIOSFODNN7EXAMPLE",
        ),
        (
            "key",
            "\"akiaiosfodnn7example\"",
            "key: \"akiaiosfodnn7example\" is not the id of an access key: AKIA and at least 12 \
             capital letters and digits, as AKIAIOSFODNN7EXAMPLE",
        ),
        (
            "reason",
            "\" \"",
            "reason: \" \" is empty; write why the key is accepted",
        ),
        (
            "reason",
            &long,
            "reason: has 501 characters; the most is 500",
        ),
        (
            "reason",
            "\"a\\nb\"",
            "reason: \"a\\nb\" is not a single line of text",
        ),
        (
            "until",
            "\"2027-13-01\"",
            "until: \"2027-13-01\" is not a day; write it like \"2027-12-31\"",
        ),
        (
            "until",
            "\"20271231\"",
            "until: \"20271231\" is not a day; write it like \"2027-12-31\"",
        ),
        (
            "until",
            "2027-12-31",
            "until: is a date; put it in quotes, like \"2027-12-31\"",
        ),
    ] {
        let line = format!("config.toml: exceptions[0].{line}");
        refuses(&with(key, value), &line);
    }
    refuses(
        &(with("", "") + &with("until", "\"2028-01-01\"")),
        "config.toml: exceptions[1].key: \"AKIAIOSFODNN7EXAMPLE\" of account 111122223333 is listed \
         twice, first as exceptions[0]; remove one",
    );
    refuses(
        &(with("", "") + "untill = \"2027-12-31\"\n"),
        "config.toml: exceptions[0].untill: unknown key; did you mean \"until\"? (known: account, \
         key, reason, until)",
    );
    refuses(
        &exception("account = \"111122223333\""),
        "config.toml: exceptions[0].key: is missing; every exception needs it (the access key id, in \
         quotes)\n\
         config.toml: exceptions[0].reason: is missing; every exception needs it (why the key is \
         accepted)\n\
         config.toml: exceptions[0].until: is missing; every exception needs it (the last day, like \
         \"2027-12-31\")",
    );
    refuses(
        "exceptions = \"AKIAIOSFODNN7EXAMPLE\"",
        "config.toml: exceptions: is text; write each exception as [[exceptions]]",
    );
    assert_eq!(
        load_environment(&[("AWS_ROOT_EXPORTER__EXCEPTIONS", "x")]).unwrap_err(),
        "AWS_ROOT_EXPORTER__EXCEPTIONS: exceptions cannot be listed in the environment; list them in \
         the file"
    );
}
