//! Whole organizations over the simulated AWS: discovery, root sessions, shards, reload.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use aws_simulator::{AccountState, Fault, FaultKind};

use test_support::daemon::{ANY_PORT, Daemon, Launch};
use test_support::exposition::Exposition;
use test_support::simulated::{EXTERNAL_ID, HUB, ROLE, Simulated, account, id};
use test_support::{PATIENCE, eventually, state};

const ACTIVE: &str = "aws_root_access_keys_active";

/// Odd names, as people give them.
const ODD: [&str; 4] = [
    "Ünited \"Payments\"",
    "a, b; c",
    "back\\slash",
    "<script>alert(1)</script>",
];

fn config(rest: &str) -> String {
    format!(
        "refresh.interval = \"1s\"\n[state]\npath = \"state.redb\"\n[organization]\nenabled = true\n\
         interval = \"1s\"\nexternal_id = \"{EXTERNAL_ID}\"\n{rest}"
    )
}

/// 50 members and the management account on three pages, an empty page between them: 101 and 102
/// are suspended or closed, 103 is to be excluded, and the role of 104 cannot be assumed.
fn fifty() -> Simulated {
    let simulated = Simulated::with((101..=150).map(|number| {
        let odd = (110..=113)
            .contains(&number)
            .then(|| ODD[usize::try_from(number - 110).unwrap()]);
        let name = odd.map_or_else(|| format!("member-{number}"), str::to_owned);
        let mut account = account(number, &name);
        account
            .tags
            .insert("team".into(), format!("team \"{number}\""));
        account.tags.insert("other".into(), "not wanted".into());
        account
    }));
    simulated.world.edit(id(101), |account| {
        account.state = Some(AccountState::Suspended);
    });
    simulated.world.edit(id(102), |account| {
        account.state = Some(AccountState::Closed);
        account.status = None;
    });
    simulated.world.edit(id(104), |account| {
        account.roles.remove(ROLE);
    });
    simulated.world.edit(id(105), |account| {
        account.state = Some(AccountState::PendingClosure);
        account.root.create_key(1_700_000_000);
    });
    simulated.world.organization(|organization| {
        organization.page_size = 20;
        organization.empty_page_before = Some(1);
    });
    simulated
}

fn living() -> BTreeSet<String> {
    (104..=150)
        .chain([HUB])
        .map(|number| id(number).to_string())
        .collect()
}

fn shown(exposition: &Exposition) -> BTreeSet<String> {
    let infos = exposition.all("aws_account_info", &[]);
    infos
        .into_iter()
        .map(|info| info.labels["account"].clone())
        .collect()
}

fn expect_accounts(exposition: &Exposition, wanted: &BTreeSet<String>) -> Result<(), String> {
    let shown = shown(exposition);
    if shown == *wanted {
        return Ok(());
    }
    let missing: Vec<_> = wanted.difference(&shown).collect();
    let more: Vec<_> = shown.difference(wanted).collect();
    Err(format!("missing {missing:?}, too many {more:?}"))
}

fn text(number: u64) -> String {
    id(number).to_string()
}

#[test]
fn exactly_the_active_accounts_are_monitored_with_their_names_and_tags() {
    let aws = fifty();
    let excluded = text(103);
    let rest = format!("exclude = [\"{excluded}\"]\ntag_labels = [\"team\"]\n");
    let daemon = aws.launch(&config(&rest)).start();
    daemon.wait_until_ready();
    let shown = daemon.scrape_until(|shown| {
        expect_accounts(shown, &living())?;
        shown.expect("aws_accounts", &[("state", "monitored")], 48.0)?;
        shown.expect("aws_accounts", &[("state", "excluded")], 1.0)?;
        shown.expect("aws_accounts", &[("state", "inactive")], 2.0)?;
        shown.expect("aws_root_exporter_discovery_up", &[], 1.0)?;
        shown.expect(ACTIVE, &[("account", &text(105))], 1.0)?;
        let labels = [("account", &*text(150)), ("label_team", "team \"150\"")];
        shown.expect("aws_account_info", &labels, 1.0)
    });
    for (number, name) in (110..).zip(ODD) {
        let info = shown.all("aws_account_info", &[("account", &text(number))]);
        assert_eq!(info[0].labels["account_name"], name);
        assert!(!info[0].labels.contains_key("label_other"));
    }
    let refused = text(104);
    assert_eq!(shown.value(ACTIVE, &[("account", &refused)]), None);
    for source in ["account_summary", "credential_report"] {
        let labels = [
            ("account", &*refused),
            ("source", source),
            ("reason", "assume_role"),
        ];
        let failures = shown.value("aws_account_refresh_failures_total", &labels);
        assert!(
            failures.unwrap_or_default() >= 1.0,
            "{source}: {failures:?}"
        );
    }
    // The caller's own account is read with its own credentials, all others by role.
    assert_eq!(aws.world.count(id(HUB), "AssumeRole"), 0);
    let before = aws.world.count(id(120), "GetAccountSummary");
    eventually(PATIENCE, || {
        let polls = aws.world.count(id(120), "GetAccountSummary") - before;
        (polls >= 10).then_some(()).ok_or(format!("{polls} polls"))
    });
    assert!(aws.world.count(id(120), "AssumeRole") <= 2);
}

