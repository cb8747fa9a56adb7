//! Saved credential reports: the CSV itself, its base64, or what the AWS CLI prints around that as
//! JSON, YAML or text; from a file or from standard input.
//!
//! A file that cannot be opened is wrong usage. One that is not a whole report is an account of
//! which nothing is known. A report is never dated later than it was made.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::account::Partition;
use exporter_toolkit::files;
use root_posture::Timestamp;
use root_posture::report::{self, CredentialReport};

/// How far AWS's clock may be ahead of the local one.
const SKEW: Duration = Duration::from_secs(5 * 60);

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The CLI pads base64; other tools need not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The content of a file.
pub(super) struct Saved {
    /// The file, as it was named; `-` is standard input.
    pub file: String,
    bytes: Vec<u8>,
    /// When the file was last changed; `None` for a pipe.
    changed: Option<Timestamp>,
}

/// A saved report that could be read.
pub(super) struct Opened {
    pub report: CredentialReport,
    pub made: Made,
}

/// When a report was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// At AWS's GeneratedTime, which a CSV does not contain.
    At(Timestamp),
    /// Between the newest time in the CSV and the last change of its file, as far as they are known.
    Between {
        first: Option<Timestamp>,
        last: Option<Timestamp>,
    },
}

/// Reads the files, all of them or none.
///
/// # Errors
///
/// A line for each that cannot be read.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Saved>, Vec<String>> {
    let is_standard_input = |file: &&PathBuf| file.as_os_str() == "-";
    if files.iter().filter(is_standard_input).count() > 1 {
        let error = "--report -: standard input can be read only once; name it once";
        return Err(vec![error.to_owned()]);
    }
    let mut saved = Vec::new();
    let mut errors = Vec::new();
    for path in files {
        match Saved::read(path) {
            Ok(report) => saved.push(report),
            Err(error) => errors.push(format!(
                "--report {}: {error}; name a file that can be read, or - for standard input",
                path.display()
            )),
        }
    }
    if errors.is_empty() {
        Ok(saved)
    } else {
        Err(errors)
    }
}

/// The output of `aws iam get-credential-report`, without the fields that are not used here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    content: String,
    #[serde(default)]
    generated_time: Option<String>,
}

impl Saved {
    /// Reads a file, which may be the pipe of another command: `--report <(aws …)`.
    fn read(path: &PathBuf) -> io::Result<Self> {
        let file = if path.as_os_str() == "-" {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            File::open(path)?
        };
        let metadata = file.metadata()?;
        let changed = metadata.modified().ok().filter(|_| metadata.is_file());
        let since = changed.and_then(|changed| changed.duration_since(UNIX_EPOCH).ok());
        let seconds = since.and_then(|since| i64::try_from(since.as_secs()).ok());
        Ok(Self {
            file: path.display().to_string(),
            bytes: files::read_stream(file, files::MOST)?,
            changed: seconds.map(Timestamp::from_unix),
        })
    }

    /// Reads the report. `partition` is the one it comes from, if its ARNs do not say.
    ///
    /// # Errors
    ///
    /// Where the report is incomplete or wrong, what the file is instead, or that a time in it is in
    /// the future.
    pub fn open(&self, partition: Partition, now: Timestamp) -> Result<Opened, String> {
        let text = self.bytes.trim_ascii_start();
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let (content, generated) = unwrap(text.trim_ascii_start())?;
        let report = report::parse(&content, None, partition).map_err(|error| error.to_string())?;
        let first = newest(&report);
        if let Some(time) = generated.or(self.changed).max(first)
            && time > now.plus(SKEW)
        {
            return Err(format!(
                "it contains a time in the future, {time}; correct this machine's clock, or save \
                 the report again"
            ));
        }
        let made = match generated {
            Some(generated) => Made::At(generated),
            None => Made::Between {
                first,
                last: self.changed,
            },
        };
        Ok(Opened { report, made })
    }
}

