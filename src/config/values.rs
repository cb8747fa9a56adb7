//! Parsers of single values: from the value of a source to its final type, or the problem and the fix
//! in words. The place of a value is not known here, and [`external_id`] never shows its value.

use std::fmt;
use std::time::Duration;

use figment::value::Value;
use tracing::Level;

use super::base_url::BaseUrl;
use super::model::{Detail, LOG_FORMATS, LOG_LEVELS, LogFormat, MemberAccess};
use super::region_name::region_name;
use crate::account::{AccountId, Secret};
use exporter_toolkit::{ListenAddress, ListenAddressError};

/// A value, or what is wrong with it.
pub(super) type Parsed<T> = Result<T, String>;

/// The longest duration. Sums with the clock stay in range.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A value as an error shows it: a text in quotes, a list or table only by its kind.
fn shown(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        format!("{text:?}")
    } else if let Value::Bool(_, value) = value {
        value.to_string()
    } else if let Some(number) = whole_number(value) {
        number.to_string()
    } else if let Some(number) = value.to_f64() {
        number.to_string()
    } else {
        kind(value).to_owned()
    }
}

/// The kind of a value, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
        Value::Empty(..) => "nothing",
        // This is how the TOML reader represents a date.
        Value::Dict(_, dict) if dict.keys().any(|key| key.starts_with("$__toml")) => "a date",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    }
}

/// The whole number that a value is.
fn whole_number(value: &Value) -> Option<i128> {
    let unsigned = || value.to_u128().and_then(|number| number.try_into().ok());
    value.to_i128().or_else(unsigned)
}

/// A text, empty or not.
pub(super) fn any_text(value: &Value) -> Parsed<String> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| match value {
            Value::Num(..) | Value::Bool(..) => {
                let shown = shown(value);
                format!("{shown} is {}; put it in quotes: \"{shown}\"", kind(value))
            }
            _ => format!(
                "{} stands where a text belongs; write a text in quotes",
                kind(value)
            ),
        })
}

/// A text that is not empty.
pub(super) fn text(value: &Value) -> Parsed<String> {
    let text = any_text(value)?;
    if text.trim().is_empty() {
        return Err(format!("{text:?} is empty; leave the setting out instead"));
    }
    Ok(text)
}

pub(super) fn switch(value: &Value) -> Parsed<bool> {
    value.to_bool().ok_or_else(|| {
        let shown = shown(value);
        match value.as_str() {
            Some("true" | "false") => format!("{shown} is text; write it without quotes"),
            _ => format!("{shown} is neither true nor false; write true or false"),
        }
    })
}

/// A whole number from `least` to `most`.
pub(super) fn number<T>(least: T, most: T) -> impl Fn(&Value) -> Parsed<T>
where
    T: Copy + TryFrom<i128> + PartialOrd + fmt::Display,
{
    move |value| {
        let number = whole_number(value).and_then(|number| T::try_from(number).ok());
        if let Some(number) = number.filter(|number| (least..=most).contains(number)) {
            return Ok(number);
        }
        let shown = shown(value);
        Err(match value.as_str() {
            Some(text) if text.parse::<i128>().is_ok() => {
                format!("{shown} is text; write the number without quotes")
            }
            _ => format!("{shown} is not a whole number from {least} to {most}"),
        })
    }
}

/// A duration of at least `least`, as humantime reads it.
pub(super) fn duration(least: Duration) -> impl Fn(&Value) -> Parsed<Duration> {
    move |value| {
        let shown = shown(value);
        let digits = shown.trim_matches('"').trim();
        if digits.parse::<u64>().is_ok() {
            return Err(format!(
                "{shown} has no unit; for seconds write \"{digits}s\""
            ));
        }
        let problem = || format!("{shown} is not a duration; write it like \"60s\" or \"1h30m\"");
        let duration = parse_duration(value.as_str().ok_or_else(problem)?)?;
        if duration < least {
            let least = humantime::format_duration(least);
            return Err(format!("{shown} is too short; the least is \"{least}\""));
        }
        if duration > LONGEST {
            return Err(format!("{shown} is too long; the most is \"366days\""));
        }
        Ok(duration)
    }
}

/// Reads a duration in the form of the configuration: `60s`, `4h`, `1h30m`.
///
/// # Errors
///
/// The text is not a duration; the message says how to write one.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("{text:?} is not a duration; write it like \"60s\" or \"1h30m\""))
}

pub(super) fn listen_address(value: &Value) -> Parsed<ListenAddress> {
    let text = text(value)?;
    text.parse()
        .map_err(|error: ListenAddressError| format!("{text:?} {error}"))
}

