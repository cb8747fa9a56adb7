//! Where the encoder's text goes: to a byte stream in pieces, and through a change of format.
//!
//! No family is known here. The older text format is made from the lines of the newer one, so
//! that there is no second catalogue.

use std::fmt;
use std::io;
use std::mem;

use super::Format;

/// How many bytes are collected before they go out.
const PIECE: usize = 64 * 1024;

/// Takes OpenMetrics as the encoder writes it, a few bytes at a time, and passes it on in a format
/// to a byte stream, many whole lines at a time: what is done for each of the encoder's millions of
/// bits is to append them.
pub(super) struct Output<'a> {
    out: &'a mut dyn io::Write,
    format: Format,
    piece: usize,
    /// What was collected. It begins with a line.
    text: String,
    /// A family's help without its name, held until its type is known.
    help: String,
    /// [`fmt::Error`] says nothing, so what went wrong is kept.
    failure: Option<io::Error>,
}

impl<'a> Output<'a> {
    pub fn new(out: &'a mut dyn io::Write, format: Format) -> Self {
        Self::in_pieces(out, format, PIECE)
    }

    /// Passes on so many bytes at a time, or more where a line is longer.
    pub fn in_pieces(out: &'a mut dyn io::Write, format: Format, piece: usize) -> Self {
        Self {
            out,
            format,
            piece,
            text: String::with_capacity(piece),
            help: String::new(),
            failure: None,
        }
    }

    /// Lets the last bytes out, and tells what went wrong.
    pub fn finish(mut self, written: fmt::Result) -> io::Result<()> {
        let written = written.and_then(|()| self.pass_on(self.text.len()));
        match self.failure {
            Some(failure) => Err(failure),
            None => written.map_err(io::Error::other),
        }
    }

    /// Passes on the first bytes of what was collected, which end with a line.
    fn pass_on(&mut self, end: usize) -> fmt::Result {
        let mut text = mem::take(&mut self.text);
        let lines = &text[..end];
        let passed = match self.format {
            Format::OpenMetrics => self.out.write_all(lines.as_bytes()),
            Format::Text => self.classic(lines),
        };
        text.drain(..end);
        self.text = text;
        passed.map_err(|failure| {
            self.failure = Some(failure);
            fmt::Error
        })
    }

    /// Passes on Prometheus text 0.0.4. The samples are the same in both formats; of the lines that
    /// start with `#`, units and the end are left out, a counter's name gets its `_total`, and the
    /// type `unknown` is called `untyped`.
    ///
    /// Source: Prometheus documentation, "Exposition formats"; OpenMetrics 1.0.0, "Text Format".
    fn classic(&mut self, lines: &str) -> io::Result<()> {
        let mut rest = lines;
        while let Some(start) = first_comment(rest) {
            let (samples, after) = rest.split_at(start);
            self.out.write_all(samples.as_bytes())?;
            let (comment, after) = after.split_once('\n').unwrap_or((after, ""));
            self.comment(comment)?;
            rest = after;
        }
        self.out.write_all(rest.as_bytes())
    }

    fn comment(&mut self, line: &str) -> io::Result<()> {
        let mut words = line.splitn(4, ' ').skip(1);
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(_), help) => {
                self.help.clear();
                self.help.push_str(help.unwrap_or_default());
            }
            (Some("TYPE"), Some(name), Some(kind)) => {
                let suffix = if kind == "counter" { "_total" } else { "" };
                let kind = if kind == "unknown" { "untyped" } else { kind };
                let help = &self.help;
                let head = format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n");
                self.out.write_all(head.as_bytes())?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Where the first line that starts with `#` begins. A newline always ends a line: in a label value
/// it is escaped.
fn first_comment(lines: &str) -> Option<usize> {
    lines
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|at| lines[..*at].is_empty() || lines[..*at].ends_with('\n'))
}

impl fmt::Write for Output<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > self.piece {
            let lines = self.text.rfind('\n').map_or(0, |last| last + 1);
            self.pass_on(lines)?;
        }
        self.text.push_str(text);
        Ok(())
    }
}
