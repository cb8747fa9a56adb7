//! The two text formats of metrics: OpenMetrics, and the older text format made from its lines.
//!
//! No metric is known here, and the whole text is never in memory: it goes out in pieces.

use std::fmt;
use std::io;
use std::mem;

/// How many bytes are collected before they go out.
const PIECE: usize = 64 * 1024;

/// A format in which metrics are exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Text,
}

impl Format {
    /// The value of the header `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Writes in this format what `metrics` writes as OpenMetrics. `out` is not flushed.
    ///
    /// # Errors
    ///
    /// Those of `out` and of `metrics`. The text is cut off there.
    pub fn write(
        self,
        out: &mut dyn io::Write,
        metrics: impl FnOnce(&mut MetricsWriter<'_>) -> fmt::Result,
    ) -> io::Result<()> {
        self.write_in_pieces(out, PIECE, metrics)
    }

    fn write_in_pieces(
        self,
        out: &mut dyn io::Write,
        piece: usize,
        metrics: impl FnOnce(&mut MetricsWriter<'_>) -> fmt::Result,
    ) -> io::Result<()> {
        let mut writer = MetricsWriter {
            out,
            format: self,
            piece,
            text: String::with_capacity(piece),
            help: String::new(),
            failure: None,
        };
        let written = metrics(&mut writer).and_then(|()| writer.pass_on(writer.text.len()));
        match writer.failure {
            Some(failure) => Err(failure),
            None => written.map_err(io::Error::other),
        }
    }
}

/// Takes OpenMetrics text in pieces of any size, as encoders write it: a family's HELP before its TYPE.
pub struct MetricsWriter<'a> {
    out: &'a mut dyn io::Write,
    format: Format,
    /// How many bytes are passed on at a time; more where a line is longer.
    piece: usize,
    /// What was collected. It begins with a line.
    text: String,
    /// A family's help without its name, held until its type is known.
    help: String,
    /// What went wrong, which [`fmt::Error`] cannot say.
    failure: Option<io::Error>,
}

impl MetricsWriter<'_> {
    /// Passes on the first bytes of what was collected, which end with a line.
    fn pass_on(&mut self, end: usize) -> fmt::Result {
        let mut text = mem::take(&mut self.text);
        let lines = &text[..end];
        let passed = match self.format {
            Format::OpenMetrics => self.out.write_all(lines.as_bytes()),
            Format::Text => self.write_as_text(lines),
        };
        text.drain(..end);
        self.text = text;
        passed.map_err(|failure| {
            self.failure = Some(failure);
            fmt::Error
        })
    }

    /// Passes on Prometheus text 0.0.4. Samples are the same in both formats; of the lines that
    /// start with `#`, units and the end are left out, a counter's name gets its `_total`, that of an
    /// info its `_info`, and a type that the format does not have becomes `gauge` or `untyped`.
    ///
    /// Source: Prometheus documentation, "Exposition formats"; OpenMetrics 1.0.0, "Text Format".
    fn write_as_text(&mut self, lines: &str) -> io::Result<()> {
        let mut rest = lines;
        while let Some(start) = first_comment(rest) {
            let (samples, after) = rest.split_at(start);
            self.out.write_all(samples.as_bytes())?;
            let (comment, after) = after.split_once('\n').unwrap_or((after, ""));
            self.write_comment(comment)?;
            rest = after;
        }
        self.out.write_all(rest.as_bytes())
    }

    fn write_comment(&mut self, line: &str) -> io::Result<()> {
        let mut words = line.splitn(4, ' ').skip(1);
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(_), help) => help.unwrap_or_default().clone_into(&mut self.help),
            (Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "stateset" => ("", "gauge"),
                    "unknown" | "gaugehistogram" => ("", "untyped"),
                    _ => ("", kind),
                };
                let help = mem::take(&mut self.help);
                if !help.is_empty() {
                    writeln!(self.out, "# HELP {name}{suffix} {help}")?;
                }
                writeln!(self.out, "# TYPE {name}{suffix} {kind}")?;
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

impl fmt::Write for MetricsWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > self.piece {
            let lines = self.text.rfind('\n').map_or(0, |last| last + 1);
            self.pass_on(lines)?;
        }
        self.text.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const OPEN_METRICS: &str = "\
# HELP a_bytes A size with a # in it.
# TYPE a_bytes gauge
# UNIT a_bytes bytes
a_bytes{b=\"#\\n# HELP\"} 1
# HELP c What happened.
# TYPE c counter
c_total 2
# HELP d Anything.
# TYPE d unknown
d 3
# TYPE without_help gauge
without_help 4
# HELP build Which one it is.
# TYPE build info
build_info{version=\"1\"} 1
# EOF
";

    const TEXT: &str = "\
# HELP a_bytes A size with a # in it.
# TYPE a_bytes gauge
a_bytes{b=\"#\\n# HELP\"} 1
# HELP c_total What happened.
# TYPE c_total counter
c_total 2
# HELP d Anything.
# TYPE d untyped
d 3
# TYPE without_help gauge
without_help 4
# HELP build_info Which one it is.
# TYPE build_info gauge
build_info{version=\"1\"} 1
";

    #[test]
    fn pieces_of_any_size_give_the_same_text() {
        for (format, expected) in [(Format::OpenMetrics, OPEN_METRICS), (Format::Text, TEXT)] {
            for written in [1, 2, 7, 1000] {
                for piece in [0, 1, 16, 1000] {
                    let mut out = Vec::new();
                    let parts = OPEN_METRICS.as_bytes().chunks(written);
                    format
                        .write_in_pieces(&mut out, piece, |writer| {
                            parts
                                .map(|part| str::from_utf8(part).unwrap())
                                .try_for_each(|part| writer.write_str(part))
                        })
                        .unwrap();
                    assert_eq!(String::from_utf8(out).unwrap(), expected);
                }
            }
        }
    }

    #[test]
    fn an_error_of_the_stream_is_the_error() {
        let mut out: &mut [u8] = &mut [0; 10];
        let error = Format::Text.write(&mut out, |writer| writer.write_str(OPEN_METRICS));
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }
}