#[test]
fn accounts_join_and_leave_and_a_refused_list_changes_nothing() {
    let aws = Simulated::with((101..=130).map(|number| account(number, "member")));
    aws.world.edit(id(101), |account| {
        account.root.create_key(1_700_000_000);
    });
    let config = config("");
    let mut launch = aws.launch(&config);
    let path = launch.path("state.redb");
    launch = launch.argument("--log.level=debug");
    let daemon = launch.start();
    daemon.wait_until_ready();
    let key = [("account", &*text(101))];
    daemon.scrape_until(|shown| shown.expect(ACTIVE, &key, 1.0));

    aws.world.add(account(200, "new"));
    aws.world.edit(id(130), |account| {
        account.state = Some(AccountState::Suspended);
    });
    aws.world
        .edit(id(129), |account| account.name = "renamed".into());
    let gone = text(130);
    daemon.scrape_until(|shown| {
        shown.expect(ACTIVE, &[("account", &text(200))], 0.0)?;
        let left = [("account", &*gone), ("reason", "closed")];
        shown.expect("aws_account_left", &left, 1.0)?;
        let renamed = [("account", &*text(129)), ("account_name", "renamed")];
        shown.expect("aws_account_info", &renamed, 1.0)
    });
    let shown = daemon.scrape();
    assert!(!self::shown(&shown).contains(&gone));
    assert_eq!(shown.value(ACTIVE, &[("account", &gone)]), None);

    // From now on the list is refused: everything stays.
    let refused = Fault::new(FaultKind::AccessDenied).on("ListAccounts");
    aws.world.fault(refused);
    let all = self::shown(&shown);
    let shown =
        daemon.scrape_until(|shown| shown.expect("aws_root_exporter_discovery_up", &[], 0.0));
    assert_eq!(self::shown(&shown), all);
    daemon.scrape_until(|shown| shown.expect(ACTIVE, &key, 1.0));
    state::read_until(&path, |kept| {
        let kept = kept.to_string();
        let is_kept = kept.contains("renamed") && kept.contains(&text(200));
        is_kept.then_some(()).ok_or(kept)
    });
    daemon.process.signal("KILL");
    let kept = fs::read(&path).unwrap();
    let content = String::from_utf8_lossy(&kept);
    assert!(!content.contains(EXTERNAL_ID) && !content.contains("@example.com"));

    // A start meanwhile continues with the last list and the known values.
    aws.world
        .fault(Fault::new(FaultKind::AccessDenied).of(id(101)));
    let launch = aws.launch(&config);
    fs::write(launch.path("state.redb"), kept).unwrap();
    let daemon = launch.start();
    let shown = daemon.scrape_until(|shown| {
        expect_accounts(shown, &all)?;
        shown.expect("aws_root_exporter_discovery_up", &[], 0.0)
    });
    shown.expect(ACTIVE, &key, 1.0).unwrap();
    let left = [("account", &*gone), ("reason", "closed")];
    shown.expect("aws_account_left", &left, 1.0).unwrap();
}

#[test]
fn a_list_that_lost_half_needs_a_second_one_to_confirm_it() {
    let aws = Simulated::with((101..=120).map(|number| account(number, "member")));
    let daemon = aws.launch(&config("")).start();
    daemon.wait_until_ready();
    let before = aws.world.total("ListAccounts");
    for number in 101..=110 {
        aws.world
            .edit(id(number), |account| account.in_organization = false);
    }
    daemon.scrape_until(|shown| {
        shown.expect("aws_accounts", &[("state", "monitored")], 11.0)?;
        let left = [("account", &*text(101)), ("reason", "removed")];
        shown.expect("aws_account_left", &left, 1.0)
    });
    assert!(aws.world.total("ListAccounts") >= before + 2);
}

