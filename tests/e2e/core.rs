//! The rules of evidence as a scraper sees them: what a stale, refused or hanging source may and may not
//! change. Times are scaled down: an interval is a second or two.

use std::fs;
use std::time::Duration;

use aws_simulator::{Account, Fault, FaultKind, QueueSettings};

use test_support::daemon::{Daemon, Launch};
use test_support::exposition::Exposition;
use test_support::simulated::{EXTERNAL_ID, ROLE, Simulated, account, id, listed, now};
use test_support::{PATIENCE, eventually};

const ACTIVE: &str = "aws_root_access_keys_active";
const PRESENT: &str = "aws_root_access_keys_present";
const MFA: &str = "aws_root_mfa_enabled";
const GENERATED: &str = "aws_credential_report_generated_timestamp_seconds";

const SUMMARY: &str = "GetAccountSummary";
const LIST: &str = "ListAccessKeys";

const HOUR: i64 = 3_600;

/// A report of this age is replaced in ten to twenty seconds: AWS makes the next after four hours.
const NEARLY_FOUR_HOURS: i64 = 4 * HOUR - 10;

/// The account of most tests.
const ONE: u64 = 12;
const OF: [(&str, &str); 1] = [("account", "000000000012")];

/// The account with a change, and a report of it that is that old.
fn reported(age: i64, change: impl FnOnce(&mut Account)) -> Account {
    let mut account = account(ONE, "production");
    change(&mut account);
    account.store_report(now() - age);
    account
}

fn with_key(account: &mut Account) {
    account.root.create_key(now() - 30 * 24 * HOUR);
}

fn with_inactive_key(account: &mut Account) {
    with_key(account);
    account.root.deactivate_keys();
}

/// Reads the account by its role.
fn by_role() -> String {
    format!("refresh.interval = \"1s\"\n{}", listed(ONE))
}

/// Reads all accounts of the organization with this `access`.
fn organization(access: &str, interval: &str) -> String {
    format!(
        "refresh.interval = \"{interval}\"\n[organization]\nenabled = true\naccess = \"{access}\"\n\
         role_name = \"{ROLE}\"\nexternal_id = \"{EXTERNAL_ID}\"\n"
    )
}

fn of(number: u64) -> String {
    id(number).to_string()
}

/// Active and present keys.
fn keys(shown: &Exposition) -> (Option<f64>, Option<f64>) {
    (shown.value(ACTIVE, &OF), shown.value(PRESENT, &OF))
}

fn expect_keys(shown: &Exposition, active: f64, present: f64) -> Result<(), String> {
    shown.expect(ACTIVE, &OF, active)?;
    shown.expect(PRESENT, &OF, present)
}

/// Scrapes until `done`, and fails at once where a scrape shows what it must `never` show.
fn watch(
    daemon: &Daemon,
    never: impl Fn(&Exposition) -> bool,
    mut done: impl FnMut(&Exposition) -> Result<(), String>,
) -> Exposition {
    daemon.scrape_until(|shown| {
        assert!(!never(shown), "shown meanwhile: {:?}", keys(shown));
        done(shown)
    })
}

/// How often an operation was called about the account.
fn calls(aws: &Simulated, operation: &'static str) -> u64 {
    aws.world.count(id(ONE), operation)
}

fn at_least(calls: u64, wanted: u64) -> Result<(), String> {
    (calls >= wanted)
        .then_some(())
        .ok_or_else(|| format!("{calls} calls of {wanted}"))
}

/// Waits for that many more calls about the account.
fn more_calls(aws: &Simulated, operation: &'static str, more: u64) {
    let wanted = calls(aws, operation) + more;
    eventually(PATIENCE, || at_least(calls(aws, operation), wanted));
}

/// The GeneratedTime of the report in use.
fn generated(shown: &Exposition) -> Option<f64> {
    shown.value(GENERATED, &OF)
}

