//! The runbooks contain the procedures, step by step and command by command.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{Metric, Posture, Source, Timestamp};

use super::procedure::Membership;
use super::*;
use crate::account::{Access, Account, Details, Partition, RootFeatures};
use crate::failure::Reason;
use crate::views::{AccountView, ExporterView};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap()
}

/// The words of a text, without marks and line ends.
fn plain(text: &str) -> String {
    let text = text.replace(['*', '`', '“', '”', '\\'], " ");
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace(" ,", ",").replace(" .", ".")
}

/// An account with everything that needs a procedure for root credentials.
pub(super) fn view(region: &str, access: Option<Access>) -> AccountView {
    let metric = |value| {
        Some(Metric {
            value,
            source: Source::AccountSummary,
            observed: Timestamp::default(),
            fine_until: None,
        })
    };
    let account = Account {
        id: "111122223333".parse().unwrap(),
        name: String::new(),
        region: region.to_owned(),
        access,
        root_session: false,
        labels: Arc::default(),
        exceptions: Arc::default(),
        details: Arc::default(),
    };
    AccountView {
        posture: Posture {
            keys_active: metric(1),
            keys_present: metric(1),
            mfa_enabled: metric(0),
            certificates_active: metric(1),
            ..Posture::default()
        },
        ..AccountView::unknown(Arc::new(account))
    }
}

fn only<const N: usize>(findings: [Finding; N]) -> Findings {
    Findings(Finding::ALL.map(|finding| findings.contains(&finding)))
}

/// What stands around the steps in a runbook.
const BEGIN: &str = "<!-- steps, made from src/advice/procedure.rs by UPDATE_DOCS=1 cargo test --lib advice -->\n\n";
const END: &str = "<!-- end of the steps -->\n";

// Writing to a string cannot fail.
fn markdown(procedures: &[Procedure]) -> String {
    let mut text = String::new();
    for Procedure { title, when, steps } in procedures {
        let _ = write!(text, "### {title}\n\n{when}\n\n");
        for (step, number) in steps.iter().zip(1..) {
            let _ = writeln!(text, "{number}. {}", step.text);
            if !step.command.is_empty() {
                let command = step.command.replace('\n', "\n   ");
                let _ = write!(text, "\n   ```sh\n   {command}\n   ```\n");
            }
            text.push('\n');
        }
    }
    text
}

#[test]
fn each_runbook_has_the_steps_and_commands_of_its_finding() {
    for finding in [
        Finding::KeyActive,
        Finding::NoMfa,
        Finding::KeyInactive,
        Finding::Certificate,
    ] {
        let steps = |region| {
            let findings = only([finding]);
            procedure::procedures(&view(region, None), findings, &exporter())
        };
        let mut all = steps("us-east-1");
        assert!(all.len() > 1);
        // What is for GovCloud alone.
        let known: Vec<_> = all.iter().map(|it| it.title).collect();
        let of_govcloud = steps("us-gov-west-1").into_iter();
        all.extend(of_govcloud.filter(|it| !known.contains(&it.title)));

        let path = format!("deploy/runbooks/{}.md", finding.alert());
        let text = read(&path);
        let (before, rest) = text.split_once(BEGIN).unwrap_or_else(|| panic!("{path}"));
        let (steps, after) = rest.split_once(END).unwrap_or_else(|| panic!("{path}"));
        let expected = markdown(&all);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let text = format!("{before}{BEGIN}{expected}{END}{after}");
            fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path), text).unwrap();
        } else {
            assert_eq!(steps, expected, "{path}");
        }
    }
}

/// The exporter of an organization, polling every minute.
fn exporter() -> ExporterView {
    ExporterView {
        interval: Duration::from_secs(60),
        ..ExporterView::default()
    }
}