#[test]
fn endless_pages_are_not_a_list() {
    let aws = Simulated::with((101..=110).map(|number| account(number, "member")));
    let daemon = aws.launch(&config("")).start();
    daemon.wait_until_ready();
    aws.world
        .fault(Fault::new(FaultKind::EmptyPageForEver).on("ListAccounts"));
    let before = aws.world.total("ListAccounts");
    let shown =
        daemon.scrape_until(|shown| shown.expect("aws_root_exporter_discovery_up", &[], 0.0));
    assert_eq!(self::shown(&shown).len(), 11);
    let pages = aws.world.total("ListAccounts") - before;
    assert!(pages < 50, "{pages} pages requested");
}

#[test]
fn three_shards_share_the_organization() {
    let aws = Simulated::with((101..=190).map(|number| account(number, "member")));
    let mut all = BTreeSet::new();
    for index in 0..3 {
        let daemon = aws
            .launch(&config(""))
            .argument(&format!("--shard.index={index}"))
            .environment([("AWS_ROOT_EXPORTER__SHARD__TOTAL", "3".to_owned())])
            .start();
        daemon.wait_until_ready();
        let shown = daemon.scrape();
        let accounts = self::shown(&shown);
        assert!(accounts.len() > 15, "shard {index} has {}", accounts.len());
        assert!(accounts.is_disjoint(&all));
        shown
            .expect("aws_root_exporter_shard_index", &[], f64::from(index))
            .unwrap();
        assert!(shown.all("aws_account_left", &[]).is_empty());
        all.extend(accounts);
    }
    assert_eq!(all.len(), 91);
}

#[test]
fn root_sessions_alone_distinguish_active_from_inactive() {
    let aws = Simulated::with((101..=103).map(|number| account(number, "member")));
    aws.world.edit(id(101), |account| {
        account.root.create_key(1_700_000_000);
        account.root.deactivate_keys();
        account.root.create_key(1_750_000_000);
        account.root.use_key(1, 1_760_000_000, "eu-central-1", "s3");
        account.root.mfa = false;
    });
    let daemon = aws.launch(&config("access = \"root\"\n")).start();
    daemon.wait_until_ready();
    let account = text(101);
    let of = [("account", &*account)];
    let shown = daemon.scrape_until(|shown| {
        shown.expect(ACTIVE, &of, 1.0)?;
        shown.expect("aws_root_access_keys_present", &of, 2.0)?;
        shown.expect("aws_root_mfa_enabled", &of, 0.0)?;
        shown.expect("aws_root_password_enabled", &of, 1.0)?;
        shown.expect("aws_root_signing_certificates_active", &of, 0.0)?;
        let source = [("account", &*account), ("source", "root_session")];
        shown.expect("aws_account_up", &source, 1.0)?;
        let second = [("account", &*account), ("key", "2")];
        let used = "aws_root_access_key_last_used_timestamp_seconds";
        shown.expect(used, &second, 1_760_000_000.0)?;
        let place = [("aws_region", "eu-central-1"), ("aws_service", "s3")];
        let info = "aws_root_access_key_last_used_info";
        shown.expect(info, &[second[0], second[1], place[0], place[1]], 1.0)
    });
    assert!(
        shown
            .all(
                "aws_account_up",
                &[("account", &account), ("source", "credential_report")]
            )
            .is_empty()
    );
    for number in 101..=103 {
        assert_eq!(aws.world.count(id(number), "AssumeRole"), 0);
        assert_eq!(aws.world.count(id(number), "GenerateCredentialReport"), 0);
        assert_eq!(aws.world.count(id(number), "AssumeRoot"), 1);
    }
    // The management account is read by its report.
    assert_eq!(aws.world.count(id(HUB), "AssumeRoot"), 0);
    shown
        .expect(ACTIVE, &[("account", &text(HUB))], 0.0)
        .unwrap();

    // A key is activated, then both are deleted: neither needs a report.
    aws.world.edit(id(101), |account| {
        let first = account.root.keys[0].as_mut().unwrap();
        first.active = true;
    });
    daemon.scrape_until(|shown| shown.expect(ACTIVE, &of, 2.0));
    aws.world
        .edit(id(101), |account| account.root.delete_keys());
    daemon.scrape_until(|shown| {
        shown.expect(ACTIVE, &of, 0.0)?;
        shown.expect("aws_root_access_keys_present", &of, 0.0)
    });
}

