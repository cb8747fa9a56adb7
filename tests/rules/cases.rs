//! Every alert about an account or about the exporter's own state: what makes it fire, what
//! makes it not.

use crate::timeline::{Shows, Value};

/// Which replica is believed while they differ.
#[derive(Clone, Copy, PartialEq)]
pub enum Believed {
    /// A fact: whoever alarms. The alert stands until all agree.
    WhoAlarms,
    /// What one replica can read is known, whatever the others cannot.
    WhoKnows,
}

pub struct Case {
    pub alert: &'static str,
    /// Minutes from the sample to the alert.
    pub minutes: usize,
    pub alarming: &'static [Shows],
    pub fine: &'static [Shows],
    pub believed: Believed,
    /// Whether it is about an account, which can be renamed, move to a shard and leave.
    pub of_account: bool,
}

use Believed::{WhoAlarms, WhoKnows};
use Value::{Ago, Is};

const HOUR: f64 = 3600.0;

/// What an account whose credential report is fresh shows of it.
const fn fact(
    alert: &'static str,
    minutes: usize,
    alarming: &'static [Shows],
    fine: &'static [Shows],
) -> Case {
    Case {
        alert,
        minutes,
        alarming,
        fine,
        believed: WhoAlarms,
        of_account: true,
    }
}

const fn knowledge(
    alert: &'static str,
    minutes: usize,
    alarming: &'static [Shows],
    fine: &'static [Shows],
) -> Case {
    Case {
        believed: WhoKnows,
        ..fact(alert, minutes, alarming, fine)
    }
}

const fn exporter(
    alert: &'static str,
    minutes: usize,
    alarming: &'static [Shows],
    fine: &'static [Shows],
) -> Case {
    Case {
        of_account: false,
        ..fact(alert, minutes, alarming, fine)
    }
}