#[test]
fn a_fleet_with_hanging_lists_is_shown_by_its_summaries_at_once() {
    const FLEET: std::ops::Range<u64> = 1_000..1_100;
    let aws = Simulated::with(FLEET.map(|number| {
        let mut account = account(number, "member");
        with_key(&mut account);
        account.store_report(now() - HOUR);
        account
    }));
    aws.world.fault(Fault::new(FaultKind::NeverAnswer).on(LIST));
    // Through the slots for lists, the fleet would take 17 deadlines.
    let config = organization("both", "6s").replacen(
        '\n',
        "\nrefresh.timeout = \"2s\"\nrefresh.concurrency = 6\n",
        1,
    );
    let daemon = aws.launch(&config).start();
    let three_intervals = Duration::from_secs(18);
    eventually(three_intervals, || {
        let shown = daemon.scrape();
        FLEET.map(of).try_for_each(|account| {
            let labels = [("account", account.as_str())];
            shown.expect(ACTIVE, &labels, 1.0)
        })
    });
}

#[test]
fn a_listed_key_is_shown_while_the_details_hang() {
    let aws = Simulated::with([reported(HOUR, |_| {})]);
    for detail in ["GetLoginProfile", "GetAccessKeyLastUsed"] {
        aws.world
            .fault(Fault::new(FaultKind::NeverAnswer).on(detail));
    }
    // A poll that waited for them would take longer than this test waits.
    let config = format!("refresh.timeout = \"2m\"\n{}", organization("root", "1s"));
    let daemon = aws.launch(&config).start();
    daemon.scrape_until(|shown| expect_keys(shown, 0.0, 0.0));
    // Only a list distinguishes an inactive key from an active one.
    aws.world.edit(id(ONE), with_inactive_key);
    more_calls(&aws, LIST, 3);
    assert_eq!(keys(&daemon.scrape()), (Some(0.0), Some(1.0)));
}

#[test]
fn a_report_counts_as_soon_as_it_is_read_where_the_list_fails() {
    let aws = Simulated::with([reported(NEARLY_FOUR_HOURS, with_inactive_key)]);
    let daemon = aws.launch(&organization("both", "1s")).start();
    daemon.scrape_until(|shown| expect_keys(shown, 0.0, 1.0));
    more_calls(&aws, LIST, 3);
    aws.world
        .fault(Fault::new(FaultKind::AccessDenied).on(LIST));
    more_calls(&aws, LIST, 1);
    aws.world.edit(id(ONE), |account| {
        account.root.keys[0].as_mut().unwrap().active = true;
    });
    let slot = [OF[0], ("key", "1")];
    let shown =
        daemon.scrape_until(|shown| shown.expect("aws_root_access_key_slot_active", &slot, 1.0));
    assert_eq!(keys(&shown), (Some(1.0), Some(1.0)));
}

#[test]
fn mfa_that_goes_off_is_shown_by_a_report_where_the_summary_is_refused() {
    let aws = Simulated::with([reported(NEARLY_FOUR_HOURS, |_| {})]);
    let daemon = aws.launch(&by_role()).start();
    daemon.scrape_until(|shown| shown.expect(MFA, &OF, 1.0));
    more_calls(&aws, SUMMARY, 3);
    aws.world
        .fault(Fault::new(FaultKind::AccessDenied).on(SUMMARY));
    aws.world.edit(id(ONE), |account| account.root.mfa = false);
    let unknown = |shown: &Exposition| shown.value(MFA, &OF).is_none();
    watch(&daemon, unknown, |shown| shown.expect(MFA, &OF, 0.0));
}

#[test]
fn an_inactive_key_that_is_deleted_is_never_active_while_the_summary_lags() {
    let aws = Simulated::with([reported(HOUR, with_inactive_key)]);
    let daemon = aws.launch(&organization("both", "1s")).start();
    daemon.scrape_until(|shown| expect_keys(shown, 0.0, 1.0));
    aws.world.edit(id(ONE), |account| {
        account.root.delete_keys();
        let entries = &mut account.summary_overrides;
        entries.insert("AccountAccessKeysPresent", Some(1));
    });
    let is_active = |shown: &Exposition| shown.value(ACTIVE, &OF) != Some(0.0);
    let lists = calls(&aws, LIST) + 5;
    watch(&daemon, is_active, |_| at_least(calls(&aws, LIST), lists));
    aws.world
        .edit(id(ONE), |account| account.summary_overrides.clear());
    watch(&daemon, is_active, |shown| expect_keys(shown, 0.0, 0.0));
}

