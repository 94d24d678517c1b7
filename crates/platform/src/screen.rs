//! What a person or a program reads: data on stdout, talk on stderr, tables for people, one JSON document for programs.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::failure::{Failure, Outcome};

/// Writes to stdout; a reader that has gone away ends the program quietly, as for every filter.
pub fn print(text: &str) -> Outcome {
    print_bytes(text.as_bytes())
}

/// As `print`, for what is bytes already.
pub fn print_bytes(bytes: &[u8]) -> Outcome {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::platform(format!("cannot write to stdout: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Writes a line to stdout.
pub fn line(text: impl AsRef<str>) -> Outcome {
    print(&format!("{}\n", text.as_ref()))
}

/// Writes one JSON document to stdout.
pub fn json(value: &impl Serialize) -> Outcome {
    line(serde_json::to_string_pretty(value)?)
}

/// Says something on stderr.
pub fn say(text: impl AsRef<str>) {
    let mut err = std::io::stderr().lock();
    // Nothing can be said about a stderr that is closed.
    drop(writeln!(err, "{}", text.as_ref()));
}

/// Whether a person watches stderr.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// How the cells of a column are aligned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// A table for people: a line of headings, then rows, columns two spaces apart, numbers to the right.
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings and no rows.
    pub fn new(headings: &[&str]) -> Self {
        Self {
            headings: headings.iter().map(|&heading| heading.to_owned()).collect(),
            rows: Vec::new(),
        }
    }
    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
    /// The table as text, a newline after every line.
    pub fn render(&self) -> String {
        let columns: Vec<(usize, Align)> = (0..self.headings.len()).map(|at| self.shape(at)).collect();
        let all = std::iter::once(&self.headings).chain(&self.rows);
        all.map(|cells| render_row(cells, &columns)).collect()
    }
    /// Prints it.
    pub fn print(&self) -> Outcome {
        print(&self.render())
    }
    fn shape(&self, at: usize) -> (usize, Align) {
        let cells = || self.rows.iter().filter_map(move |row| row.get(at));
        let heading = self.headings.get(at).map_or(0, |heading| heading.chars().count());
        let width = cells().map(|cell| cell.chars().count()).max().unwrap_or(0).max(heading);
        let is_number = |cell: &String| cell == "-" || cell.replace([',', '%', ' '], "").parse::<f64>().is_ok();
        let align = if !self.rows.is_empty() && cells().all(is_number) {
            Align::Right
        } else {
            Align::Left
        };
        (width, align)
    }
}

fn render_row(cells: &[String], columns: &[(usize, Align)]) -> String {
    let padded = cells.iter().zip(columns).map(|(cell, &(width, align))| {
        let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
        if align == Align::Right {
            format!("{pad}{cell}")
        } else {
            format!("{cell}{pad}")
        }
    });
    let text = padded.collect::<Vec<_>>().join("  ");
    format!("{}\n", text.trim_end())
}

/// `12,345,678`
pub fn count(number: impl TryInto<i128>) -> String {
    let number = number.try_into().unwrap_or_default();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// `1 file`, `12 files`, `0 entities`: a number of things, by the word for one of them.
pub fn things(number: impl TryInto<i128>, one: &str) -> String {
    let number = number.try_into().unwrap_or_default();
    let word = match one.strip_suffix('y') {
        _ if number == 1 => one.to_owned(),
        Some(stem) => format!("{stem}ies"),
        None => format!("{one}s"),
    };
    format!("{} {word}", count(number))
}

/// A measured value with at most six significant digits: `3.14159`, `0.00012`, `1234570`.
pub fn value(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return format!("{number}");
    }
    let magnitude = number.abs().log10().floor();
    let decimals = (5.0 - magnitude).clamp(0.0, 12.0) as usize;
    let text = format!("{number:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// An optional value; `-` for none.
pub fn optional_value(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), value)
}

/// `1.3 s`, `2 min 05 s`
pub fn seconds(span: std::time::Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    format!("{} min {:02} s", span.as_secs() / 60, span.as_secs() % 60)
}

/// `1.5 MB`
pub fn bytes(number: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.iter().find(|(size, _)| number >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", number as f64 / *size as f64),
        None => things(number, "byte"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned_right_and_text_left() {
        let mut table = Table::new(&["name", "rows"]);
        table.row(["a".into(), "1,000".into()]);
        table.row(["longer".into(), "-".into()]);
        assert_eq!(table.render(), "name     rows\na       1,000\nlonger      -\n");
    }

    #[test]
    fn values_keep_six_significant_digits() {
        assert_eq!(value(std::f64::consts::PI), "3.14159");
        assert_eq!(value(1_234_567.8), "1234568");
        assert_eq!(value(0.25), "0.25");
        assert_eq!(count(1_234_567_u64), "1,234,567");
        assert_eq!(count(-12_i64), "-12");
        assert_eq!(things(1_u64, "file"), "1 file");
        assert_eq!(things(0_usize, "entity"), "0 entities");
        assert_eq!(things(1_200_u64, "row"), "1,200 rows");
        assert_eq!(bytes(1_530_000), "1.5 MB");
    }
}
