//! What to do about a failed call where AWS's own words lead astray: the Region, the clock, a CA.
//!
//! No hint shows more of an access key than its last four characters.

use std::time::Duration;

use super::Settings;
use super::operation::Operation;
use crate::account::Partition;
use crate::failure::{Failure, Reason};

/// What a hint about the Region says. Others do not explain such a failure otherwise.
const OF_REGION: &str = "the likely cause is the Region";

/// AWS takes signatures that are this old.
///
/// Source: AWS General Reference, "Signature Version 4", `RequestTimeTooSkewed`.
const LARGEST_SKEW: Duration = Duration::from_secs(5 * 60);

/// How a call that failed was made.
pub(super) struct Made<'a> {
    pub operation: Operation,
    pub region: &'a str,
    /// The end of the access key that it bore.
    pub key: &'a str,
    /// How far AWS's clock is ahead of ours, in seconds, where it said.
    pub skew: Option<i64>,
    pub uses_fips: bool,
}

/// The failure, with what to do next where AWS's words do not say it. `code` is AWS's own.
pub(super) fn explain(
    failure: Failure,
    code: Option<&str>,
    made: &Made<'_>,
    settings: &Settings,
) -> Failure {
    let Made { operation, key, .. } = made;
    let region = Place {
        region: made.region,
        settings,
    };
    let what_to_do = match code {
        _ if failure.reason == Reason::Credentials && is_skewed(made.skew) => {
            let skew = made.skew.unwrap_or_default();
            let (seconds, where_to) = (skew.unsigned_abs(), if skew > 0 { "behind" } else { "ahead of" });
            format!("this machine's clock is {seconds} s {where_to} AWS's; set it right")
        }
        Some("InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId") => {
            format!(
                "access key {key} is not known there: {OF_REGION}, {region}, for the key is of \
                 another partition or the account has not enabled that Region; else the key was \
                 deleted, or its session token is missing"
            )
        }
        Some("RegionDisabledException") => format!(
            "{OF_REGION}, {region}: STS is not active in it; activate it in the account settings of \
             IAM, or name another Region"
        ),
        Some("InvalidAction" | "UnknownOperationException") => format!(
            "{operation} is not known there: {OF_REGION}, {region}, or an AWS_ENDPOINT_URL that leads \
             to another; sts:AssumeRoot is known to Regional endpoints only, and not in every \
             partition"
        ),
        _ if failure.reason != Reason::Network => return failure,
        _ if failure.message.contains("invalid peer certificate") => {
            "where a proxy inspects TLS, name its CA by AWS_CA_BUNDLE, ca_bundle of the profile, or \
             SSL_CERT_FILE"
                .to_owned()
        }
        _ if failure.message.contains("unsupported scheme socks") => {
            "a SOCKS proxy cannot be used: name an http:// or https:// one in HTTPS_PROXY".to_owned()
        }
        _ if made.uses_fips && failure.message.contains("dns error") => format!(
            "FIPS endpoints are on (AWS_USE_FIPS_ENDPOINT or use_fips_endpoint): {OF_REGION}, {region}, \
             which may have none"
        ),
        _ => return failure,
    };
    let reason = match code {
        Some("RegionDisabledException") => Reason::Unsupported,
        _ => failure.reason,
    };
    failure.explained(reason, what_to_do)
}

/// Whether a failure is explained by its Region already.
pub(super) fn is_of_region(failure: &Failure) -> bool {
    failure.message.contains(OF_REGION)
}

fn is_skewed(skew: Option<i64>) -> bool {
    skew.is_some_and(|skew| skew.unsigned_abs() > LARGEST_SKEW.as_secs())
}

/// A Region, with what named it and its partition.
struct Place<'a> {
    region: &'a str,
    settings: &'a Settings,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { region, settings } = self;
        let from = if *region == settings.region {
            &settings.region_from
        } else {
            "the account's own"
        };
        let partition = Partition::of_region(region);
        write!(f, "{region} ({from}) of partition {partition}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(reason: Reason, code: Option<&str>, message: &str, skew: i64) -> Failure {
        let settings = Settings {
            region: "us-east-1".to_owned(),
            region_from: "AWS_REGION".to_owned(),
            profile: None,
            timeout: Duration::from_secs(30),
            stand_in: None,
        };
        let made = Made {
            operation: Operation::sts("AssumeRoot"),
            region: "us-east-1",
            key: "…MPLE",
            skew: Some(skew),
            uses_fips: true,
        };
        explain(Failure::new(reason, message), code, &made, &settings)
    }

    #[test]
    fn the_region_is_named_with_where_it_came_from_and_its_partition() {
        for (reason, code, becomes) in [
            (
                Reason::Credentials,
                "InvalidClientTokenId",
                Reason::Credentials,
            ),
            (
                Reason::AccessDenied,
                "RegionDisabledException",
                Reason::Unsupported,
            ),
            (Reason::Unsupported, "InvalidAction", Reason::Unsupported),
        ] {
            let failure = explained(reason, Some(code), "HTTP 403", 0);
            assert_eq!(failure.reason, becomes, "{failure}");
            assert!(is_of_region(&failure), "{failure}");
            let place = "us-east-1 (AWS_REGION) of partition aws";
            assert!(failure.message.contains(place), "{failure}");
        }
    }

    #[test]
    fn a_clock_that_is_off_is_the_cause() {
        for (skew, words) in [(3600, "3600 s behind"), (-3600, "3600 s ahead of")] {
            let code = Some("SignatureDoesNotMatch");
            let failure = explained(Reason::Credentials, code, "Signature expired", skew);
            assert!(failure.message.contains(words), "{failure}");
        }
    }

    #[test]
    fn a_certificate_and_a_name_that_is_missing_have_a_hint_and_the_rest_none() {
        for (message, hint) in [
            (
                "invalid peer certificate: UnknownIssuer",
                Some("AWS_CA_BUNDLE"),
            ),
            ("dns error: failed to lookup", Some("AWS_USE_FIPS_ENDPOINT")),
            ("unsupported scheme socks5", Some("HTTPS_PROXY")),
            ("connection refused", None),
        ] {
            let failure = explained(Reason::Network, None, message, 0);
            let is_there = hint.map(|hint| failure.message.contains(hint));
            assert_eq!(is_there, hint.map(|_| true), "{failure}");
            assert_eq!(failure.message == message, hint.is_none());
        }
    }
}