#[test]
fn one_stale_list_ends_no_alarm_and_two_lists_do() {
    let aws = Simulated::with([reported(HOUR, with_key)]);
    let daemon = aws.launch(&organization("root", "2s")).start();
    daemon.scrape_until(|shown| expect_keys(shown, 1.0, 1.0));
    more_calls(&aws, LIST, 1);
    aws.world
        .edit(id(ONE), |account| account.root.deactivate_keys());
    more_calls(&aws, LIST, 1);
    aws.world.edit(id(ONE), |account| {
        account.root.keys[0].as_mut().unwrap().active = true;
    });
    let is_inactive = |shown: &Exposition| shown.value(ACTIVE, &OF) != Some(1.0);
    let lists = calls(&aws, LIST) + 3;
    watch(&daemon, is_inactive, |_| at_least(calls(&aws, LIST), lists));
    aws.world
        .edit(id(ONE), |account| account.root.deactivate_keys());
    daemon.scrape_until(|shown| expect_keys(shown, 0.0, 1.0));
}

#[test]
fn a_report_refutes_a_stale_summary() {
    let aws = Simulated::with([reported(NEARLY_FOUR_HOURS, with_key)]);
    let config = by_role().replace("\"1s\"", "\"2s\"");
    let daemon = aws.launch(&config).start();
    daemon.scrape_until(|shown| expect_keys(shown, 1.0, 1.0));
    more_calls(&aws, SUMMARY, 1);
    let lags = |account: &mut Account| {
        let entries = &mut account.summary_overrides;
        entries.insert("AccountAccessKeysPresent", Some(0));
    };
    aws.world.edit(id(ONE), lags);
    more_calls(&aws, SUMMARY, 1);
    // No answer between the stale one and the report.
    aws.world
        .fault(Fault::new(FaultKind::Throttling).on(SUMMARY));
    let is_gone = |shown: &Exposition| shown.value(ACTIVE, &OF) != Some(1.0);
    let before = generated(&daemon.scrape());
    watch(&daemon, is_gone, |shown| {
        let is_new = generated(shown) != before;
        is_new.then_some(()).ok_or("no later report".to_owned())
    });
    aws.world.clear_faults();
    let source = [OF[0], ("source", "account_summary")];
    watch(&daemon, is_gone, |shown| {
        shown.expect("aws_account_up", &source, 1.0)
    });
    aws.world
        .edit(id(ONE), |account| account.summary_overrides.clear());
    let summaries = calls(&aws, SUMMARY) + 3;
    watch(&daemon, is_gone, |_| {
        at_least(calls(&aws, SUMMARY), summaries)
    });
}

#[test]
fn a_stored_report_shows_an_inactive_key_where_aws_makes_no_new_report() {
    let aws = Simulated::with([reported(HOUR, with_inactive_key)]);
    aws.world
        .fault(Fault::new(FaultKind::LimitExceeded).on("GenerateCredentialReport"));
    let daemon = aws.launch(&by_role()).start();
    let is_active = |shown: &Exposition| shown.value(ACTIVE, &OF) == Some(1.0);
    watch(&daemon, is_active, |shown| expect_keys(shown, 0.0, 1.0));
}

#[test]
fn a_first_report_is_waited_for_while_requests_are_throttled() {
    let mut account = account(ONE, "production");
    with_inactive_key(&mut account);
    let aws = Simulated::with([account]);
    let refused = Fault::new(FaultKind::Throttling).on("GenerateCredentialReport");
    aws.world.fault(refused.times(2));
    let daemon = aws.launch(&by_role()).start();
    let is_active = |shown: &Exposition| shown.value(ACTIVE, &OF) == Some(1.0);
    watch(&daemon, is_active, |shown| expect_keys(shown, 0.0, 1.0));
}

#[test]
fn one_failure_to_identify_the_caller_delays_by_seconds() {
    let aws = Simulated::with([reported(HOUR, with_key)]);
    let once = Fault::new(FaultKind::ServiceFailure).on("GetCallerIdentity");
    aws.world.fault(once.times(1));
    let config = organization("role", "1s") + "interval = \"1h\"\n";
    let daemon = aws.launch(&config).start();
    daemon.scrape_until(|shown| expect_keys(shown, 1.0, 1.0));
}

