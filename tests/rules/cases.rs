//! The alerts about an account or about the exporter's own state: samples with which each fires, and
//! samples with which it does not.

use crate::timeline::{Sample, Value};

/// With which replicas an alert fires while they differ.
#[derive(Clone, Copy, PartialEq)]
pub enum Fires {
    /// One that alarms is enough, until all agree that all is fine.
    IfAnyAlarms,
    /// All must alarm: what one replica can read is known.
    IfAllAlarm,
}

pub struct Case {
    pub alert: &'static str,
    /// Minutes from the sample to the alert.
    pub minutes: u32,
    pub alarming: &'static [Sample],
    pub fine: &'static [Sample],
    pub fires: Fires,
    /// Whether it is about an account, which can be renamed, move to another shard and leave.
    pub of_account: bool,
}

use Fires::{IfAllAlarm, IfAnyAlarms};
use Value::{Ago, Is};

const HOUR: f64 = 3600.0;

const fn if_any_alarms(
    alert: &'static str,
    minutes: u32,
    alarming: &'static [Sample],
    fine: &'static [Sample],
) -> Case {
    Case {
        alert,
        minutes,
        alarming,
        fine,
        fires: IfAnyAlarms,
        of_account: true,
    }
}

const fn if_all_alarm(
    alert: &'static str,
    minutes: u32,
    alarming: &'static [Sample],
    fine: &'static [Sample],
) -> Case {
    Case {
        fires: IfAllAlarm,
        ..if_any_alarms(alert, minutes, alarming, fine)
    }
}

const fn of_exporter(
    alert: &'static str,
    minutes: u32,
    alarming: &'static [Sample],
    fine: &'static [Sample],
) -> Case {
    Case {
        of_account: false,
        ..if_any_alarms(alert, minutes, alarming, fine)
    }
}

