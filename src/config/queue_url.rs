//! The URL of an SQS queue, which names its account, its name and its Region.
//!
//! Source: Amazon SQS Developer Guide, "Queue and message identifiers" and "Amazon SQS endpoints".

use std::fmt;

use url::Url;

use super::region_name::region_name;
use crate::account::AccountId;

/// The URL of an SQS queue. Its host is not contacted as such: the SDK's endpoint of the Region is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrl {
    url: String,
    /// The account that the queue belongs to.
    pub account: AccountId,
    /// The queue's name.
    pub name: String,
    /// The Region that the host names; `None` for a host that names none.
    pub region: Option<String>,
}

impl QueueUrl {
    /// Reads the URL of a queue. `{shard}` stands for the index of this process's shard.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and how to write it. The text itself may hold a password and is not
    /// part of the error.
    pub fn parse(text: &str, shard: u32) -> Result<Self, &'static str> {
        // Each message ends with the same example.
        macro_rules! problem {
            ($what:literal) => {
                concat!(
                    $what,
                    "; write it like \
                     \"https://sqs.us-east-1.amazonaws.com/111122223333/aws-root-exporter-{shard}\""
                )
            };
        }
        let url = Url::parse(&text.replace("{shard}", &shard.to_string()))
            .map_err(|_| problem!("is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(problem!("begins with neither https:// nor http://"));
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(problem!(
                "has a user, a password, a query or a fragment, which the URL of a queue has not"
            ));
        }
        let mut segments = url.path().rsplit('/');
        let name = segments.next().unwrap_or_default();
        let account = segments.next().unwrap_or_default();
        let account = account
            .parse()
            .map_err(|_| problem!("does not end with an account id and the name of a queue"))?;
        if !is_queue_name(name) {
            return Err(problem!(
                "ends with no name that a queue can have (1 to 80 letters, digits, - and _)"
            ));
        }
        Ok(Self {
            account,
            name: name.to_owned(),
            region: url.host_str().and_then(region_of_host),
            url: url.into(),
        })
    }

    /// The URL, with the index of the shard in it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// Source: SQS API Reference, `CreateQueue`, `QueueName`.
fn is_queue_name(name: &str) -> bool {
    let plain = name.strip_suffix(".fifo").unwrap_or(name);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=80).contains(&name.len()) && !plain.is_empty() && plain.bytes().all(allowed)
}

/// The Region in `sqs.us-east-1.amazonaws.com`, `sqs-fips.us-gov-west-1.amazonaws.com`,
/// `vpce-1a2b.sqs.eu-west-1.vpce.amazonaws.com` or, of old, `eu-west-1.queue.amazonaws.com`.
fn region_of_host(host: &str) -> Option<String> {
    let labels: Vec<&str> = host.split('.').collect();
    let place = |names: &[&str]| labels.iter().position(|label| names.contains(label));
    let region = match (place(&["sqs", "sqs-fips"]), place(&["queue"])) {
        (Some(service), _) => labels.get(service + 1),
        (None, Some(service)) => labels.get(service.checked_sub(1)?),
        (None, None) => None,
    };
    let region = region.filter(|label| region_name(label).is_ok());
    region.map(|label| (*label).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_account_queue_and_region() {
        for (host, region) in [
            ("sqs.us-east-1.amazonaws.com", Some("us-east-1")),
            (
                "sqs-fips.us-gov-west-1.amazonaws.com",
                Some("us-gov-west-1"),
            ),
            ("sqs.us-east-1.api.aws", Some("us-east-1")),
            (
                "vpce-1a2b.sqs.eu-west-1.vpce.amazonaws.com",
                Some("eu-west-1"),
            ),
            ("eu-west-1.queue.amazonaws.com", Some("eu-west-1")),
            ("127.0.0.1:4566", None),
            ("sqs.localhost", None),
        ] {
            let text = format!("https://{host}/111122223333/aws-root-exporter-{{shard}}");
            let queue = QueueUrl::parse(&text, 7).unwrap();
            assert_eq!(queue.region.as_deref(), region, "{host}");
            assert_eq!(queue.account.to_string(), "111122223333");
            assert_eq!(queue.name, "aws-root-exporter-7");
            assert_eq!(queue.as_str(), text.replace("{shard}", "7"));
        }
    }

    #[test]
    fn other_urls_are_refused_without_showing_them() {
        for (text, error) in [
            ("", "is not a URL"),
            ("aws-root-exporter-0", "is not a URL"),
            (
                "arn:aws:sqs:us-east-1:111122223333:q",
                "begins with neither",
            ),
            (
                "https://u:hunter2@sqs.us-east-1.amazonaws.com/111122223333/q",
                "has a user",
            ),
            (
                "https://sqs.us-east-1.amazonaws.com/111122223333/q?a",
                "has a user",
            ),
            ("https://sqs.us-east-1.amazonaws.com/", "does not end"),
            ("https://sqs.us-east-1.amazonaws.com/q", "does not end"),
            (
                "https://sqs.us-east-1.amazonaws.com/111122223333/",
                "ends with no name",
            ),
            (
                "https://sqs.us-east-1.amazonaws.com/111122223333/a{b}",
                "ends with no name",
            ),
        ] {
            let refused = QueueUrl::parse(text, 0).unwrap_err();
            assert!(refused.starts_with(error), "{text}: {refused}");
            assert!(!refused.contains("hunter2"));
        }
    }
}
