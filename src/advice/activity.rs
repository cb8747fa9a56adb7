//! What root did, in words, and where AWS's console shows it.

use crate::activity::{Activity, RootEvent, SignIn};
use root_posture::Partition;

/// What root did: `created an access key`. Whether it failed is for the reader of `error`.
pub(crate) fn event(activity: &Activity) -> String {
    let text = match activity.event {
        RootEvent::ConsoleLogin => "signed in to the console",
        RootEvent::CreateAccessKey => "created an access key",
        RootEvent::UpdateAccessKeyActive => "activated an access key",
        RootEvent::UpdateAccessKeyInactive => "deactivated an access key",
        RootEvent::DeleteAccessKey => "deleted an access key",
        RootEvent::CreateLoginProfile => "created a console password",
        RootEvent::UpdateLoginProfile | RootEvent::PasswordUpdated => "changed the password",
        RootEvent::PasswordRecoveryCompleted => "recovered the password",
        RootEvent::EmailUpdated => "changed the e-mail address",
        RootEvent::EnableMFADevice => "enabled an MFA device",
        RootEvent::DeactivateMFADevice => "deactivated an MFA device",
        RootEvent::UploadSigningCertificate => "uploaded a signing certificate",
        // A successful one has a kind of its own.
        RootEvent::Other if activity.name == "ConsoleLogin" => "tried to sign in to the console",
        RootEvent::Other => {
            let name = &activity.name;
            return match &activity.user {
                Some(user) => format!("called {name} for the IAM user {user}"),
                None => format!("called {name}"),
            };
        }
    };
    text.to_owned()
}

/// How root was signed in: `console, MFA`. Empty where the event does not say.
pub(crate) fn sign_in(activity: &Activity) -> String {
    let by = match &activity.by {
        SignIn::Console => Some("console".to_owned()),
        SignIn::AccessKey(id) => Some(format!("access key {id}")),
        SignIn::Session(id) => Some(format!("session {id}")),
        SignIn::Unknown => None,
    };
    let mfa = activity.mfa.map(|mfa| if mfa { "MFA" } else { "no MFA" });
    let parts: Vec<_> = by.into_iter().chain(mfa.map(str::to_owned)).collect();
    parts.join(", ")
}

/// The page of the event in the CloudTrail console of its Region. `None` where id and Region do not have
/// the form of AWS's, and in partitions whose console has no public address.
///
/// Source: AWS GovCloud (US) User Guide, "Account root user", whose links have this form.
pub(crate) fn console_url(activity: &Activity, partition: Partition) -> Option<String> {
    let Activity { id, region, .. } = activity;
    // Anything else could lead to another host.
    let is_ours = Partition::knows_region(region) && Partition::of_region(region) == partition;
    let history =
        history(region, partition).filter(|_| is_plain(id) && is_plain(region) && is_ours)?;
    Some(format!("{history}/{id}"))
}

/// The page of CloudTrail's console that lists the events with an attribute, in the Region of global
/// services. `None` as for [`console_url`].
pub(crate) fn history_url(partition: Partition, attribute: &str, value: &str) -> Option<String> {
    let history = history(partition.home_region(), partition).filter(|_| is_plain(value))?;
    Some(format!("{history}?{attribute}={value}"))
}

/// The event history of a Region.
fn history(region: &str, partition: Partition) -> Option<String> {
    let domain = match partition {
        Partition::Aws => "console.aws.amazon.com",
        Partition::AwsUsGov => "console.amazonaws-us-gov.com",
        Partition::AwsEusc => "console.amazonaws-eusc.eu",
        // There is no root user in China.
        Partition::AwsCn
        | Partition::AwsIso
        | Partition::AwsIsoB
        | Partition::AwsIsoE
        | Partition::AwsIsoF => return None,
    };
    Some(format!(
        "https://{region}.{domain}/cloudtrailv2/home?region={region}#/events"
    ))
}

/// Whether a text can be a part of a link.
fn is_plain(text: &str) -> bool {
    let mut bytes = text.bytes();
    !text.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use root_posture::Timestamp;

    const ONE: &str = "AKIAIOSFODNN7EXAMPLE";

    fn activity(event: RootEvent) -> Activity {
        Activity {
            key: Some(ONE.to_owned()),
            ..Activity::example(event, Timestamp::from_unix(1_800_000_000))
        }
    }

    #[test]
    fn the_events_of_a_key_are_listed_by_the_console_of_its_partition() {
        let url = |partition| history_url(partition, "AccessKeyId", ONE);
        let expected = format!(
            "https://us-east-1.console.aws.amazon.com/cloudtrailv2/home?region=us-east-1\
             #/events?AccessKeyId={ONE}"
        );
        assert_eq!(url(Partition::Aws), Some(expected));
        assert!(url(Partition::AwsUsGov).is_some_and(|url| url.contains("us-gov-west-1")));
        assert_eq!(url(Partition::AwsCn), None);
        assert_eq!(history_url(Partition::Aws, "AccessKeyId", "a&b"), None);
    }

    #[test]
    fn other_calls_are_named_and_a_failed_sign_in_is_an_attempt() {
        let mut other = activity(RootEvent::Other);
        other.name = "CreateAccessKey".to_owned();
        assert_eq!(event(&other), "called CreateAccessKey");
        other.user = Some("alice".to_owned());
        assert_eq!(
            event(&other),
            "called CreateAccessKey for the IAM user alice"
        );
        other.name = "ConsoleLogin".to_owned();
        assert_eq!(event(&other), "tried to sign in to the console");
        let texts: Vec<_> = RootEvent::ALL
            .iter()
            .map(|it| event(&activity(*it)))
            .collect();
        assert!(texts.iter().all(|text| !text.is_empty()));
    }

    #[test]
    fn a_link_leads_to_a_console_of_aws_or_there_is_none() {
        let id = "0b68c53f-66cf-4b01-a0c5-c4012b0877e2";
        let url = |region: &str, id: &str, partition| {
            let mut activity = activity(RootEvent::CreateAccessKey);
            (activity.region, activity.id) = (region.to_owned(), id.to_owned());
            console_url(&activity, partition)
        };
        let expected = format!(
            "https://us-east-1.console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events/{id}"
        );
        assert_eq!(url("us-east-1", id, Partition::Aws), Some(expected));
        let expected = format!(
            "https://us-gov-west-1.console.amazonaws-us-gov.com/cloudtrailv2/home\
             ?region=us-gov-west-1#/events/{id}"
        );
        assert_eq!(
            url("us-gov-west-1", id, Partition::AwsUsGov),
            Some(expected)
        );
        for (region, id, partition) in [
            ("evil.example/a-b-1", id, Partition::Aws),
            ("us-east-1.evil.example", id, Partition::Aws),
            ("us-east-1@evil-1", id, Partition::Aws),
            ("us-gov-west-1", id, Partition::Aws),
            ("us-east-1", id, Partition::AwsUsGov),
            ("us-iso-east-1", id, Partition::AwsIso),
            ("", id, Partition::Aws),
            ("us-east-1", "", Partition::Aws),
            ("us-east-1", "\"><script>", Partition::Aws),
        ] {
            assert_eq!(url(region, id, partition), None, "{region} {id}");
        }
    }
}