/// The CSV in a saved text, and AWS's time of its generation.
fn unwrap(text: &[u8]) -> Result<(Cow<'_, [u8]>, Option<Timestamp>), String> {
    if text.starts_with(b"\xFF\xFE") || text.starts_with(b"\xFE\xFF") {
        return Err("this is UTF-16, as PowerShell writes it; save it as UTF-8".to_owned());
    }
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let begins = |texts: &[&str]| {
        let mut texts = texts.iter();
        texts.any(|text| first_line.starts_with(text.as_bytes()))
    };
    if begins(&["|", "----"]) {
        let problem = "this is a table of the AWS CLI, which breaks the report into pieces; save it \
                       with --output json";
        return Err(problem.to_owned());
    }
    let (content, generated) = if begins(&["{"]) {
        let envelope = serde_json::from_slice(text).map_err(|error| not_the("JSON", &error))?;
        content_of(envelope)?
    } else if begins(&["Content:", "GeneratedTime:", "ReportFormat:"]) {
        let yaml = std::str::from_utf8(text).map_err(|error| not_the("YAML", &error))?;
        content_of(serde_saphyr::from_str(yaml).map_err(|error| not_the("YAML", &error))?)?
    } else if first_line.contains(&b'\t') {
        let fields = first_line.split(|byte| *byte == b'\t');
        let content = fields.clone().max_by_key(|field| field.len());
        let is_time = |field: &&str| Timestamp::parse(field).is_some();
        let mut texts = fields.filter_map(|field| std::str::from_utf8(field.trim_ascii()).ok());
        let generated = texts.find(is_time).map(str::to_owned);
        (
            decode("the text of the AWS CLI", content.unwrap_or_default())?,
            generated,
        )
    } else if !text.is_empty() && text.iter().all(|byte| is_base64(*byte)) {
        (decode("the text", text)?, None)
    } else {
        return Ok((Cow::Borrowed(text), None));
    };
    let parse = |time: String| {
        let problem = || format!("GeneratedTime: {time:?} is not a time (RFC 3339)");
        Timestamp::parse(&time).ok_or_else(problem)
    };
    let generated = generated.map(parse).transpose()?;
    Ok((Cow::Owned(content), generated))
}

fn not_the(format: &str, error: &dyn std::fmt::Display) -> String {
    let error = error.to_string();
    let error = error.lines().next().unwrap_or_default();
    format!("this is not the {format} of `aws iam get-credential-report`: {error}")
}

/// The report of an envelope, and its time. YAML's `!!binary` is decoded already; then it contains
/// commas.
fn content_of(envelope: Envelope) -> Result<(Vec<u8>, Option<String>), String> {
    let content = if envelope.content.contains(',') {
        envelope.content.into_bytes()
    } else {
        decode("Content", envelope.content.as_bytes())?
    };
    Ok((content, envelope.generated_time))
}

/// Whether this can be part of base64, of the quotes around it, or of its line ends.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=\"".contains(&byte) || byte.is_ascii_whitespace()
}

fn decode(what: &str, base64: &[u8]) -> Result<Vec<u8>, String> {
    let is_filling = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'"';
    let base64: Vec<u8> = (base64.iter().copied().filter(|byte| !is_filling(byte))).collect();
    BASE64
        .decode(base64)
        .map_err(|error| format!("{what}: not base64: {error}"))
}