#[test]
fn centralized_root_access_that_is_off_leaves_the_account_unknown() {
    let aws = Simulated::with([account(101, "member")]);
    aws.world
        .organization(|organization| organization.root_access = false);
    let daemon = aws.launch(&config("access = \"root\"\n")).start();
    daemon.wait_until_ready();
    let account = text(101);
    let shown = daemon.scrape();
    assert_eq!(shown.value(ACTIVE, &[("account", &account)]), None);
    let reason = [("account", &*account), ("reason", "unsupported")];
    let failures = shown.all("aws_account_refresh_failures_total", &reason);
    assert!(!failures.is_empty());
    let is_logged = |line: &String| line.contains("enable-organizations-root-sessions");
    assert!(daemon.process.lines().iter().any(is_logged));
}

#[test]
fn with_both_kinds_of_access_the_loss_of_one_changes_no_value() {
    let aws = Simulated::with([account(101, "member")]);
    let daemon = aws.launch(&config("access = \"both\"\n")).start();
    daemon.wait_until_ready();
    let account = text(101);
    let of = [("account", &*account)];
    daemon.scrape_until(|shown| shown.expect(ACTIVE, &of, 0.0));
    aws.world.edit(id(101), |account| {
        account.roles.remove(ROLE);
        account.root.create_key(1_700_000_000);
    });
    // The session of the role lasts an hour; AWS must refuse it before.
    aws.world.fault(
        Fault::new(FaultKind::ExpiredToken)
            .of(id(101))
            .on("GetAccountSummary"),
    );
    daemon.scrape_until(|shown| {
        shown.expect(ACTIVE, &of, 1.0)?;
        let down = [("account", &*account), ("source", "account_summary")];
        shown.expect("aws_account_up", &down, 0.0)?;
        let up = [("account", &*account), ("source", "root_session")];
        shown.expect("aws_account_up", &up, 1.0)
    });
}

fn reload(daemon: &Daemon) -> (u16, String) {
    let response = daemon.post("/-/reload");
    (response.status, response.text().to_owned())
}