/// The series of account 111122223333; a scenario adds its name.
pub const CASES: &[Case] = &[
    fact(
        "AWSRootAccessKeyActive",
        0,
        &[Shows(
            "aws_root_access_keys_active{account=\"111122223333\"}",
            Is(1.0),
        )],
        &[Shows(
            "aws_root_access_keys_active{account=\"111122223333\"}",
            Is(0.0),
        )],
    ),
    fact(
        "AWSRootAccessKeyPresent",
        0,
        &[
            Shows(
                "aws_root_access_keys_present{account=\"111122223333\"}",
                Is(1.0),
            ),
            Shows(
                "aws_root_access_keys_active{account=\"111122223333\"}",
                Is(0.0),
            ),
        ],
        &[
            Shows(
                "aws_root_access_keys_present{account=\"111122223333\"}",
                Is(0.0),
            ),
            Shows(
                "aws_root_access_keys_active{account=\"111122223333\"}",
                Is(0.0),
            ),
        ],
    ),
    fact(
        "AWSRootMFADisabled",
        15,
        &[Shows(
            "aws_root_mfa_enabled{account=\"111122223333\"}",
            Is(0.0),
        )],
        &[Shows(
            "aws_root_mfa_enabled{account=\"111122223333\"}",
            Is(1.0),
        )],
    ),
    fact(
        "AWSRootSigningCertificateActive",
        0,
        &[Shows(
            "aws_root_signing_certificates_active{account=\"111122223333\"}",
            Is(2.0),
        )],
        &[Shows(
            "aws_root_signing_certificates_active{account=\"111122223333\"}",
            Is(0.0),
        )],
    ),
    knowledge(
        "AWSAccountUnreadable",
        10,
        &[
            Shows(
                "aws_account_up{account=\"111122223333\",source=\"credential_report\"}",
                Is(0.0),
            ),
            Shows(
                "aws_account_up{account=\"111122223333\",source=\"account_summary\"}",
                Is(0.0),
            ),
            Shows(
                "aws_account_last_success_timestamp_seconds{account=\"111122223333\",source=\"credential_report\"}",
                Is(-HOUR),
            ),
        ],
        &[
            Shows(
                "aws_account_up{account=\"111122223333\",source=\"credential_report\"}",
                Is(0.0),
            ),
            Shows(
                "aws_account_up{account=\"111122223333\",source=\"account_summary\"}",
                Is(1.0),
            ),
            Shows(
                "aws_account_last_success_timestamp_seconds{account=\"111122223333\",source=\"account_summary\"}",
                Ago(20.0),
            ),
        ],
    ),
    knowledge(
        "AWSRootPostureUnknown",
        15,
        &[],
        &[Shows(
            "aws_root_access_keys_active{account=\"111122223333\"}",
            Is(0.0),
        )],
    ),
    knowledge(
        "AWSRootEvidenceStale",
        15,
        &[
            Shows(
                "aws_account_last_success_timestamp_seconds{account=\"111122223333\",source=\"root_session\"}",
                Is(-HOUR),
            ),
            Shows(
                "aws_account_last_success_timestamp_seconds{account=\"111122223333\",source=\"credential_report\"}",
                Ago(60.0),
            ),
        ],
        &[Shows(
            "aws_account_last_success_timestamp_seconds{account=\"111122223333\",source=\"root_session\"}",
            Ago(60.0),
        )],
    ),
    knowledge(
        "AWSCredentialReportStale",
        15,
        &[Shows(
            "aws_credential_report_generated_timestamp_seconds{account=\"111122223333\"}",
            Is(-11.0 * HOUR),
        )],
        &[Shows(
            "aws_credential_report_generated_timestamp_seconds{account=\"111122223333\"}",
            Ago(9.0 * HOUR),
        )],
    ),
    fact(
        "AWSAccountRefreshFailing",
        30,
        &[
            Shows(
                "aws_account_up{account=\"111122223333\",source=\"credential_report\"}",
                Is(1.0),
            ),
            Shows(
                "aws_account_up{account=\"111122223333\",source=\"account_summary\"}",
                Is(0.0),
            ),
        ],
        &[
            Shows(
                "aws_account_up{account=\"111122223333\",source=\"credential_report\"}",
                Is(1.0),
            ),
            Shows(
                "aws_account_up{account=\"111122223333\",source=\"account_summary\"}",
                Is(1.0),
            ),
        ],
    ),
    exporter(
        "AWSOrganizationDiscoveryFailing",
        30,
        &[Shows("aws_root_exporter_discovery_up{}", Is(0.0))],
        &[Shows("aws_root_exporter_discovery_up{}", Is(1.0))],
    ),
    exporter(
        "AWSRootExporterReloadFailed",
        5,
        &[Shows(
            "aws_root_exporter_config_last_reload_successful{}",
            Is(0.0),
        )],
        &[Shows(
            "aws_root_exporter_config_last_reload_successful{}",
            Is(1.0),
        )],
    ),
    exporter(
        "AWSRootExporterStateNotSaved",
        15,
        &[Shows(
            "aws_root_exporter_state_last_save_successful{}",
            Is(0.0),
        )],
        &[Shows(
            "aws_root_exporter_state_last_save_successful{}",
            Is(1.0),
        )],
    ),
    exporter(
        "AWSRootExporterOverloaded",
        15,
        &[
            Shows("aws_root_exporter_refresh_lag_seconds{}", Is(301.0)),
            Shows("aws_root_exporter_refresh_interval_seconds{}", Is(60.0)),
        ],
        &[
            Shows("aws_root_exporter_refresh_lag_seconds{}", Is(299.0)),
            Shows("aws_root_exporter_refresh_interval_seconds{}", Is(60.0)),
        ],
    ),
    fact(
        "AWSIAMUserAccessKeyOld",
        60,
        &[Shows(
            "aws_iam_user_access_keys_active_older_than{account=\"111122223333\",days=\"90\"}",
            Is(3.0),
        )],
        &[
            Shows(
                "aws_iam_user_access_keys_active_older_than{account=\"111122223333\",days=\"90\"}",
                Is(0.0),
            ),
            // Another bound, which this alert does not ask about.
            Shows(
                "aws_iam_user_access_keys_active_older_than{account=\"111122223333\",days=\"30\"}",
                Is(4.0),
            ),
        ],
    ),
    fact(
        "AWSIAMUserCredentialUnused",
        60,
        &[Shows(
            "aws_iam_user_credentials_unused_for{account=\"111122223333\",days=\"45\"}",
            Is(1.0),
        )],
        &[Shows(
            "aws_iam_user_credentials_unused_for{account=\"111122223333\",days=\"45\"}",
            Is(0.0),
        )],
    ),
    fact(
        "AWSIAMUserConsoleWithoutMFA",
        60,
        &[Shows(
            "aws_iam_users_password_enabled_without_mfa{account=\"111122223333\"}",
            Is(2.0),
        )],
        &[Shows(
            "aws_iam_users_password_enabled_without_mfa{account=\"111122223333\"}",
            Is(0.0),
        )],
    ),
    fact(
        "AWSIAMUserSigningCertificateActive",
        60,
        &[Shows(
            "aws_iam_user_signing_certificates_active{account=\"111122223333\"}",
            Is(1.0),
        )],
        &[Shows(
            "aws_iam_user_signing_certificates_active{account=\"111122223333\"}",
            Is(0.0),
        )],
    ),
];
