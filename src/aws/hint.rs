//! What to do about a failed call where AWS's own words mislead: the Region, the clock, a CA.
//!
//! No hint shows more of an access key than its last four characters.

use super::operation::Operation;
use crate::account::Partition;
use crate::failure::{Failure, Reason};

/// The start of every hint about the Region. A failure with one gets no other hint.
const REGION_HINT: &str = "the likely cause is the Region";

/// The largest difference of the clocks, in seconds, with which AWS accepts a signature.
///
/// Source: AWS General Reference, "Signature Version 4", `RequestTimeTooSkewed`.
const LARGEST_SKEW: u64 = 5 * 60;

/// How a call that failed was made.
pub(super) struct FailedCall<'a> {
    pub operation: Operation,
    pub region: &'a str,
    /// The setting or variable that names the Region.
    pub region_from: &'a str,
    /// The last four characters of the access key.
    pub key: &'a str,
    /// How far AWS's clock is ahead of the local one, in seconds.
    pub skew: Option<i64>,
    pub uses_fips: bool,
}

/// Adds what to do next where AWS's words do not say it. `code` is AWS's own.
pub(super) fn explain(failure: Failure, code: Option<&str>, call: &FailedCall<'_>) -> Failure {
    let FailedCall { operation, key, .. } = call;
    let skew = call.skew.filter(|skew| skew.unsigned_abs() > LARGEST_SKEW);
    let region = format!(
        "{REGION_HINT}, {} ({}) of partition {}",
        call.region,
        call.region_from,
        Partition::of_region(call.region)
    );
    let what_to_do = match (code, skew) {
        (_, Some(skew)) if failure.reason == Reason::Credentials => {
            let direction = if skew > 0 { "behind" } else { "ahead of" };
            let seconds = skew.unsigned_abs();
            format!("this machine's clock is {seconds} s {direction} AWS's; set it right")
        }
        (Some("InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId"), _) => {
            format!(
                "access key {key} is not known there: {region}, for the key is of another partition \
                 or the account has not enabled that Region; else the key was deleted, or its session \
                 token is missing"
            )
        }
        (Some("RegionDisabledException"), _) => format!(
            "{region}: STS is not active in it; activate it in the account settings of IAM, or name \
             another Region"
        ),
        (Some("InvalidAction" | "UnknownOperationException"), _) => format!(
            "{operation} is not known there: {region}, or an AWS_ENDPOINT_URL that leads to another; \
             sts:AssumeRoot is known to Regional endpoints only, and not in every partition"
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
        _ if call.uses_fips && failure.message.contains("dns error") => format!(
            "FIPS endpoints are on (AWS_USE_FIPS_ENDPOINT or use_fips_endpoint): {region}, which may \
             have none"
        ),
        _ => return failure,
    };
    let reason = match code {
        Some("RegionDisabledException") => Reason::Unsupported,
        _ => failure.reason,
    };
    failure.explained(reason, what_to_do)
}

/// Whether the Region explains a failure already.
pub(super) fn is_explained_by_region(failure: &Failure) -> bool {
    failure.message.contains(REGION_HINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(reason: Reason, code: Option<&str>, message: &str, skew: i64) -> Failure {
        let call = FailedCall {
            operation: Operation::new("sts", "AssumeRoot"),
            region: "us-east-1",
            region_from: "AWS_REGION",
            key: "…MPLE",
            skew: Some(skew),
            uses_fips: true,
        };
        explain(Failure::new(reason, message), code, &call)
    }

    #[test]
    fn the_region_is_named_with_its_source_and_its_partition() {
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
            assert!(is_explained_by_region(&failure), "{failure}");
            let place = "us-east-1 (AWS_REGION) of partition aws";
            assert!(failure.message.contains(place), "{failure}");
        }
    }

    #[test]
    fn a_wrong_clock_is_named_as_the_cause() {
        for (skew, words) in [(3600, "3600 s behind"), (-3600, "3600 s ahead of")] {
            let code = Some("SignatureDoesNotMatch");
            let failure = explained(Reason::Credentials, code, "Signature expired", skew);
            assert!(failure.message.contains(words), "{failure}");
        }
    }

    #[test]
    fn network_failures_with_a_known_fix_have_a_hint_and_others_none() {
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
            let is_named = hint.map(|hint| failure.message.contains(hint));
            assert_eq!(is_named, hint.map(|_| true), "{failure}");
            assert_eq!(failure.message == message, hint.is_none());
        }
    }
}