#[test]
fn a_reload_applies_all_or_nothing_and_loses_nothing() {
    let aws = Simulated::with((101..=103).map(|number| account(number, "member")));
    aws.world.edit(id(101), |account| {
        account.root.create_key(1_700_000_000);
    });
    let listed = test_support::simulated::listed;
    let good = format!("refresh.interval = \"1s\"\n{}{}", listed(101), listed(102));
    let launch = aws.launch(&good);
    let file = launch.path("config.toml");
    let daemon = launch.start();
    daemon.wait_until_ready();
    let key = [("account", &*text(101))];
    daemon.scrape_until(|shown| shown.expect(ACTIVE, &key, 1.0));
    let reports = aws.world.count(id(101), "GenerateCredentialReport");
    let sessions = aws.world.count(id(101), "AssumeRole");

    fs::write(&file, format!("{good}\nrefresh.intervall = \"2s\"\n")).unwrap();
    let (status, why) = reload(&daemon);
    assert_eq!(status, 500);
    assert!(why.contains("config.toml"), "{why}");
    let shown = daemon.scrape();
    let successful = "aws_root_exporter_config_last_reload_successful";
    shown.expect(successful, &[], 0.0).unwrap();
    shown.expect(ACTIVE, &key, 1.0).unwrap();

    fs::write(&file, format!("{good}{}", listed(103))).unwrap();
    let (status, done) = reload(&daemon);
    assert_eq!(status, 200, "{done}");
    let shown = daemon.scrape();
    shown.expect(successful, &[], 1.0).unwrap();
    shown.expect(ACTIVE, &key, 1.0).unwrap();
    assert!(
        self::shown(&shown).contains(&text(103)),
        "applied before the answer"
    );
    daemon.scrape_until(|shown| shown.expect(ACTIVE, &[("account", &text(103))], 0.0));
    assert_eq!(
        aws.world.count(id(101), "GenerateCredentialReport"),
        reports
    );
    assert_eq!(aws.world.count(id(101), "AssumeRole"), sessions);

    // SIGHUP, and an account that leaves.
    fs::write(&file, format!("refresh.interval = \"2s\"\n{}", listed(101))).unwrap();
    daemon.process.signal("HUP");
    let shown = daemon.scrape_until(|shown| {
        let left = [("account", &*text(102)), ("reason", "removed")];
        shown.expect("aws_account_left", &left, 1.0)?;
        shown.expect("aws_root_exporter_refresh_interval_seconds", &[], 2.0)
    });
    shown.expect(ACTIVE, &key, 1.0).unwrap();
    assert_eq!(self::shown(&shown), BTreeSet::from([text(101)]));
    let refused = daemon.get("/-/reload", &[]);
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, Some("POST"))
    );
    // A setting that needs a restart is named, and nothing changes.
    fs::write(&file, format!("log.level = \"debug\"\n{}", listed(101))).unwrap();
    let (status, why) = reload(&daemon);
    assert_eq!(status, 500);
    assert!(
        why.contains("log.level") && why.contains("restart"),
        "{why}"
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_is_replaced_through_a_link_is_reloaded() {
    use std::os::unix::fs::symlink;
    let aws = Simulated::with((101..=102).map(|number| account(number, "member")));
    let listed = test_support::simulated::listed;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (data, accounts) in [
        ("one", listed(101)),
        ("two", format!("{}{}", listed(101), listed(102))),
    ] {
        fs::create_dir(path(data)).unwrap();
        let text = format!("refresh.interval = \"1s\"\nreload.auto = true\n{accounts}");
        fs::write(path(data).join("config.toml"), text).unwrap();
    }
    // As the kubelet lays a ConfigMap: file -> ..data/file, ..data -> a folder of this version.
    symlink("one", path("..data")).unwrap();
    symlink("..data/config.toml", path("config.toml")).unwrap();
    let daemon = Launch::new(&[ANY_PORT])
        .environment(aws.environment())
        .argument("--config.file")
        .argument(path("config.toml").to_str().unwrap())
        .start();
    daemon.wait_until_ready();
    symlink("two", path("..data_tmp")).unwrap();
    fs::rename(path("..data_tmp"), path("..data")).unwrap();
    daemon.scrape_until(|shown| shown.expect(ACTIVE, &[("account", &text(102))], 0.0));
}

#[test]
fn a_thousand_accounts_are_known_soon_and_asked_no_more_than_needed() {
    let aws = Simulated::with((1001..=2000).map(|number| account(number, "member")));
    aws.world.edit(id(1500), |account| {
        account.root.create_key(1_700_000_000);
    });
    let config = config("").replace("interval = \"1s\"", "interval = \"10s\"");
    let daemon = aws.launch(&config).start();
    eventually(Duration::from_secs(120), || {
        let ready = daemon.get("/-/ready", &[]);
        (ready.status == 200)
            .then_some(())
            .ok_or_else(|| ready.text().to_owned())
    });
    // Its report is not complete when its summary arrives; the value waits for it.
    let shown = daemon.scrape_until(|shown| shown.expect(ACTIVE, &[("account", &text(1500))], 1.0));
    assert_eq!(self::shown(&shown).len(), 1001);
    eventually(PATIENCE, || {
        let reports = aws.world.total("GetCredentialReport");
        (reports == 1001)
            .then_some(())
            .ok_or_else(|| format!("{reports} reports"))
    });
    assert_eq!(aws.world.total("AssumeRole"), 1000);
}

#[test]
fn the_online_check_tries_every_account_and_names_what_is_missing() {
    let aws = fifty();
    let run = |accounts: &str| {
        Launch::new(&["--config.check", "--online"])
            .environment(aws.environment())
            .config(accounts)
            .finish()
    };
    let finished = run(&config("access = \"both\"\ntag_labels = [\"team\"]\n"));
    let out = finished.output().join("\n");
    assert_eq!(finished.code, 1, "{out}");
    assert!(out.contains("49 to watch, 0 excluded, 2 inactive"), "{out}");
    let row = |number: u64| {
        let mut lines = finished.out.lines();
        let found = lines.find(|line| line.starts_with(&text(number)));
        found.unwrap_or_else(|| panic!("no row of {number}: {out}"))
    };
    let words: Vec<_> = row(104).split_whitespace().rev().take(3).collect();
    assert_eq!(words, ["ok", "assume_role", "assume_role"]);
    assert!(out.contains("trust policy"), "{out}");
    let words: Vec<_> = row(150).split_whitespace().rev().take(3).collect();
    assert_eq!(words, ["ok", "ok", "ok"]);
    assert!(out.contains("48 of 49 accounts"), "{out}");
    assert!(
        out.contains("AWS calls a day") && !out.contains(EXTERNAL_ID),
        "{out}"
    );

    let listed = test_support::simulated::listed;
    let finished = run(&format!("{}{}", listed(120), listed(121)));
    assert_eq!(finished.code, 0, "{:?}", finished.output());
}
