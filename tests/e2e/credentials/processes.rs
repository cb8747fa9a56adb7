//! `credential_process`: one that hangs is ended, and its output is never shown.

use super::*;

/// How long no test runs, by which a process of this very test is found.
fn long() -> String {
    format!("31536017{}", std::process::id())
}

/// A process that prints credentials, once `first` has done its work.
fn profile(name: &str, first: &str, key: &str) -> String {
    let json = format!(
        r#"{{"Version": 1, "AccessKeyId": "{key}", "SecretAccessKey": "the-secret-of-a-process"}}"#
    );
    format!("[profile {name}]\ncredential_process = {first}; echo '{json}'\n")
}

/// Whether a process sleeps that long.
fn sleeps(how_long: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut commands = processes.filter_map(|it| fs::read(it.path().join("cmdline")).ok());
    commands.any(|it| String::from_utf8_lossy(&it).contains(how_long))
}

fn wait_until_it_hangs(how_long: &str) {
    eventually(PATIENCE, || {
        sleeps(how_long)
            .then_some(())
            .ok_or("does not hang".to_owned())
    });
}

#[test]
fn a_process_that_hangs_once_is_ended_and_run_again_while_other_accounts_are_polled() {
    let aws = aws(&[(OLD, HUB), (NEW, 101)]);
    let config = format!(
        "{QUICK}refresh.timeout = \"2s\"\n[[accounts]]\nid = \"{HUB}\"\nprofile = \"good\"\n\
         [[accounts]]\nid = \"{}\"\nprofile = \"hangs\"\n",
        id(101)
    );
    let launch = launch(&aws, &config);
    let long = long();
    let first = format!("[ -e hung ] || (touch hung; sleep {long})");
    let text = profile("hangs", &first, NEW) + &profile("good", "true", OLD);
    write(&launch.path(".aws/config"), &text);
    let daemon = launch.start();
    wait_until_it_hangs(&long);
    read_again(&aws, HUB);
    said(&daemon, &["timeout", "refresh.timeout (2s)"]);
    read_again(&aws, 101);
    assert!(!sleeps(&long));
    end(daemon);
}

#[test]
fn a_process_of_the_caller_that_hangs_at_the_start_is_run_again() {
    let aws = aws(&[(OLD, HUB)]);
    let config = format!(
        "{QUICK}refresh.timeout = \"2s\"\n[organization]\nenabled = true\ninterval = \"1s\"\n\
         external_id = \"e2e-external-id\"\n"
    );
    let launch = launch(&aws, &config);
    let long = long();
    let first = format!("[ -e hung ] || (touch hung; sleep {long})");
    write(
        &launch.path(".aws/config"),
        &profile("default", &first, OLD).replace("profile default", "default"),
    );
    let daemon = launch.start();
    said(&daemon, &["timeout", "refresh.timeout (2s)"]);
    for number in [HUB, 101, 102] {
        read_again(&aws, number);
    }
    assert!(!sleeps(&long));
    end(daemon);
}

#[test]
fn the_daemon_ends_at_once_while_everything_hangs() {
    let aws = aws(&[(OLD, HUB)]);
    let launch = launch(&aws, QUICK);
    let long = long();
    let text = profile("default", &format!("sleep {long}"), OLD);
    let text = text.replace("profile default", "default");
    write(&launch.path(".aws/config"), &text);
    let daemon = launch.start();
    wait_until_it_hangs(&long);
    end(daemon);
    eventually(PATIENCE, || {
        (!sleeps(&long))
            .then_some(())
            .ok_or("still sleeps".to_owned())
    });
}

#[test]
fn the_output_of_a_process_is_not_shown() {
    for (command, words) in [
        ("echo the-secret-of-a-process >&2; exit 3", "run it by hand"),
        ("echo the-secret-of-a-process", "process"),
        (
            r#"echo '{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "the-secret-of-a-process"'"#,
            "process",
        ),
    ] {
        let aws = aws(&[(OLD, HUB)]);
        let launch = launch(&aws, QUICK);
        let text = format!("[default]\ncredential_process = {command}\n");
        write(&launch.path(".aws/config"), &text);
        let daemon = launch.start();
        said(&daemon, &["credentials of the caller", words]);
        end(daemon);
    }
}

#[test]
fn keys_that_cannot_be_sent_are_read_again_until_they_can() {
    let aws = aws(&[(OLD, HUB)]);
    let launch = launch(&aws, QUICK);
    let json = |key: &str| {
        format!(
            r#"{{"Version": 1, "AccessKeyId": "{key}", "SecretAccessKey": "the-secret-of-a-process"}}"#
        )
    };
    let printed = launch.path("printed");
    write(&printed, &json(&format!("{OLD}\\n")));
    let text = "[default]\ncredential_process = cat printed\n";
    write(&launch.path(".aws/config"), text);
    let daemon = launch.start();
    said(&daemon, &["a character that none has", "…MOLD"]);
    write(&printed, &json(OLD));
    read_again(&aws, HUB);
    end(daemon);
}
