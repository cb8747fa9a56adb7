//! What commands print, and the exit codes that they share.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// The command could not start, or could not do its work.
pub(super) const FAILED: u8 = 1;

/// Wrong usage or configuration.
pub(super) const USAGE: u8 = 2;

/// Prints the result of a command. The exit code says whether that worked.
pub(super) fn print(text: &str) -> ExitCode {
    match write(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aws-root-exporter: cannot print: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// Writes to standard output, in colour on a terminal unless `NO_COLOR` is set. A reader that
/// closes the pipe early is no error.
pub(super) fn write(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A text from outside, without characters that would move a terminal's cursor or change its
/// colours.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_cannot_control_the_terminal() {
        assert_eq!(shown("pro\u{1b}[31md\n"), "pro\\u{1b}[31md\\n");
        assert_eq!(shown("Zürich 東京"), "Zürich 東京");
    }
}