/// The newest time in a report, which was not made before that.
fn newest(report: &CredentialReport) -> Option<Timestamp> {
    macro_rules! times {
        ($row:expr) => {{
            let keys = $row.access_keys.iter();
            let own = [
                $row.created,
                $row.password_last_used,
                $row.password_last_changed,
            ];
            keys.flat_map(|key| [key.last_rotated, key.last_used])
                .chain(own)
        }};
    }
    let root = report.root.iter().flat_map(|row| times!(row));
    let users = report.users.iter().flat_map(|row| times!(row));
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

    const SAVED: Timestamp = Timestamp::from_unix(1_790_000_000);

    fn open(bytes: impl Into<Vec<u8>>) -> Result<Opened, String> {
        Saved {
            file: "x".to_owned(),
            bytes: bytes.into(),
            changed: Some(SAVED),
        }
        .open(Partition::Aws, SAVED)
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn wrapped(csv: &str, time: &str) -> String {
        let content = base64::engine::general_purpose::STANDARD.encode(csv);
        format!("{{\"Content\": \"{content}\", \"ReportFormat\": \"text/csv\"{time}}}\n")
    }

    #[test]
    fn a_csv_was_made_between_its_newest_time_and_the_change_of_its_file() {
        let opened = open(CSV).unwrap();
        assert_eq!(opened.report.account.to_string(), "000000000012");
        let made = Made::Between {
            first: Some(time("2026-02-03T04:05:06Z")),
            last: Some(SAVED),
        };
        assert_eq!(opened.made, made);
    }

    #[test]
    fn what_the_cli_prints_is_read_in_each_of_its_formats() {
        let base64 = base64::engine::general_purpose::STANDARD.encode(CSV);
        let made = "2026-09-11T13:14:52+00:00";
        for (saved, is_dated) in [
            (format!("{base64}\t{made}\ttext/csv\n"), true),
            (format!("{made}\t{base64}"), true),
            (
                format!("Content: {base64}\nGeneratedTime: '{made}'\nReportFormat: text/csv\n"),
                true,
            ),
            (
                format!("GeneratedTime: {made}\nContent: \"{base64}\"\n"),
                true,
            ),
            (
                format!("Content: |-\n  {}\n  {}\n", &base64[..76], &base64[76..]),
                false,
            ),
            (
                format!(
                    "Content: !!binary |\n  {}\n  {}\n",
                    &base64[..76],
                    &base64[76..]
                ),
                false,
            ),
            (format!("{base64}\n"), false),
            (format!("\"{base64}\"\n"), false),
            (format!("{}\r\n{}\r\n", &base64[..76], &base64[76..]), false),
        ] {
            let opened = open(saved.clone()).unwrap_or_else(|error| panic!("{error}: {saved}"));
            assert_eq!(opened.report.account.to_string(), "000000000012");
            let is_at = opened.made == Made::At(time(made));
            assert_eq!(is_at, is_dated, "{saved}");
        }
    }

    #[test]
    fn a_time_in_the_future_is_an_error() {
        let ahead = |seconds| SAVED.plus(Duration::from_secs(seconds));
        let dated = |time| open(wrapped(CSV, &format!(", \"GeneratedTime\": \"{time}\"")));
        assert!(dated(ahead(299)).is_ok());
        let error = dated(ahead(301)).err().unwrap();
        assert!(error.contains("a time in the future"), "{error}");
        let used = CSV.replace("2026-02-03T04:05:06Z", &ahead(3600).to_string());
        let error = open(used).err().unwrap();
        assert!(error.contains("a time in the future"), "{error}");
    }

    #[test]
    fn the_json_contains_the_time_of_generation() {
        let made = Made::At(time("2026-09-11T13:14:52Z"));
        for time in [
            ", \"GeneratedTime\": \"2026-09-11T13:14:52+00:00\"",
            ", \"GeneratedTime\": \"2026-09-11T13:14:52Z\"",
        ] {
            assert_eq!(open(wrapped(CSV, time)).unwrap().made, made, "{time}");
        }
        for bytes in [
            format!("\u{feff}{}", wrapped(CSV, "")),
            format!("\r\n{}", wrapped(CSV, "")),
        ] {
            assert!(matches!(open(bytes).unwrap().made, Made::Between { .. }));
        }
    }

    #[test]
    fn errors_are_reported_with_their_place() {
        let torn = wrapped(CSV, "");
        for (bytes, expected) in [
            (String::new(), "line 1: the report is empty"),
            (CSV[..CSV.len() - 9].to_owned(), "line 2: "),
            (
                torn[..torn.len() / 2].to_owned(),
                "get-credential-report`: ",
            ),
            ("{\"Content\": \"?\"}".to_owned(), "Content: not base64"),
            (
                "{\"ReportFormat\": \"text/csv\"}".to_owned(),
                "missing field `Content`",
            ),
            (
                wrapped(CSV, ", \"GeneratedTime\": \"yesterday\""),
                "GeneratedTime: \"yesterday\" is not a time",
            ),
            ("Content: [1\n".to_owned(), "this is not the YAML of"),
            ("x".repeat(5), "the text: not base64"),
            ("aGVsbG8=".to_owned(), "line 1: "),
            (
                "-----\n|  GetCredentialReport  |\n".to_owned(),
                "this is a table",
            ),
        ] {
            let error = open(bytes).err().unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }
}