#[test]
fn tags_that_cannot_be_read_leave_other_accounts_their_labels() {
    const MEMBERS: std::ops::Range<u64> = 100..130;
    let aws = Simulated::with(MEMBERS.map(|number| {
        let mut account = account(number, "member");
        account.tags.insert("team".into(), "payments".into());
        account
    }));
    let refused = Fault::new(FaultKind::AccessDenied).on("ListTagsForResource");
    aws.world.fault(refused.of(id(MEMBERS.start)));
    let config = organization("root", "1s") + "tag_labels = [\"team\"]\n";
    let daemon = aws.launch(&config).start();
    let labelled = [("label_team", "payments")];
    let others = MEMBERS.count() - 1;
    daemon.scrape_until(|shown| {
        let shown = shown.all("aws_account_info", &labelled).len();
        (shown == others)
            .then_some(())
            .ok_or_else(|| format!("{shown} of {others}"))
    });
}

#[test]
fn a_new_account_is_found_while_reloads_never_end() {
    let aws = Simulated::with([]);
    let config = organization("role", "1s") + "interval = \"1s\"\n";
    let daemon = aws.launch(&config).start();
    daemon.wait_until_ready();
    let slow = FaultKind::Delay(Duration::from_secs(2));
    aws.world.fault(Fault::new(slow).on("ListAccounts"));
    aws.world.add(reported(HOUR, with_key));
    daemon.scrape_until(|shown| {
        assert_eq!(daemon.post("/-/reload").status, 200);
        expect_keys(shown, 1.0, 1.0)
    });
}

#[test]
fn an_unconfirmed_list_stays_unconfirmed_over_reloads() {
    const MEMBERS: std::ops::Range<u64> = 100..120;
    let aws = Simulated::with(MEMBERS.map(|number| account(number, "member")));
    let config = organization("role", "2s") + "interval = \"12s\"\n";
    let daemon = aws.launch(&config).start();
    let monitored = |shown: &Exposition, wanted: usize| {
        let shown = shown.all("aws_account_info", &[]).len();
        (shown == wanted)
            .then_some(())
            .ok_or_else(|| format!("{shown} accounts"))
    };
    let all = MEMBERS.count() + 1;
    daemon.scrape_until(|shown| monitored(shown, all));
    let pages = aws.world.total("ListAccounts");
    for number in MEMBERS.step_by(2) {
        aws.world
            .edit(id(number), |account| account.in_organization = false);
    }
    eventually(PATIENCE, || {
        at_least(aws.world.total("ListAccounts"), pages + 1)
    });
    for _ in 0..2 {
        assert_eq!(daemon.post("/-/reload").status, 200);
    }
    assert_eq!(aws.world.total("ListAccounts"), pages + 1, "lists read");
    monitored(&daemon.scrape(), all).unwrap();
    daemon.scrape_until(|shown| monitored(shown, all / 2 + 1));
}

#[test]
fn a_revoked_session_is_replaced_at_the_first_refusal() {
    let aws = Simulated::with([reported(HOUR, |_| {})]);
    let daemon = aws.launch(&by_role()).start();
    daemon.scrape_until(|shown| expect_keys(shown, 0.0, 0.0));
    let sessions = calls(&aws, "AssumeRole");
    let revoked = Fault::new(FaultKind::AccessDenied).on(SUMMARY);
    aws.world.fault(revoked.of(id(ONE)).times(1));
    more_calls(&aws, SUMMARY, 3);
    let failures = "aws_account_refresh_failures_total";
    let failures = daemon.scrape().all(failures, &OF).len();
    assert_eq!((calls(&aws, "AssumeRole"), failures), (sessions + 1, 0));
}

fn online_check(aws: &Simulated) -> (i32, String) {
    online_check_of(aws, &by_role())
}

fn online_check_of(aws: &Simulated, config: &str) -> (i32, String) {
    let finished = Launch::new(&["--config.check", "--online"])
        .environment(aws.environment())
        .config(config)
        .finish();
    (finished.code, finished.output().join("\n"))
}

