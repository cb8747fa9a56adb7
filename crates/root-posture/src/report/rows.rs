//! Splits the text of a report into rows, so that broken quotes in one row never affect another.
//!
//! A quote that is never closed makes a CSV reader take every later line, also the root user's, for the
//! inside of one field. So a row of several lines is accepted only when its quotes are in order and no
//! root row is inside its fields; else each of its lines is a row of its own. (No name in IAM holds a
//! line break or `<`: IAM API Reference, `User`, `UserName`.) Either way the text is read at most twice.

use std::io::{Cursor, Read, SeekFrom};
use std::ops::Range;

use csv::{ByteRecord, Position, Reader, ReaderBuilder};

/// The name of the root user in the column `user`.
pub(super) const ROOT: &[u8] = b"<root_account>";

/// The rows of a text, in order. Blank lines are not rows.
pub(super) struct Rows<'a> {
    content: &'a [u8],
    reader: Reader<&'a [u8]>,
    /// Reads single lines. It is reused, because making a reader takes longer than reading a line.
    line_reader: Reader<Cursor<&'a [u8]>>,
    record: ByteRecord,
    /// The rest of a row that is read line by line.
    lines: Range<usize>,
}

pub(super) struct Row<'r> {
    pub fields: &'r ByteRecord,
    /// Its position in the content, without line ends.
    pub span: Range<usize>,
    /// Whether every quoted field is closed, and nothing follows its closing quote.
    pub quotes_in_order: bool,
}

impl<'a> Rows<'a> {
    /// The rows of `content`, the header among them.
    pub fn new(content: &'a [u8]) -> Self {
        Self {
            content,
            reader: reader(content),
            line_reader: reader(Cursor::default()),
            record: ByteRecord::new(),
            lines: 0..0,
        }
    }

    pub fn next(&mut self) -> Option<Row<'_>> {
        let (span, quotes_in_order) = loop {
            if let Some(line) = self.next_line() {
                let text = &self.content[line.clone()];
                *self.line_reader.get_mut() = Cursor::new(text);
                rewind(&mut self.line_reader);
                read(&mut self.line_reader, &mut self.record);
                break (line, quotes_in_order(text));
            }
            let from = position(&self.reader);
            if !read(&mut self.reader, &mut self.record) {
                return None;
            }
            let span = trim(self.content, from..position(&self.reader));
            let text = &self.content[span.clone()];
            let in_order = quotes_in_order(text);
            if !text.iter().copied().any(ends_line) || (in_order && !self.hides_root(text)) {
                break (span, in_order);
            }
            self.lines = span;
        };
        Some(Row {
            fields: &self.record,
            span,
            quotes_in_order,
        })
    }

    /// Takes the next line that is not blank from a row that is read line by line.
    fn next_line(&mut self) -> Option<Range<usize>> {
        self.lines = trim(self.content, self.lines.clone());
        if self.lines.is_empty() {
            return None;
        }
        let rest = &self.content[self.lines.clone()];
        let length = rest.iter().copied().position(ends_line);
        let line = self.lines.start..self.lines.start + length.unwrap_or(rest.len());
        self.lines.start = line.end;
        Some(line)
    }

    /// Whether the row that was just read has the root row inside a field.
    fn hides_root(&self, text: &[u8]) -> bool {
        !self.record.iter().any(|field| field == ROOT)
            && text.windows(ROOT.len()).any(|window| window == ROOT)
    }
}

/// The line, counted from 1, of a position in the content.
pub(super) fn line_at(content: &[u8], place: usize) -> u64 {
    let before = content.get(..place).unwrap_or(content);
    let ends = before.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => content.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    1 + ends.fold(0, |count, _| count + 1)
}

fn reader<R: Read>(source: R) -> Reader<R> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(source)
}

/// Reads a record. Reading from memory does not fail, nor does a record of any length or bytes.
fn read<R: Read>(reader: &mut Reader<R>, record: &mut ByteRecord) -> bool {
    reader.read_byte_record(record).unwrap_or(false)
}

/// Resets the reader to the start of its line. Seeking in memory does not fail; if it did, the line
/// would have no fields and so could not be parsed.
fn rewind(reader: &mut Reader<Cursor<&[u8]>>) {
    let _: csv::Result<()> = reader.seek_raw(SeekFrom::Start(0), Position::new());
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.position().byte()).unwrap_or(usize::MAX)
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The range without the line ends at both of its ends.
fn trim(content: &[u8], range: Range<usize>) -> Range<usize> {
    let text = content.get(range.clone()).unwrap_or_default();
    let start = text.iter().position(|byte| !ends_line(*byte));
    let end = text.iter().rposition(|byte| !ends_line(*byte));
    match (start, end) {
        (Some(start), Some(end)) => range.start + start..range.start + end + 1,
        _ => range.end..range.end,
    }
}

/// Whether the quotes of a row follow RFC 4180, section 2. In a row of one line, a quote inside a field
/// that does not start with one is harmless and accepted.
fn quotes_in_order(text: &[u8]) -> bool {
    enum At {
        FieldStart,
        Plain,
        Quoted,
        /// After a quote within a quoted field: it closes the field, or is half of an escape.
        Closing,
    }
    if !text.contains(&b'"') {
        return true;
    }
    let one_line = !text.iter().copied().any(ends_line);
    let mut at = At::FieldStart;
    for byte in text {
        at = match (at, byte) {
            (At::Quoted, b'"') => At::Closing,
            (At::Quoted, _) | (At::FieldStart | At::Closing, b'"') => At::Quoted,
            (At::Plain, b'"') if !one_line => return false,
            (_, b',') => At::FieldStart,
            (At::Closing, _) => return false,
            (At::FieldStart | At::Plain, _) => At::Plain,
        };
    }
    !matches!(at, At::Quoted)
}
