//! Every source of credentials, in use and in failure: each row of `docs/credentials.md`. No secret of
//! them is ever logged or shown.

mod files;
mod near;
mod places;
mod processes;
mod ways;

use std::collections::HashMap;
use std::fs;

use aws_simulator::AccountId;
use aws_simulator::Call;

use test_support::daemon::{ANY_PORT, Daemon, Launch};
use test_support::simulated::{HUB, Simulated, account, id};
use test_support::{PATIENCE, eventually};

/// Two access keys, by their ends.
const OLD: &str = "AKIAIOSFODNN7EXAMOLD";
const NEW: &str = "AKIAIOSFODNN7EXAMNEW";

/// What no line and no page may hold.
const SECRETS: [&str; 5] = [
    "the-secret-of-a-file",
    "the-secret-of-a-process",
    "the-secret-of-the-instance",
    "the-secret-of-the-container",
    "the-token-of-the-instance",
];

/// How often everything is polled.
const QUICK: &str = "refresh.interval = \"1s\"\nstate.path = \"state.redb\"\n";

/// An AWS that knows these access keys and no other.
fn aws(keys: &[(&str, u64)]) -> Simulated {
    let aws = Simulated::with([account(101, "member"), account(102, "member")]);
    know(&aws, keys);
    aws
}

fn know(aws: &Simulated, keys: &[(&str, u64)]) {
    let callers: HashMap<String, AccountId> = keys
        .iter()
        .map(|(key, number)| ((*key).to_owned(), id(*number)))
        .collect();
    aws.world.set_callers(callers);
}

/// A daemon without credentials over this AWS.
fn launch(aws: &Simulated, config: &str) -> Launch {
    launch_at(&aws.url, config).environment([("AWS_REGION", "us-east-1".to_owned())])
}

fn launch_at(url: &str, config: &str) -> Launch {
    Launch::new(&[ANY_PORT, "--log.level=trace"])
        .environment([
            ("AWS_ENDPOINT_URL", url.to_owned()),
            ("RUST_LOG", "trace".to_owned()),
        ])
        .config(config)
}

/// Writes a file below the home folder of a run, as editors do: beside it first, then in its place.
fn write(path: &std::path::Path, text: &str) {
    let beside = path.with_extension("new");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

fn keys(profile: &str, key: &str) -> String {
    format!(
        "[{profile}]\naws_access_key_id = {key}\naws_secret_access_key = the-secret-of-a-file\n"
    )
}

/// Waits until an account is read anew, from now on.
fn read_again(aws: &Simulated, number: u64) {
    let reads = || {
        let calls = aws.world.calls();
        let works = |call: &&Call| {
            call.account == Some(id(number))
                && call.operation == Some("GetAccountSummary".into())
                && call.error.is_none()
        };
        calls.iter().filter(works).count()
    };
    let before = reads();
    eventually(PATIENCE, || {
        let is_read = reads() > before + 1;
        is_read.then_some(()).ok_or("is not read".to_owned())
    });
}

/// Waits until a log line holds all of these words, and hands it out.
fn said(daemon: &Daemon, words: &[&str]) -> String {
    eventually(PATIENCE, || {
        let lines = daemon.process.lines();
        let line = lines
            .into_iter()
            // As logfmt writes quotes.
            .map(|line| line.replace("\\'", "'"))
            .find(|line| words.iter().all(|words| line.contains(words)));
        line.ok_or_else(|| format!("no line with {words:?}"))
    })
}

/// Ends the daemon by a signal, which takes less than 5 s, and checks its log and its output.
fn end(mut daemon: Daemon) {
    let pages = ["/metrics", "/", "/api/v1/accounts"].map(str::to_owned);
    let accounts = [HUB, 101, 102].map(|number| format!("/accounts/{}", id(number)));
    for page in pages.into_iter().chain(accounts) {
        no_secret(&page, daemon.get(&page, &[]).text());
    }
    daemon.process.signal("TERM");
    let five_seconds = std::time::Duration::from_secs(5);
    assert_eq!(daemon.process.exit_code(five_seconds), 0);
    no_secret("the log", &daemon.process.lines().join("\n"));
    let state = fs::read(daemon.path("state.redb")).unwrap_or_default();
    no_secret("the state", &String::from_utf8_lossy(&state));
}

fn no_secret(what: &str, text: &str) {
    for secret in SECRETS {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{what} shows {secret}");
    }
}
