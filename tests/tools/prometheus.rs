//! The demo's metrics, read by Prometheus, promtool and Python's strict OpenMetrics parser.

use std::io;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;

use test_support::daemon::{ACCEPT_TEXT, ANY_PORT, Daemon, Launch};
use test_support::program::venv;
use test_support::prometheus::Prometheus;
use test_support::{PATIENCE, eventually};

use crate::support::script;

const ACCEPT_OPENMETRICS: (&str, &str) = ("Accept", "application/openmetrics-text;version=1.0.0");

/// The key appears within a minute of the start; a busy machine gets half a minute more.
const SCENARIO: Duration = Duration::from_secs(90);

fn demo() -> Daemon {
    Launch::new(&["demo", "--accounts", "5", ANY_PORT]).start()
}

/// Runs a program on this input and returns its output.
fn run(mut command: Command, input: &[u8]) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                panic!("{program} is missing: run `make test`, which installs it")
            }
            _ => panic!("{program} could not be started: {error}"),
        });
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).expect("the program reads its input");
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

/// The families that the strict parser finds in a body.
fn strict_families(body: &[u8], flags: &[&str]) -> Vec<String> {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(body)
        .expect("the temporary file is writable");
    let mut command = Command::new(venv("python"));
    command
        .arg(script("openmetrics_check.py"))
        .args(flags)
        .arg(file.path());
    let output = run(command, b"");
    assert!(
        output.status.success(),
        "the strict parser refuses this:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answer = String::from_utf8(output.stdout).expect("family names are UTF-8");
    answer.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn prometheus_scrapes_the_demo_and_sees_the_key_appear() {
    let demo = demo();
    let prometheus = Prometheus::scraping(demo.address);

    let up = eventually(PATIENCE, || prometheus.value("up"));
    assert_eq!(up, "1");
    eventually(PATIENCE, || {
        let accounts = prometheus.value("count(aws_account_info)")?;
        (accounts == "5")
            .then_some(())
            .ok_or_else(|| format!("{accounts} accounts"))
    });
    // A root key that was not there before: Prometheus has seen both.
    let (account, _) = eventually(SCENARIO, || {
        let story = "aws_root_access_keys_active == 1 \
             and min_over_time(aws_root_access_keys_active[5m]) == 0";
        let seen = prometheus.query(story);
        seen.into_iter().next().ok_or_else(|| {
            let now = prometheus.query("aws_root_access_keys_active");
            format!("no root key appears: {now:?}")
        })
    });
    let account = account["account"].as_str().expect("the label account");
    assert!(
        account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()),
        "{account} is an account id"
    );

    let targets = prometheus.ask("/api/v1/targets");
    let target = &targets["activeTargets"][0];
    assert_eq!(target["health"], "up");
    assert_eq!(target["lastError"], "");
    assert_eq!(prometheus.value("min_over_time(up[5m])").unwrap(), "1");
    // OpenMetrics declares a counter without its `_total`, the text format with it.
    let family = "aws_root_exporter_http_requests";
    let declared = prometheus.ask(&format!("/api/v1/targets/metadata?metric={family}"));
    assert_eq!(declared[0]["type"], "counter", "OpenMetrics was agreed on");
    let complaints: Vec<_> = prometheus
        .process
        .lines()
        .into_iter()
        .filter(|line| line.contains("level=warn") || line.contains("level=error"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn promtool_has_no_objection_to_the_text_format() {
    let demo = demo();
    demo.wait_until_ready();

    let response = demo.get("/metrics", &[ACCEPT_TEXT]);
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    let output = run(promtool, &response.body);

    let content_type = response.header("content-type").unwrap_or_default();
    assert!(
        content_type.starts_with("text/plain") && content_type.contains("version=0.0.4"),
        "{content_type}"
    );
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(
        output.status.success() && said.is_empty(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&said)
    );
    assert!(response.text().contains("\naws_root_access_keys_active{"));
}

#[test]
fn the_strict_parser_accepts_openmetrics_plain_and_compressed() {
    let demo = demo();
    demo.wait_until_ready();

    let plain = demo.get("/metrics", &[ACCEPT_OPENMETRICS]);
    let packed = demo.get(
        "/metrics",
        &[ACCEPT_OPENMETRICS, ("Accept-Encoding", "gzip")],
    );

    for response in [&plain, &packed] {
        assert_eq!(response.status, 200);
        let content_type = response.header("content-type").unwrap_or_default();
        assert!(
            content_type.starts_with("application/openmetrics-text")
                && content_type.contains("version=1.0.0"),
            "{content_type}"
        );
    }
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() < plain.body.len());
    let families = strict_families(&plain.body, &[]);
    for family in ["aws_root_access_keys_active", "aws_account_up"] {
        assert!(families.iter().any(|known| known == family), "{families:?}");
    }
    assert_eq!(strict_families(&packed.body, &["--gzip"]), families);
}
