//! Tables for a terminal. No text in them can control it.

use std::fmt::Write;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::output::shown;

const HEAD: Style = Style::new().bold();

/// A row, and the lines below it.
pub(super) struct Row<const N: usize> {
    pub cells: [Cell; N],
    pub details: Vec<String>,
}

#[derive(Default)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub fn new(text: &str, style: Style) -> Self {
        let text = shown(text);
        Self { text, style }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text.as_ref(), Style::new())
    }
}

/// The rows under a header; a column that is empty in every row is left out.
pub(super) fn table<const N: usize>(header: [&str; N], rows: &[Row<N>]) -> String {
    let mut text = String::new();
    if rows.is_empty() {
        return text;
    }
    let mut widths = [0; N];
    for row in rows {
        for ((width, head), cell) in widths.iter_mut().zip(header).zip(&row.cells) {
            if !cell.text.is_empty() {
                *width = cell.text.width().max(head.len()).max(*width);
            }
        }
    }
    line(&mut text, &header.map(|head| Cell::new(head, HEAD)), widths);
    for row in rows {
        line(&mut text, &row.cells, widths);
        for detail in &row.details {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "    {}", shown(detail));
        }
    }
    text
}

/// Cells side by side, without blanks at the end.
fn line<const N: usize>(text: &mut String, cells: &[Cell; N], widths: [usize; N]) {
    let mut blanks = 0;
    for (Cell { text: cell, style }, width) in cells.iter().zip(widths) {
        if width == 0 {
            continue;
        }
        if !cell.is_empty() {
            let _ = write!(text, "{:blanks$}{style}{cell}{style:#}", "");
            blanks = 0;
        }
        blanks += width - cell.width() + 2;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_in_any_script_and_empty_ones_are_left_out() {
        let row = |name: &str, detail: &str| Row {
            cells: ["1", name, "", "none", ""].map(Cell::from),
            details: vec![detail.to_owned()],
        };
        let rows = [row("東京", "a\u{1b}b"), row("abcdef", "c")];
        let text = table(["A", "NAME", "B", "KEYS", "C"], &rows);
        let text = anstream::adapter::strip_str(&text).to_string();
        let expected = "A  NAME    KEYS\n1  東京    none\n    a\\u{1b}b\n1  abcdef  none\n    c\n";
        assert_eq!(text, expected);
    }
}
