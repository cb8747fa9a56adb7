//! Saved credential reports: the CSV itself, or the JSON in which the AWS CLI hands it out; from
//! a file or from standard input.
//!
//! A file that cannot be opened is wrong usage: who names it meant another. One that is not a
//! whole report is an account that cannot be judged.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::account::Partition;
use crate::files;
use root_posture::Timestamp;
use root_posture::report::{self, CredentialReport};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The CLI pads; who made the file with another tool need not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a file holds.
pub(super) struct Saved {
    /// The file, as it was named; `-` is standard input.
    pub file: String,
    bytes: Vec<u8>,
}

/// A saved report that could be read.
pub(super) struct Opened {
    pub report: CredentialReport,
    pub made: Made,
}

/// When a report was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// At AWS's GeneratedTime, which only the JSON has.
    At(Timestamp),
    /// Not before this, the newest time that the CSV holds.
    NotBefore(Timestamp),
    /// The CSV holds not one time.
    Unknown,
}

/// Reads the files, all of them or none.
///
/// # Errors
///
/// A line for each that cannot be read.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Saved>, Vec<String>> {
    if files.iter().filter(|file| is_standard_input(file)).count() > 1 {
        return Err(vec![
            "--report -: standard input can be read only once; name it once".to_owned(),
        ]);
    }
    let mut saved = Vec::new();
    let mut errors = Vec::new();
    for path in files {
        let file = path.display().to_string();
        match bytes(path) {
            Ok(bytes) => saved.push(Saved { file, bytes }),
            Err(error) => errors.push(format!(
                "--report {file}: {error}; name a file that can be read, or - for standard input"
            )),
        }
    }
    if errors.is_empty() {
        Ok(saved)
    } else {
        Err(errors)
    }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    if is_standard_input(path) {
        return files::read_stream(std::io::stdin().lock(), files::MOST);
    }
    // A shell hands over a pipe where another command makes the report: `--report <(aws …)`.
    files::read_stream(File::open(path)?, files::MOST)
}

/// What `aws iam get-credential-report` prints. Whatever else it may print is of no use here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default)]
    generated_time: Option<Time<'a>>,
}

/// The CLI writes times as text, or as seconds where it is told to.
#[derive(Deserialize)]
#[serde(untagged)]
enum Time<'a> {
    Seconds(f64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

impl Time<'_> {
    fn read(&self) -> Result<Timestamp, String> {
        match self {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "seconds, cut off as all times"
            )]
            Self::Seconds(seconds) => Ok(Timestamp::from_unix(*seconds as i64)),
            Self::Text(text) => Timestamp::parse(text)
                .ok_or_else(|| format!("GeneratedTime: {text:?} is not a time (RFC 3339)")),
        }
    }
}

impl Saved {
    /// Reads the report. `partition` is where it is from, if its ARNs do not say.
    ///
    /// # Errors
    ///
    /// In words: where the report is torn, and what was expected there.
    pub fn open(&self, partition: Partition) -> Result<Opened, String> {
        let text = self.bytes.trim_ascii_start();
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let (content, generated) = if text.trim_ascii_start().starts_with(b"{") {
            let (content, generated) = unwrap(text)?;
            (Cow::Owned(content), generated)
        } else {
            (Cow::Borrowed(text), None)
        };
        let report = report::parse(&content, None, partition).map_err(|error| error.to_string())?;
        let made = match generated {
            Some(generated) => Made::At(generated),
            None => newest(&report).map_or(Made::Unknown, Made::NotBefore),
        };
        Ok(Opened { report, made })
    }
}

fn unwrap(json: &[u8]) -> Result<(Vec<u8>, Option<Timestamp>), String> {
    let envelope: Envelope<'_> = serde_json::from_slice(json).map_err(|error| {
        format!("this is not the JSON of `aws iam get-credential-report`: {error}")
    })?;
    let base64: Vec<u8> = envelope
        .content
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let content = BASE64
        .decode(base64)
        .map_err(|error| format!("Content: it is not base64: {error}"))?;
    let generated = envelope
        .generated_time
        .map(|time| time.read())
        .transpose()?;
    Ok((content, generated))
}

/// The newest time in a report: it was not made before that.
fn newest(report: &CredentialReport) -> Option<Timestamp> {
    let root = report.root.iter().flat_map(|root| {
        [
            root.created,
            root.password_last_used,
            root.password_last_changed,
        ]
        .into_iter()
        .chain(
            root.access_keys
                .iter()
                .flat_map(|key| [key.last_rotated, key.last_used]),
        )
    });
    let users = report.users.iter().flat_map(|user| {
        [
            user.created,
            user.password_last_used,
            user.password_last_changed,
        ]
        .into_iter()
        .chain(
            user.access_keys
                .iter()
                .flat_map(|key| [key.last_rotated, key.last_used]),
        )
    });
    root.chain(users).flatten().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
        password_last_changed,mfa_active,access_key_1_active,access_key_1_last_rotated,\
        access_key_2_active,access_key_2_last_rotated\n\
        <root_account>,arn:aws:iam::000000000012:root,2019-05-03T10:00:00Z,true,\
        2026-02-03T04:05:06Z,2019-05-03T10:00:00Z,true,false,N/A,false,N/A";

    fn open(bytes: impl Into<Vec<u8>>) -> Result<Opened, String> {
        Saved {
            file: "x".to_owned(),
            bytes: bytes.into(),
        }
        .open(Partition::Aws)
    }

    fn wrapped(csv: &str, time: &str) -> String {
        let content = base64::engine::general_purpose::STANDARD.encode(csv);
        format!("{{\"Content\": \"{content}\", \"ReportFormat\": \"text/csv\"{time}}}\n")
    }

    #[test]
    fn a_csv_says_when_it_was_made_at_the_earliest() {
        let opened = open(CSV).unwrap();
        assert_eq!(opened.report.account.to_string(), "000000000012");
        let newest = Timestamp::parse("2026-02-03T04:05:06Z").unwrap();
        assert_eq!(opened.made, Made::NotBefore(newest));
    }

    #[test]
    fn the_json_says_when_it_was_made() {
        let made = Made::At(Timestamp::parse("2026-09-11T13:14:52Z").unwrap());
        for time in [
            ", \"GeneratedTime\": \"2026-09-11T13:14:52+00:00\"",
            ", \"GeneratedTime\": 1789132492",
            ", \"GeneratedTime\": 1789132492.0",
        ] {
            assert_eq!(open(wrapped(CSV, time)).unwrap().made, made, "{time}");
        }
        for bytes in [
            format!("\u{feff}{}", wrapped(CSV, "")),
            format!("\r\n{}", wrapped(CSV, "")),
        ] {
            assert!(matches!(open(bytes).unwrap().made, Made::NotBefore(_)));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let torn = wrapped(CSV, "");
        for (bytes, expected) in [
            (String::new(), "line 1: the report is empty"),
            (CSV[..CSV.len() - 9].to_owned(), "line 2: "),
            (
                torn[..torn.len() / 2].to_owned(),
                "get-credential-report`: ",
            ),
            (
                "{\"Content\": \"?\"}".to_owned(),
                "Content: it is not base64",
            ),
            (
                "{\"ReportFormat\": \"text/csv\"}".to_owned(),
                "missing field `Content`",
            ),
            (
                wrapped(CSV, ", \"GeneratedTime\": \"yesterday\""),
                "GeneratedTime: \"yesterday\" is not a time",
            ),
        ] {
            let error = open(bytes).err().unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }
}