#[test]
fn the_online_check_reads_a_report_as_the_daemon_does() {
    let aws = Simulated::with([reported(HOUR, |account| {
        account.report.rewrite = Some(|text| text.lines().take(1).collect());
    })]);
    let (code, out) = online_check(&aws);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("report_malformed"), "{out}");
}

#[test]
fn the_online_check_names_a_report_that_aws_would_not_make() {
    let aws = Simulated::with([reported(HOUR, |_| {})]);
    aws.world
        .fault(Fault::new(FaultKind::AccessDenied).on("GenerateCredentialReport"));
    let (code, out) = online_check(&aws);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("access_denied"), "{out}");
}

#[test]
fn the_online_check_says_that_the_units_cannot_be_read() {
    let aws = Simulated::with([account(101, "member")]);
    let config = format!(
        "[organization]\nenabled = true\ndetails = [\"ou\"]\nexternal_id = \"{EXTERNAL_ID}\"\n"
    );
    let (code, out) = online_check_of(&aws, &config);
    assert_eq!(code, 0, "{out}");
    let denied = Fault::new(FaultKind::AccessDenied).on("ListRoots");
    aws.world.fault(denied);
    let (code, out) = online_check_of(&aws, &config);
    assert_eq!(code, 1, "{out}");
    let line = "units     the organizational units cannot be read (organization.details): ";
    assert!(
        out.contains(line) && out.contains("2 of 2 accounts"),
        "{out}"
    );
}

#[test]
fn the_online_check_asks_about_the_queue_of_events_and_takes_no_message() {
    let aws = Simulated::with([reported(HOUR, |_| {})]);
    let queue = aws
        .world
        .create_queue("aws-root-exporter-0", QueueSettings::default());
    queue.send_all(["one", "two"]);
    let check = |name: &str| {
        let url = format!("https://sqs.us-east-1.amazonaws.com/999000000001/{name}-{{shard}}");
        let config = format!("{}[events]\nqueue_url = \"{url}\"\n", by_role());
        online_check_of(&aws, &config)
    };
    let (code, out) = check("aws-root-exporter");
    assert_eq!(code, 0, "{out}");
    let readable = "aws-root-exporter-0: readable, about 2 messages";
    assert!(out.contains(readable), "{out}");
    assert!(out.contains("USD a month"), "{out}");
    assert_eq!(queue.counts().received, 0);

    let (code, out) = check("absent");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("absent-0 cannot be read: "), "{out}");
    assert!(out.contains("there is no such queue"), "{out}");
    assert!(out.contains("1 of 1 accounts can be read"), "{out}");
}

#[test]
fn a_report_that_names_more_credentials_of_root_is_an_alarm() {
    let aws = Simulated::with([reported(HOUR, |account| {
        with_inactive_key(account);
        account.report.rewrite = Some(|text| {
            let text = text.replacen('\n', ",additional_credentials_info\n", 1);
            text + ",1 more access key"
        });
    })]);
    let daemon = aws.launch(&by_role()).start();
    daemon.scrape_until(|shown| expect_keys(shown, 2.0, 2.0));
    let logged = |line: &str| line.contains("additional_credentials_info").then_some(());
    daemon.process.wait_for("a line in the log", logged);
}

#[test]
fn users_are_shown_soon_after_a_reload_that_enables_them() {
    let aws = Simulated::with([reported(HOUR, |account| {
        let mut user = aws_simulator::User::new("ada", now());
        user.create_key(now());
        account.users.push(user);
    })]);
    let launch = aws.launch(&by_role());
    let file = launch.path("config.toml");
    let daemon = launch.start();
    daemon.scrape_until(|shown| shown.expect("aws_iam_users", &OF, 1.0));
    fs::write(&file, format!("users.detail = true\n{}", by_role())).unwrap();
    assert_eq!(daemon.post("/-/reload").status, 200);
    let key = [OF[0], ("user", "ada"), ("key", "1")];
    daemon.scrape_until(|shown| shown.expect("aws_iam_user_access_key_active", &key, 1.0));
}