#[test]
fn each_runbook_of_an_unreadable_account_says_what_to_do_about_each_reason() {
    for finding in [Finding::Unreadable, Finding::Unknown, Finding::Failing] {
        let alert = finding.alert();
        let text = read(&format!("deploy/runbooks/{alert}.md"));
        for &reason in Reason::ALL {
            let name = format!("`{}`", reason.as_str());
            let row = text
                .lines()
                .find(|line| line.starts_with('|') && line.contains(&name));
            let row = row.unwrap_or_else(|| panic!("{alert} has no row for {name}"));
            assert!(
                plain(row).contains(&plain(words::advice(reason))),
                "{alert}: {name}"
            );
        }
        let view = view("us-east-1", None);
        let findings = only([finding, Finding::Failing]);
        let procedures = procedure::procedures(&view, findings, &exporter());
        let last = procedures[0].steps.last().unwrap();
        for part in [&last.text, &last.command] {
            assert!(plain(&text).contains(&plain(part)), "{alert}: {part}");
        }
    }
}

/// The titles of the procedures against some findings, in a Region.
fn titles(
    region: &str,
    membership: Membership,
    findings: impl IntoIterator<Item = Finding>,
) -> Vec<&'static str> {
    let mut exporter = exporter();
    let mut account = view(region, Some(Access::Profile("audit".to_owned())));
    match membership {
        Membership::Management => exporter.management = Some(account.account.id),
        Membership::Member => {
            exporter.features = Some(RootFeatures {
                credentials_management: true,
                sessions: true,
            });
            Arc::make_mut(&mut account.account).root_session = true;
        }
        Membership::Unknown => {}
    }
    let findings: Vec<_> = findings.into_iter().collect();
    let findings = Findings(Finding::ALL.map(|finding| findings.contains(&finding)));
    let procedures = procedure::procedures(&account, findings, &exporter);
    procedures.iter().map(|it| it.title).collect()
}

const FIND_OUT: &str = "Find out who made the key and who uses it";
const DEACTIVATE: &str = "Deactivate the key, and wait";
const WITH_THIS_PROGRAM: &str = "Delete the key with this program";
const WITH_THE_CLI: &str = "Or delete the key with the AWS CLI";
const IN_THE_CONSOLE: &str = "Or delete the key in the console";

#[test]
fn an_active_key_is_traced_and_deactivated_before_it_is_deleted() {
    let active = |region, membership| titles(region, membership, [Finding::KeyActive]);
    let deletions = [WITH_THIS_PROGRAM, WITH_THE_CLI, IN_THE_CONSOLE];
    for membership in [Membership::Member, Membership::Unknown] {
        let titles = active("us-east-1", membership);
        assert_eq!(titles[..2], [FIND_OUT, DEACTIVATE]);
        assert_eq!(titles[2..], deletions);
    }
    assert_eq!(
        active("us-east-1", Membership::Management),
        [FIND_OUT, DEACTIVATE, "Delete the key in the console"]
    );
    // The root user cannot sign in to the console of GovCloud.
    let with_itself = "Or delete the key with the root key itself";
    assert_eq!(
        active("us-gov-west-1", Membership::Unknown),
        [FIND_OUT, WITH_THIS_PROGRAM, WITH_THE_CLI, with_itself]
    );
}

#[test]
fn the_address_of_the_root_user_is_named_where_it_is_needed() {
    let mut view = view("us-east-1", None);
    let address = "root+payments@example.com";
    Arc::make_mut(&mut view.account).details = Arc::new(Details {
        email: Some(address.to_owned()),
        ou: None,
    });
    let findings = only([Finding::KeyActive]);
    let procedures = procedure::procedures(&view, findings, &exporter());
    let steps: Vec<_> = procedures.iter().flat_map(|it| &it.steps).collect();
    let sign_ins = steps
        .iter()
        .filter(|step| step.text.starts_with("Sign in as"));
    assert!(sign_ins.clone().count() > 0);
    for step in sign_ins {
        assert!(
            step.text.contains(&format!("e-mail address {address}, ")),
            "{}",
            step.text
        );
    }
}

