//! The two text formats of metrics: OpenMetrics, and the older text format made from its lines.
//!
//! No metric is known here. A compressed answer is compressed piece by piece, so that its whole text
//! is never in memory.

use std::fmt;
use std::io;
use std::mem;

use bytes::Bytes;

use crate::body::{EncodedBody, Encoding, PackedLines};

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

    /// What `metrics` writes as OpenMetrics, in this format.
    ///
    /// # Errors
    ///
    /// Those of `metrics`.
    pub fn render(
        self,
        metrics: impl FnOnce(&mut MetricsWriter) -> fmt::Result,
    ) -> io::Result<Bytes> {
        self.write(EncodedBody::new(Encoding::Identity, 0), metrics)
    }

    /// Appends to `body`, and finishes it.
    pub(crate) fn write(
        self,
        body: EncodedBody,
        metrics: impl FnOnce(&mut MetricsWriter) -> fmt::Result,
    ) -> io::Result<Bytes> {
        self.write_in_pieces(body, PIECE, metrics)
    }

    fn write_in_pieces(
        self,
        body: EncodedBody,
        piece: usize,
        metrics: impl FnOnce(&mut MetricsWriter) -> fmt::Result,
    ) -> io::Result<Bytes> {
        let mut writer = MetricsWriter {
            body,
            format: self,
            piece,
            text: String::with_capacity(piece),
            help: String::new(),
            failure: None,
        };
        let written = metrics(&mut writer).and_then(|()| writer.pass_on(writer.text.len()));
        match writer.failure {
            Some(failure) => Err(failure),
            None => written
                .map(|()| writer.body.finish())
                .map_err(io::Error::other),
        }
    }
}

/// Takes OpenMetrics text in pieces of any size, as encoders write it: a family's HELP before its TYPE.
pub struct MetricsWriter {
    body: EncodedBody,
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

impl MetricsWriter {
    /// Writes lines that were packed before: samples only, which are the same in both formats. What
    /// was written so far must end with a line.
    ///
    /// # Errors
    ///
    /// As other writing.
    pub fn write_packed(&mut self, lines: &PackedLines) -> fmt::Result {
        self.pass_on(self.text.len())?;
        let written = self.body.write_packed(lines);
        self.noted(written)
    }

    /// Passes on the first bytes of what was collected, which end with a line.
    fn pass_on(&mut self, end: usize) -> fmt::Result {
        if end == 0 {
            return Ok(());
        }
        let rest = self.text.split_off(end);
        let lines = mem::replace(&mut self.text, rest);
        let written = match self.format {
            Format::OpenMetrics => self.body.write(lines.as_bytes()),
            Format::Text => self.body.write(as_text(&lines, &mut self.help).as_bytes()),
        };
        self.noted(written)
    }

    fn noted(&mut self, written: io::Result<()>) -> fmt::Result {
        written.map_err(|failure| {
            self.failure = Some(failure);
            fmt::Error
        })
    }
}

/// OpenMetrics as Prometheus text 0.0.4. Samples are the same in both formats; of the lines that
/// start with `#`, units and the end are left out, a counter's name gets its `_total`, that of an
/// info its `_info`, and a type that the format does not have becomes `gauge` or `untyped`.
///
/// Source: Prometheus documentation, "Exposition formats"; OpenMetrics 1.0.0, "Text Format".
fn as_text(lines: &str, help: &mut String) -> String {
    let mut text = String::with_capacity(lines.len());
    let mut rest = lines;
    while let Some(start) = first_comment(rest) {
        let (samples, after) = rest.split_at(start);
        text.push_str(samples);
        let (comment, after) = after.split_once('\n').unwrap_or((after, ""));
        push_comment(&mut text, comment, help);
        rest = after;
    }
    text.push_str(rest);
    text
}

fn push_comment(text: &mut String, line: &str, help: &mut String) {
    let mut words = line.splitn(4, ' ').skip(1);
    match (words.next(), words.next(), words.next()) {
        (Some("HELP"), Some(_), about) => about.unwrap_or_default().clone_into(help),
        (Some("TYPE"), Some(name), Some(kind)) => {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "stateset" => ("", "gauge"),
                "unknown" | "gaugehistogram" => ("", "untyped"),
                _ => ("", kind),
            };
            let help = mem::take(help);
            if !help.is_empty() {
                text.extend(["# HELP ", name, suffix, " ", &help, "\n"]);
            }
            text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        }
        _ => {}
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

impl fmt::Write for MetricsWriter {
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
    use crate::body::Packer;

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
                    let body = EncodedBody::new(Encoding::Identity, 0);
                    let mut parts = OPEN_METRICS.as_bytes().chunks(written);
                    let text = format.write_in_pieces(body, piece, |writer| {
                        parts.try_for_each(|part| writer.write_str(str::from_utf8(part).unwrap()))
                    });
                    assert_eq!(text.unwrap(), expected);
                }
            }
        }
    }

    #[test]
    fn packed_samples_stand_where_they_were_written_in_both_formats() {
        let packed = Packer::default().pack(b"d 3\n").unwrap();
        for (format, expected) in [(Format::OpenMetrics, OPEN_METRICS), (Format::Text, TEXT)] {
            let text = format.render(|writer| {
                let (before, after) = OPEN_METRICS.split_once("d 3\n").unwrap();
                writer.write_str(before)?;
                writer.write_packed(&packed)?;
                writer.write_str(after)
            });
            assert_eq!(text.unwrap(), expected);
        }
    }

    #[test]
    fn a_failure_of_the_metrics_is_one() {
        let failed = Format::Text.render(|writer| {
            writer.write_str("a 1\n")?;
            Err(fmt::Error)
        });
        assert!(failed.is_err());
    }
}