/// One case for each alert; `scenarios` adds the account's name.
pub const CASES: &[Case] = &[
    if_any_alarms(
        "AWSRootAccessKeyActive",
        0,
        &[Sample("aws_root_access_keys_active", Is(1.0))],
        &[Sample("aws_root_access_keys_active", Is(0.0))],
    ),
    if_any_alarms(
        "AWSRootAccessKeyPresent",
        0,
        &[
            Sample("aws_root_access_keys_present", Is(1.0)),
            Sample("aws_root_access_keys_active", Is(0.0)),
        ],
        &[
            Sample("aws_root_access_keys_present", Is(0.0)),
            Sample("aws_root_access_keys_active", Is(0.0)),
        ],
    ),
    if_any_alarms(
        "AWSRootMFADisabled",
        15,
        &[Sample("aws_root_mfa_enabled", Is(0.0))],
        &[Sample("aws_root_mfa_enabled", Is(1.0))],
    ),
    if_any_alarms(
        "AWSRootSigningCertificateActive",
        0,
        &[Sample("aws_root_signing_certificates_active", Is(2.0))],
        &[Sample("aws_root_signing_certificates_active", Is(0.0))],
    ),
    if_all_alarm(
        "AWSAccountUnreadable",
        10,
        &[
            Sample("aws_account_up{source=\"credential_report\"}", Is(0.0)),
            Sample("aws_account_up{source=\"account_summary\"}", Is(0.0)),
            Sample(
                "aws_account_last_success_timestamp_seconds{source=\"credential_report\"}",
                Is(-HOUR),
            ),
        ],
        &[
            Sample("aws_account_up{source=\"credential_report\"}", Is(0.0)),
            Sample("aws_account_up{source=\"account_summary\"}", Is(1.0)),
            Sample(
                "aws_account_last_success_timestamp_seconds{source=\"account_summary\"}",
                Ago(20.0),
            ),
        ],
    ),
    if_all_alarm(
        "AWSRootPostureUnknown",
        15,
        &[],
        &[Sample("aws_root_access_keys_active", Is(0.0))],
    ),
    if_all_alarm(
        "AWSRootEvidenceStale",
        15,
        &[
            Sample(
                "aws_account_last_success_timestamp_seconds{source=\"root_session\"}",
                Is(-HOUR),
            ),
            Sample(
                "aws_account_last_success_timestamp_seconds{source=\"credential_report\"}",
                Ago(60.0),
            ),
        ],
        &[Sample(
            "aws_account_last_success_timestamp_seconds{source=\"root_session\"}",
            Ago(60.0),
        )],
    ),
    if_all_alarm(
        "AWSCredentialReportStale",
        15,
        &[Sample(
            "aws_credential_report_generated_timestamp_seconds",
            Is(-11.0 * HOUR),
        )],
        &[Sample(
            "aws_credential_report_generated_timestamp_seconds",
            Ago(9.0 * HOUR),
        )],
    ),
    if_any_alarms(
        "AWSAccountRefreshFailing",
        30,
        &[
            Sample("aws_account_up{source=\"credential_report\"}", Is(1.0)),
            Sample("aws_account_up{source=\"account_summary\"}", Is(0.0)),
        ],
        &[
            Sample("aws_account_up{source=\"credential_report\"}", Is(1.0)),
            Sample("aws_account_up{source=\"account_summary\"}", Is(1.0)),
        ],
    ),
    if_any_alarms(
        "AWSAccountPushDown",
        30,
        &[
            Sample("aws_account_push_up", Is(0.0)),
            Sample("aws_root_exporter_events_up", Is(1.0)),
        ],
        &[
            Sample("aws_account_push_up", Is(1.0)),
            Sample("aws_root_exporter_events_up", Is(1.0)),
        ],
    ),
    of_exporter(
        "AWSOrganizationDiscoveryFailing",
        30,
        &[Sample("aws_root_exporter_discovery_up", Is(0.0))],
        &[Sample("aws_root_exporter_discovery_up", Is(1.0))],
    ),
    of_exporter(
        "AWSRootExporterReloadFailed",
        5,
        &[Sample(
            "aws_root_exporter_config_last_reload_successful",
            Is(0.0),
        )],
        &[Sample(
            "aws_root_exporter_config_last_reload_successful",
            Is(1.0),
        )],
    ),
    of_exporter(
        "AWSRootExporterStateNotSaved",
        15,
        &[Sample(
            "aws_root_exporter_state_last_save_successful",
            Is(0.0),
        )],
        &[Sample(
            "aws_root_exporter_state_last_save_successful",
            Is(1.0),
        )],
    ),
    of_exporter(
        "AWSRootExporterEventsDown",
        15,
        &[Sample("aws_root_exporter_events_up", Is(0.0))],
        &[Sample("aws_root_exporter_events_up", Is(1.0))],
    ),
    of_exporter(
        "AWSRootExporterOverloaded",
        15,
        &[
            Sample("aws_root_exporter_refresh_lag_seconds", Is(301.0)),
            Sample("aws_root_exporter_refresh_interval_seconds", Is(60.0)),
        ],
        &[
            Sample("aws_root_exporter_refresh_lag_seconds", Is(299.0)),
            Sample("aws_root_exporter_refresh_interval_seconds", Is(60.0)),
        ],
    ),
    if_any_alarms(
        "AWSIAMUserAccessKeyOld",
        60,
        &[Sample(
            "aws_iam_user_access_keys_active_older_than{days=\"90\"}",
            Is(3.0),
        )],
        &[
            Sample(
                "aws_iam_user_access_keys_active_older_than{days=\"90\"}",
                Is(0.0),
            ),
            // Another age, which this alert ignores.
            Sample(
                "aws_iam_user_access_keys_active_older_than{days=\"30\"}",
                Is(4.0),
            ),
        ],
    ),
    if_any_alarms(
        "AWSIAMUserCredentialUnused",
        60,
        &[Sample(
            "aws_iam_user_credentials_unused_for{days=\"45\"}",
            Is(1.0),
        )],
        &[Sample(
            "aws_iam_user_credentials_unused_for{days=\"45\"}",
            Is(0.0),
        )],
    ),
    if_any_alarms(
        "AWSIAMUserConsoleWithoutMFA",
        60,
        &[Sample(
            "aws_iam_users_password_enabled_without_mfa",
            Is(2.0),
        )],
        &[Sample(
            "aws_iam_users_password_enabled_without_mfa",
            Is(0.0),
        )],
    ),
    if_any_alarms(
        "AWSIAMUserSigningCertificateActive",
        60,
        &[Sample("aws_iam_user_signing_certificates_active", Is(1.0))],
        &[Sample("aws_iam_user_signing_certificates_active", Is(0.0))],
    ),
];