#[test]
fn an_inactive_key_is_deleted_at_once() {
    let inactive = titles("us-east-1", Membership::Member, [Finding::KeyInactive]);
    assert_eq!(inactive, [WITH_THIS_PROGRAM, WITH_THE_CLI, IN_THE_CONSOLE]);
}

#[test]
fn mfa_is_for_those_who_keep_their_root_password() {
    let mfa = |membership| titles("us-east-1", membership, [Finding::NoMfa]);
    let enrol = "Enrol an MFA device for the root user";
    let remove = "Remove the root password";
    assert_eq!(mfa(Membership::Management), [enrol]);
    assert_eq!(mfa(Membership::Member), [remove, enrol]);
    assert_eq!(mfa(Membership::Unknown), [enrol, remove]);
}

#[test]
fn no_command_has_a_gap_or_deletes_anything_but_as_root() {
    for region in ["us-east-1", "us-gov-west-1"] {
        let findings = Findings([true; Finding::ALL.len()]);
        let procedures = procedure::procedures(&view(region, None), findings, &exporter());
        let steps = procedures.iter().flat_map(|it| &it.steps);
        let commands: Vec<_> = steps.map(|step| step.command.as_str()).collect();
        assert!(
            commands
                .iter()
                .any(|command| command.contains("aws iam delete-"))
        );
        for command in commands {
            assert!(!command.contains('…'), "{command}");
            if let Some((guard, _)) = command.split_once("aws iam delete-") {
                let partition = Partition::of_region(region);
                let root = format!("arn:{partition}:iam::111122223333:root &&\n");
                assert!(guard.contains(&root), "{command}");
            }
        }
    }
}

#[test]
fn the_runbook_of_an_alert_is_where_its_rule_says() {
    let rules = read("deploy/prometheus/aws-root-exporter.rules.yml");
    let alerts = Finding::ALL.map(Finding::alert);
    let others = [
        "AWSRootAccessKeyUsed",
        "AWSRootConsoleSignIn",
        "AWSRootAccessKeyCreated",
        "AWSRootActivity",
        "AWSRootPushTampered",
        "AWSAccountPushDown",
    ];
    for alert in alerts.into_iter().chain(others) {
        assert!(rules.contains(&format!("{RUNBOOKS}{alert}.md")), "{alert}");
    }
}

#[test]
fn the_alerts_of_push_are_those_of_the_rules() {
    use crate::activity::{Activities, Activity, RootEvent};

    const HOUR: i64 = 3600;
    let now = Timestamp::from_unix(1_800_000_000);
    let ago = |seconds| Timestamp::from_unix(now.unix() - seconds);
    let alerts_of = |event, seconds| {
        let mut view = view("us-east-1", None);
        Arc::<Activities>::make_mut(&mut view.activities)
            .add(Activity::example(event, ago(seconds)));
        alerts(&view, Findings::default(), now)
    };
    let (created, other) = (RootEvent::CreateAccessKey, RootEvent::Other);
    assert_eq!(alerts_of(created, 23 * HOUR), ["AWSRootAccessKeyCreated"]);
    assert!(alerts_of(created, 24 * HOUR).is_empty());
    assert_eq!(alerts_of(other, HOUR - 1), ["AWSRootActivity"]);
    assert!(alerts_of(other, HOUR).is_empty());

    let mut broken = view("us-east-1", None);
    broken.push.up = Some(false);
    broken.push.tampered = Some(ago(23 * HOUR));
    let expected = ["AWSRootPushTampered", "AWSAccountPushDown"];
    assert_eq!(alerts(&broken, Findings::default(), now), expected);
    broken.push.up = Some(true);
    broken.push.tampered = Some(ago(24 * HOUR));
    assert!(alerts(&broken, Findings::default(), now).is_empty());
}
