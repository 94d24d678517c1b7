//! Markdown, in so far as a card needs it.

/// A text of headings, paragraphs, lists and tables, with one empty line between them.
#[derive(Debug, Default)]
pub(super) struct Markdown {
    blocks: Vec<String>,
}

impl Markdown {
    pub(super) fn heading(&mut self, level: usize, text: &str) {
        self.blocks.push(format!("{} {}", "#".repeat(level), line(text)));
    }
    pub(super) fn paragraph(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.blocks.push(text.trim().to_owned());
        }
    }
    pub(super) fn list<T: AsRef<str>>(&mut self, items: impl IntoIterator<Item = T>) {
        let items: Vec<String> = items
            .into_iter()
            .map(|item| format!("- {}", line(item.as_ref())))
            .collect();
        self.paragraph(&items.join("\n"));
    }
    /// A table; without rows there is none.
    pub(super) fn table(&mut self, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let rows: Vec<String> = rows.into_iter().map(|cells| row(&cells)).collect();
        if rows.is_empty() {
            return;
        }
        let head_cells: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
        let rule = format!("|{}", "---|".repeat(head.len()));
        self.blocks.push([row(&head_cells), rule, rows.join("\n")].join("\n"));
    }
    pub(super) fn code(&mut self, language: &str, code: &str) {
        self.blocks.push(format!("```{language}\n{}\n```", code.trim_end()));
    }
    pub(super) fn finish(self) -> String {
        self.blocks.join("\n\n") + "\n"
    }
}

fn row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| line(cell).replace('|', "\\|")).collect();
    format!("| {} |", cells.join(" | "))
}

/// One line: what a user wrote over several must not break a list or a table.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `1234567` -> `1,234,567`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent; never 0 or 100 for what is only almost so.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let share = 100.0 * part as f64 / whole as f64;
    match (part, part == whole) {
        (0, _) => "0 %".to_owned(),
        (_, true) => "100 %".to_owned(),
        _ if share < 0.1 => "< 0.1 %".to_owned(),
        _ if share > 99.9 => "> 99.9 %".to_owned(),
        _ => format!("{share:.1} %"),
    }
}

/// A number with four digits that say something; `–` where there is none.
pub(super) fn number(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(value) => {
            let size = value.abs();
            match size {
                _ if !(1e-4..1e7).contains(&size) => format!("{value:.3e}"),
                _ if size >= 1000.0 => format!("{value:.1}"),
                _ if size >= 10.0 => format!("{value:.2}"),
                _ if size >= 1.0 => format!("{value:.3}"),
                _ if size >= 0.01 => format!("{value:.4}"),
                _ => format!("{value:.6}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1000, 1_234_567].map(count).each_ref().map(String::as_str)
        );
        assert_eq!(
            [percent(0, 9), percent(9, 9), percent(1, 3), percent(1, 100_000)],
            ["0 %", "100 %", "33.3 %", "< 0.1 %"]
        );
        let numbers = [
            Some(0.0),
            Some(1.5),
            Some(12.345),
            Some(0.05),
            Some(123_456.0),
            Some(1e-9),
            None,
        ]
        .map(number);
        assert_eq!(numbers, ["0", "1.500", "12.35", "0.0500", "123456.0", "1.000e-9", "–"]);
    }

    #[test]
    fn pipes_and_line_breaks_stay_inside_their_cell() {
        let mut text = Markdown::default();
        text.table(&["a", "b"], [vec!["x|y".to_owned(), "one\ntwo".to_owned()]]);
        assert_eq!(text.finish(), "| a | b |\n|---|---|\n| x\\|y | one two |\n");
    }
}
