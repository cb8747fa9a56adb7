//! Where the encoder's text goes: to a byte stream in pieces, and through a change of format.
//!
//! No family is known here. The older text format is made from the lines of the newer one, so
//! that there is no second catalogue.

use std::fmt;
use std::io::{self, BufWriter};

/// How many bytes are collected before they go out.
const PIECE: usize = 64 * 1024;

/// A byte stream as the encoder wants it. [`fmt::Error`] says nothing, so what went wrong is kept.
pub(super) struct Stream<'a> {
    out: BufWriter<&'a mut dyn io::Write>,
    failure: Option<io::Error>,
}

impl<'a> Stream<'a> {
    pub fn new(out: &'a mut dyn io::Write) -> Self {
        Self {
            out: BufWriter::with_capacity(PIECE, out),
            failure: None,
        }
    }

    /// Lets the last bytes out, and tells what went wrong.
    pub fn finish(self, written: fmt::Result) -> io::Result<()> {
        if let Some(failure) = self.failure {
            // What is left would only be tried again.
            drop(self.out.into_parts());
            return Err(failure);
        }
        written.map_err(io::Error::other)?;
        self.out
            .into_inner()
            .map(drop)
            .map_err(io::IntoInnerError::into_error)
    }
}

impl fmt::Write for Stream<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        io::Write::write_all(&mut self.out, text.as_bytes()).map_err(|failure| {
            self.failure = Some(failure);
            fmt::Error
        })
    }
}

/// OpenMetrics in, Prometheus text 0.0.4 out. The samples are the same in both; of the lines that
/// start with `#`, units and the end are left out, a counter's name gets its `_total`, and the
/// type `unknown` is called `untyped`.
///
/// Source: Prometheus documentation, "Exposition formats"; OpenMetrics 1.0.0, "Text Format".
pub(super) struct Classic<W> {
    out: W,
    at_start: bool,
    in_comment: bool,
    /// The line that starts with `#`, as far as it has come.
    comment: String,
    /// A family's help without its name, held until its type is known.
    help: String,
}

impl<W: fmt::Write> Classic<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            at_start: true,
            in_comment: false,
            comment: String::new(),
            help: String::new(),
        }
    }

    /// Whether text that comes now lies in a line that starts with `#`.
    fn in_comment_with(&mut self, text: &str) -> bool {
        if self.at_start {
            self.in_comment = text.starts_with('#');
        }
        self.in_comment
    }

    fn comment_ended(&mut self) -> fmt::Result {
        let mut words = self.comment.trim_end_matches('\n').splitn(4, ' ').skip(1);
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(_), help) => {
                self.help.clear();
                self.help.push_str(help.unwrap_or_default());
            }
            (Some("TYPE"), Some(name), Some(kind)) => {
                let suffix = if kind == "counter" { "_total" } else { "" };
                let kind = if kind == "unknown" { "untyped" } else { kind };
                writeln!(self.out, "# HELP {name}{suffix} {}", self.help)?;
                writeln!(self.out, "# TYPE {name}{suffix} {kind}")?;
            }
            _ => {}
        }
        self.comment.clear();
        Ok(())
    }
}

impl<W: fmt::Write> fmt::Write for Classic<W> {
    /// Takes text in any pieces. A newline always ends a line: in a label value it is escaped.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Millions of small pieces are part of a sample, or end one: those go through as they are.
        if let Some((last, before)) = text.as_bytes().split_last()
            && !self.in_comment_with(text)
            && !before.contains(&b'\n')
        {
            self.at_start = *last == b'\n';
            return self.out.write_str(text);
        }
        let mut rest = text;
        while !rest.is_empty() {
            let in_comment = self.in_comment_with(rest);
            let (line, after) = rest.split_at(rest.find('\n').map_or(rest.len(), |end| end + 1));
            rest = after;
            self.at_start = line.ends_with('\n');
            if !in_comment {
                self.out.write_str(line)?;
                continue;
            }
            self.comment.push_str(line);
            if self.at_start {
                self.comment_ended()?;
            }
        }
        Ok(())
    }
}
