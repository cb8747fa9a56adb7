//! Splits the text of a report into rows: each line is one.
//!
//! A quote that is never closed makes a CSV reader take every later line, also the root user's, for the
//! inside of one field. So every line is read by itself, and broken quotes in one row never affect
//! another. (No name in IAM holds a line break: IAM API Reference, `User`, `UserName`.)

use csv::{ByteRecord, ReaderBuilder};

/// The name of the root user in the column `user`.
pub(super) const ROOT: &[u8] = b"<root_account>";

pub(super) struct Row {
    pub fields: ByteRecord,
    /// Its line in the content, counted from 1.
    pub line: u64,
    /// Whether every quoted field is closed, and nothing follows its closing quote.
    pub quotes_in_order: bool,
    /// Whether the content ends in it, right after a comma.
    pub ends_with_comma: bool,
}

/// The rows of `content`, the header among them. Blank lines are not rows.
pub(super) fn rows(content: &[u8]) -> impl Iterator<Item = Row> {
    let mut line = 0;
    let mut after_return = false;
    let pieces = content.split_inclusive(|byte| matches!(byte, b'\n' | b'\r'));
    pieces.filter_map(move |piece| {
        // `\r\n` ends one line.
        line += u64::from(!(after_return && piece == b"\n"));
        after_return = piece.ends_with(b"\r");
        let text = piece.strip_suffix(b"\n").or(piece.strip_suffix(b"\r"));
        let ends_with_comma = text.is_none() && piece.ends_with(b",");
        let text = text.unwrap_or(piece);
        (!text.is_empty()).then(|| Row {
            fields: fields(text),
            line,
            quotes_in_order: quotes_in_order(text),
            ends_with_comma,
        })
    })
}

fn fields(line: &[u8]) -> ByteRecord {
    if !line.contains(&b'"') {
        return line.split(|byte| *byte == b',').collect();
    }
    let mut fields = ByteRecord::new();
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(line);
    // Reading from memory does not fail, nor does a record of any length or bytes.
    let _: csv::Result<bool> = reader.read_byte_record(&mut fields);
    fields
}

/// Whether the quotes of a line follow RFC 4180, section 2. A quote inside a field that does not start
/// with one is harmless and accepted.
fn quotes_in_order(line: &[u8]) -> bool {
    enum At {
        FieldStart,
        Plain,
        Quoted,
        /// After a quote within a quoted field: it closes the field, or is half of an escape.
        Closing,
    }
    let mut at = At::FieldStart;
    for byte in line {
        at = match (at, byte) {
            (At::Quoted, b'"') => At::Closing,
            (At::Quoted, _) | (At::FieldStart | At::Closing, b'"') => At::Quoted,
            (_, b',') => At::FieldStart,
            (At::Closing, _) => return false,
            (At::FieldStart | At::Plain, _) => At::Plain,
        };
    }
    !matches!(at, At::Quoted)
}