/// The path of the metrics, which no other page may have.
pub(super) fn telemetry_path(value: &Value) -> Parsed<String> {
    let path = text(value)?;
    let Some(rest) = path.strip_prefix('/') else {
        return Err(format!(
            "{path:?} does not begin with a slash; write it like \"/metrics\""
        ));
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    if !path.bytes().all(allowed) {
        return Err(format!(
            "{path:?} has a character other than letters, digits and - . _ ~ /; write it like \
             \"/metrics\""
        ));
    }
    match rest.split('/').next() {
        Some("" | "-" | "api" | "accounts" | "runbooks") | None => Err(format!(
            "{path:?} belongs to another page; write it like \"/metrics\""
        )),
        Some(_) => Ok(path),
    }
}

pub(super) fn base_url(value: &Value) -> Parsed<BaseUrl> {
    text(value)?.parse().map_err(str::to_owned)
}

pub(super) fn log_level(value: &Value) -> Parsed<Level> {
    let levels = [
        Level::ERROR,
        Level::WARN,
        Level::INFO,
        Level::DEBUG,
        Level::TRACE,
    ];
    one_of(value, LOG_LEVELS, levels)
}

pub(super) fn log_format(value: &Value) -> Parsed<LogFormat> {
    let formats = [LogFormat::Logfmt, LogFormat::Json];
    one_of(value, LOG_FORMATS, formats)
}

pub(super) fn member_access(value: &Value) -> Parsed<MemberAccess> {
    let ways = [MemberAccess::Role, MemberAccess::Root, MemberAccess::Both];
    one_of(value, ["role", "root", "both"], ways)
}

pub(super) fn detail(value: &Value) -> Parsed<Detail> {
    one_of(value, ["email", "ou"], [Detail::Email, Detail::Ou])
}

fn one_of<T, const N: usize>(value: &Value, names: [&str; N], meanings: [T; N]) -> Parsed<T> {
    let text = any_text(value)?;
    names
        .into_iter()
        .zip(meanings)
        .find_map(|(name, meaning)| (name == text).then_some(meaning))
        .ok_or_else(|| format!("{text:?} is not one of {}", names.join(", ")))
}

pub(super) fn account_id(value: &Value) -> Parsed<AccountId> {
    if let Some(number) = whole_number(value) {
        // A number has lost its leading zeros; up to two of them are put back.
        let id = match number.to_string() {
            digits if (10..=12).contains(&digits.len()) => format!("{digits:0>12}"),
            _ => "111122223333".to_owned(),
        };
        return Err(format!(
            "{number} is a number; an account id is 12 digits in quotes: \"{id}\""
        ));
    }
    let text = any_text(value)?;
    text.parse()
        .map_err(|error: crate::account::AccountIdError| error.to_string())
}

/// The name of a Region. Only its form is checked.
pub(super) fn region(value: &Value) -> Parsed<String> {
    let text = text(value)?;
    region_name(&text)?;
    Ok(text)
}

/// An external id. No error shows it.
///
/// Source: STS API Reference, `AssumeRole`, `ExternalId`.
pub(super) fn external_id(value: &Value) -> Parsed<Secret> {
    let Some(text) = value.as_str() else {
        return Err(format!(
            "is {}, but an external id is a text; put it in quotes (the value is not shown)",
            kind(value)
        ));
    };
    let allowed = |byte: u8| is_word(byte) || b"+=,.@:/-".contains(&byte);
    if (2..=1224).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(Secret::new(text))
    } else {
        Err(
            "is not an external id: 2 to 1224 letters, digits and _ + = , . @ : / -, without \
             spaces or line breaks (the value is not shown)"
                .to_owned(),
        )
    }
}

/// Whether AWS's patterns call a character `\w`.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The name of a role, after its path where it has one: `audit/aws-root-exporter`.
///
/// Source: IAM API Reference, `CreateRole`, `RoleName` and `Path`.
pub(super) fn role_name(value: &Value) -> Parsed<String> {
    let text = text(value)?;
    if is_role_name(&text) {
        Ok(text)
    } else {
        Err(format!(
            "{text:?} is not the name of a role (1 to 64 letters, digits and _ + = , . @ -), nor \
             one with its path before it (audit/aws-root-exporter)"
        ))
    }
}

pub(super) fn is_role_name(text: &str) -> bool {
    let (path, name) = text.rsplit_once('/').unwrap_or(("audit", text));
    path.len() <= 510
        && path
            .split('/')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic()))
        && (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| is_word(byte) || b"+=,.@-".contains(&byte))
}

/// The key of an account's tag.
///
/// Source: AWS Organizations API Reference, `Tag`, `Key`.
pub(super) fn tag_key(value: &Value) -> Parsed<String> {
    let text = text(value)?;
    if text.chars().count() <= 128 {
        Ok(text)
    } else {
        Err(format!("{text:?} is longer than a tag key can be, 128"))
    }
}
