//! No secret leaves the process: not in a log at its lowest level, the state file, a metric, a page, or an
//! error about the line with the secret.

use aws_simulator::{Fault, FaultKind};

use test_support::daemon::{ANY_PORT, Launch};
use test_support::simulated::{
    EXTERNAL_ID, ROLE, Simulated, account, environment, id, listed, now,
};
use test_support::{PATIENCE, eventually};

const SECRET_KEY: &str = "wJalrXUtnFEMI-the-callers-secret-key";
const TOKEN: &str = "FwoGZXIvYXdzEJr-the-callers-session-token";

/// How the secret key and the token of every session of the simulated AWS begin.
const OF_SESSIONS: [&str; 2] = ["simulated-secret-", "SIMULATED."];

fn holds_no_secret(what: &str, text: &str) {
    for secret in [EXTERNAL_ID, SECRET_KEY, TOKEN].iter().chain(&OF_SESSIONS) {
        let place = text.find(secret);
        let line = place.map(|at| text[..at].lines().count());
        assert_eq!(line, None, "{what} shows {secret:?} in this line");
    }
}

#[test]
fn no_log_state_metric_or_page_shows_a_secret() {
    for format in ["logfmt", "json"] {
        // 101 and 106 are good, listed and not; the others have a role that refuses, throttling,
        // expired sessions and cut XML.
        let aws = Simulated::with((101..=106).map(|number| {
            let mut account = account(number, "member");
            account.store_report(now() - 3600);
            account
        }));
        let world = &aws.world;
        world.edit(id(102), |account| {
            account.roles.get_mut(ROLE).unwrap().external_id = Some("another".into());
        });
        world.fault(Fault::new(FaultKind::Throttling).of(id(103)));
        world.fault(Fault::new(FaultKind::ExpiredToken).of(id(104)).times(3));
        world.fault(Fault::new(FaultKind::TruncatedXml).of(id(105)).times(4));
        let accounts: String = (101..=105).map(listed).collect();
        let config = format!(
            "refresh.interval = \"1s\"\nstate.path = \"state.redb\"\n[organization]\nenabled = true\n\
             access = \"both\"\ninterval = \"1s\"\nexternal_id = \"{EXTERNAL_ID}\"\n{accounts}"
        );
        let mut environment = environment(&aws.url, "AKIAIOSFODNN7EXAMPLE", SECRET_KEY);
        environment.push(("AWS_SESSION_TOKEN", TOKEN.to_owned()));
        // Not even the lowest log level shows a secret.
        environment.push(("RUST_LOG", "trace".to_owned()));
        let launch = Launch::new(&[
            ANY_PORT,
            "--log.level=trace",
            &format!("--log.format={format}"),
        ])
        .environment(environment)
        .config(&config);
        let state = launch.path("state.redb");
        let mut daemon = launch.start();
        daemon.wait_until_ready();
        let polls = || world.count(id(101), "GetAccountSummary");
        let before = polls();
        eventually(PATIENCE, || {
            let is_saved = state.exists() && polls() > before + 2;
            is_saved.then_some(()).ok_or("not saved yet".to_owned())
        });
        for page in [
            "/metrics",
            "/",
            "/api/v1/accounts",
            "/-/ready",
            "/-/healthy",
        ] {
            let answer = daemon.get(page, &[]);
            assert_eq!(answer.status, 200, "{page}");
            holds_no_secret(page, answer.text());
        }
        for number in 101..=106 {
            for page in ["/accounts/", "/api/v1/accounts/"] {
                let page = format!("{page}{}", id(number));
                holds_no_secret(&page, daemon.get(&page, &[]).text());
            }
        }
        daemon.process.signal("TERM");
        assert_eq!(daemon.process.exit_code(PATIENCE), 0);
        // The whole file, including pages that redb uses no more.
        let content = std::fs::read(&state).unwrap();
        let saved = String::from_utf8_lossy(&content);
        assert!(saved.contains("000000000101"), "{saved}");
        holds_no_secret("the state file", &saved);
        let log = daemon.process.lines().join("\n");
        assert!(log.contains("000000000102"), "failures are logged: {log}");
        holds_no_secret("the log", &log);
        assert!(world.calls().iter().any(|call| call.external_id));
    }
}

#[test]
fn no_error_about_a_configuration_shows_a_secret() {
    let account = |rest: &str| {
        format!(
            "[[accounts]]\nid = \"111122223333\"\n\
             role_arn = \"arn:aws:iam::111122223333:role/audit\"\n{rest}\n"
        )
    };
    let spaced = format!("external_id = \"two words {EXTERNAL_ID}\"");
    let cases = [
        account(&spaced),
        account(&format!("external_id = [\"{EXTERNAL_ID}\"]")),
        account(&format!("external_id = {{ value = \"{EXTERNAL_ID}\" }}")),
        account(&format!("externalid = \"{EXTERNAL_ID}\"")),
        account(&format!("external_id = \"{EXTERNAL_ID}")),
        account(&format!("external_id = {EXTERNAL_ID}")),
        account(&format!("external_id \"{EXTERNAL_ID}\"")),
        account(&format!(
            "external_id = \"{EXTERNAL_ID}\"\nexternal_id = \"{EXTERNAL_ID}\""
        )),
        account(&format!("external_id = \"{EXTERNAL_ID}\\q\"")),
        format!("[[accounts]]\nid = \"111122223333\"\nexternal_id = \"{EXTERNAL_ID}\"\n"),
        format!("[organization]\nenabled = true\n{spaced}\n"),
        format!("[organization]\nexternal_id = \"{EXTERNAL_ID}\"\nenabled = \"maybe\"\n"),
        format!("[aws]\nsecret_access_key = \"{SECRET_KEY}\"\n"),
        format!("[aws]\nsession_token = \"{TOKEN}\"\n"),
        format!("aws = \"{SECRET_KEY}\"\n"),
    ];
    for config in cases {
        let finished = Launch::new(&["--config.check", "--log.level=trace"])
            .config(&config)
            .finish();
        assert_eq!(finished.code, 2, "{config}{finished:?}");
        let errors = finished.errors().join("\n");
        assert!(errors.contains("config.toml"), "{config}{errors}");
        holds_no_secret(&config, &errors);
    }
    let variable = (
        "AWS_ROOT_EXPORTER__ORGANIZATION__EXTERNAL_ID",
        format!("two words {EXTERNAL_ID}"),
    );
    let finished = Launch::new(&["--config.check"])
        .environment([variable])
        .finish();
    assert_eq!(finished.code, 2, "{finished:?}");
    holds_no_secret("a variable's error", &finished.errors().join("\n"));
}
