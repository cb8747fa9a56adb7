//! Account ids, access key ids and partitions.

use std::fmt;
use std::str::FromStr;

/// A 12-digit AWS account id. Leading zeros are part of it.
///
/// Ids sort numerically, which is the order of their texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u64);

/// Why a text is not an account id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an account id (12 digits, in quotes)")]
pub struct AccountIdError(pub String);

impl FromStr for AccountId {
    type Err = AccountIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || AccountIdError(text.to_owned());
        if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        text.parse().map(Self).map_err(|_| error())
    }
}

impl AccountId {
    /// The id as a number, for hashing it to a shard.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for AccountId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for AccountId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The id of an access key, `AKIA…`, which is not secret. It consists of letters, digits and
/// underscores, so that it can be pasted into a shell command as it is.
///
/// Source: IAM API Reference, `AccessKeyMetadata`, pattern of `AccessKeyId`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId(String);

/// Why a text is not the id of an access key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of an access key (letters and digits, as AKIAIOSFODNN7EXAMPLE)")]
pub struct AccessKeyIdError(pub String);

/// The greatest length of an access key id in IAM.
const KEY_ID_LENGTH: usize = 128;

impl AccessKeyId {
    /// Whether a text has the form of an access key id.
    #[must_use]
    pub fn fits(text: &str) -> bool {
        (1..=KEY_ID_LENGTH).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    /// The id as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessKeyId {
    type Err = AccessKeyIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if Self::fits(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AccessKeyIdError(text.to_owned()))
        }
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A group of Regions with endpoints, ids and ARNs of its own.
///
/// Source: AWS General Reference, "Partitions".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// The commercial Regions.
    Aws,
    /// AWS GovCloud (US).
    AwsUsGov,
    /// China. Accounts there have no root user credentials.
    AwsCn,
    /// AWS ISO (US).
    AwsIso,
    /// AWS ISOB (US).
    AwsIsoB,
    /// AWS ISOE (Europe).
    AwsIsoE,
    /// AWS ISOF.
    AwsIsoF,
    /// AWS European Sovereign Cloud.
    AwsEusc,
}

/// Of each partition, in the order of the enum: its name in ARNs, the start of its Regions' names, and
/// the Region of its IAM.
///
/// Source: AWS General Reference, "AWS Identity and Access Management endpoints and quotas".
const PARTITIONS: [(Partition, &str, &str, &str); 8] = [
    (Partition::Aws, "aws", "", "us-east-1"),
    (
        Partition::AwsUsGov,
        "aws-us-gov",
        "us-gov-",
        "us-gov-west-1",
    ),
    (Partition::AwsCn, "aws-cn", "cn-", "cn-north-1"),
    (Partition::AwsIso, "aws-iso", "us-iso-", "us-iso-east-1"),
    (
        Partition::AwsIsoB,
        "aws-iso-b",
        "us-isob-",
        "us-isob-east-1",
    ),
    (
        Partition::AwsIsoE,
        "aws-iso-e",
        "eu-isoe-",
        "eu-isoe-west-1",
    ),
    (
        Partition::AwsIsoF,
        "aws-iso-f",
        "us-isof-",
        "us-isof-south-1",
    ),
    (Partition::AwsEusc, "aws-eusc", "eusc-", "eusc-de-east-1"),
];

impl Partition {
    /// The partition of a Region, by the prefix of its name.
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        let mut prefixed = PARTITIONS[1..].iter();
        let found = prefixed.find(|(_, _, prefix, _)| region.starts_with(prefix));
        found.map_or(Self::Aws, |row| row.0)
    }

    /// Whether a Region's name begins like those of some partition.
    ///
    /// Source: the AWS SDKs' list of partitions, `regionRegex`.
    #[must_use]
    pub fn knows_region(region: &str) -> bool {
        const COMMERCIAL: [&str; 9] = ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"];
        let parts: Vec<&str> = region.split('-').collect();
        let is_commercial = parts.len() == 3 && COMMERCIAL.contains(&parts[0]);
        is_commercial || Self::of_region(region) != Self::Aws
    }

    /// The partition with that name, as the second field of an ARN writes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        PARTITIONS.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The partition's name, as the second field of an ARN writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        PARTITIONS[self as usize].1
    }

    /// The Region of the partition's IAM.
    #[must_use]
    pub fn home_region(self) -> &'static str {
        PARTITIONS[self as usize].3
    }

    /// Whether root users there have credentials at all (in China they have none).
    #[must_use]
    pub fn has_root_credentials(self) -> bool {
        self != Self::AwsCn
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_are_part_of_an_id() {
        let id: AccountId = "000000000012".parse().unwrap();
        assert_eq!(id.to_string(), "000000000012");
    }

    #[test]
    fn an_id_is_twelve_ascii_digits() {
        for text in [
            "",
            "12345",
            "1234567890123",
            "12345678901a",
            "+12345678901",
            "١٢٣٤٥٦",
        ] {
            assert_eq!(
                text.parse::<AccountId>(),
                Err(AccountIdError(text.to_owned()))
            );
        }
    }

    #[test]
    fn a_partition_is_known_by_its_region_and_by_its_name() {
        let partitions = [
            "eu-central-1",
            "us-gov-west-1",
            "cn-north-1",
            "us-iso-east-1",
            "us-isob-east-1",
            "eu-isoe-west-1",
            "us-isof-south-1",
            "eusc-de-east-1",
        ]
        .map(Partition::of_region);
        assert_eq!(partitions, PARTITIONS.map(|row| row.0));
        for (index, partition) in partitions.into_iter().enumerate() {
            assert_eq!(partition as usize, index);
            assert_eq!(Partition::from_name(partition.as_str()), Some(partition));
            assert_eq!(Partition::of_region(partition.home_region()), partition);
        }
    }

    #[test]
    fn an_access_key_id_can_be_pasted_into_a_shell() {
        let longest = "A".repeat(128);
        for text in ["AKIAIOSFODNN7EXAMPLE", "a_1", &longest] {
            assert_eq!(text.parse::<AccessKeyId>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "AKIA1; touch /tmp/x",
            "AKIA1\n",
            "$(id)",
            "--help",
            "АKIA1",
            &format!("{longest}A"),
        ] {
            let error = text.parse::<AccessKeyId>().unwrap_err();
            assert_eq!(error, AccessKeyIdError(text.to_owned()));
        }
    }
}
