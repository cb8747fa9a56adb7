//! The form of a Region's name.

/// Whether a text can be the name of a Region.
///
/// # Errors
///
/// It cannot; the message says how to write one.
pub(super) fn region_name(text: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(allowed);
    let number = text.rsplit('-').next().unwrap_or_default();
    let is_numbered = number.bytes().all(|byte| byte.is_ascii_digit());
    if text.split('-').all(is_part) && text.split('-').count() >= 3 && is_numbered {
        return Ok(());
    }
    Err(format!(
        "{text:?} is not an AWS Region; write it like \"eu-central-1\""
    ))
}
