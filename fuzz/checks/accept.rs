//! Any bytes as `Accept` and `Accept-Encoding`: there is always a format, one that the client accepts if
//! it accepts any, and never one that it refuses by `q=0`.

use exporter_toolkit::Format;
use exporter_toolkit::fuzzing::{format, is_compressed};

/// Media ranges from the least to the most exact, and whether each includes OpenMetrics and text.
const RANGES: [(&str, bool, bool); 9] = [
    ("*/*", true, true),
    ("application/*", true, false),
    ("text/*", false, true),
    ("application/openmetrics-text", true, false),
    ("text/plain", false, true),
    ("application/openmetrics-text;version=1.0.0", true, false),
    ("text/plain; version=\"0.0.4\"", false, true),
    ("image/png", false, false),
    ("application/openmetrics-text;version=9.9.9", false, false),
];

const QUALITIES: [(&str, u16); 6] = [
    ("", 1000),
    (";q=0", 0),
    (";Q=0.000", 0),
    ("; q = 0.001", 1),
    (";q=0.5", 500),
    (";q=1", 1000),
];

/// Checks the bytes as lines of a header; returns whether OpenMetrics is chosen.
///
/// # Panics
///
/// If a guarantee is broken.
pub fn check(bytes: &[u8]) -> bool {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let chosen = format(&lines);
    let compressed = is_compressed(&lines);
    let upper = bytes.to_ascii_uppercase();
    let upper: Vec<&[u8]> = upper.split(|byte| *byte == b'\n').collect();
    assert_eq!(format(&upper), chosen, "case matters");
    assert_eq!(is_compressed(&upper), compressed, "case matters");
    if bytes
        .iter()
        .all(|byte| (b' '..b'~').contains(byte) && *byte != b'"' || *byte == b'\n')
    {
        let joined = lines.join(&b","[..]);
        assert_eq!(format(&[&joined]), chosen, "lines are not one list");
        assert_eq!(
            is_compressed(&[&joined]),
            compressed,
            "lines are not one list"
        );
    }
    listed_formats(bytes);
    listed_encodings(bytes);
    chosen == Format::OpenMetrics
}

/// Makes a header of ranges and qualities out of the bytes, so that the right answer is known.
fn listed_formats(bytes: &[u8]) {
    let items: Vec<_> = bytes
        .iter()
        .take(8)
        .map(|byte| {
            let byte = usize::from(*byte);
            (
                byte % RANGES.len(),
                QUALITIES[byte / RANGES.len() % QUALITIES.len()],
            )
        })
        .collect();
    let header: Vec<String> = items
        .iter()
        .map(|(range, (quality, _))| format!("{}{quality}", RANGES[*range].0))
        .collect();
    let header = header.join(", ");
    // RFC 9110, 12.5.1: the most exact range decides.
    let quality = |names: fn(&(&str, bool, bool)) -> bool| {
        let fitting = items.iter().filter(|(range, _)| names(&RANGES[*range]));
        fitting
            .map(|(range, (_, quality))| (*range, *quality))
            .max()
            .map_or(0, |(_, quality)| quality)
    };
    let (open, text) = (quality(|range| range.1), quality(|range| range.2));
    match format(&[header.as_bytes()]) {
        Format::OpenMetrics => assert!(open > 0 && open >= text, "{header}"),
        // If the client accepts neither, it gets text.
        Format::Text => assert!(text > 0 && text >= open || open == 0, "{header}"),
    }
}

fn listed_encodings(bytes: &[u8]) {
    const NAMES: [&str; 4] = ["gzip", "identity", "*", "br"];
    let items: Vec<_> = bytes
        .iter()
        .take(6)
        .map(|byte| {
            let byte = usize::from(*byte);
            (
                byte % NAMES.len(),
                QUALITIES[byte / NAMES.len() % QUALITIES.len()],
            )
        })
        .collect();
    let header: Vec<String> = items
        .iter()
        .map(|(name, (quality, _))| format!("{}{quality}", NAMES[*name]))
        .collect();
    let header = header.join(",");
    let quality = |wanted: usize| {
        let fitting = items.iter().filter(|(name, _)| *name == wanted);
        fitting.map(|(_, (_, quality))| *quality).max()
    };
    let gzip = quality(0).or(quality(2)).unwrap_or(0);
    if is_compressed(&[header.as_bytes()]) {
        assert!(gzip > 0, "{header}");
        assert!(gzip >= quality(1).unwrap_or(0), "{header}");
    }
}
