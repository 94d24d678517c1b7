//! HTML as text: everything that comes from data is escaped here and nowhere else.

use std::fmt::Write;

/// Text that is safe between tags and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other if other.is_control() && other != '\n' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// A cell of a table.
pub enum Cell {
    /// To the left.
    Text(String),
    /// To the right.
    Number(String),
    /// What someone should look at.
    Bad(String),
}

/// A table in a box that scrolls, and that a keyboard reaches.
pub fn table(label: &str, headings: &[&str], rows: &[Vec<Cell>]) -> String {
    let label = escape(label);
    let mut html =
        format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">\n<table>\n<thead><tr>");
    for (at, heading) in headings.iter().enumerate() {
        let is_number = rows
            .first()
            .and_then(|row| row.get(at))
            .is_some_and(|cell| matches!(cell, Cell::Number(_)));
        let class = if is_number { " class=\"n\"" } else { "" };
        push(
            &mut html,
            format_args!("<th scope=\"col\"{class}>{}</th>", escape(heading)),
        );
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for cell in row {
            match cell {
                Cell::Text(text) => push(&mut html, format_args!("<td>{}</td>", escape(text))),
                Cell::Number(text) => push(&mut html, format_args!("<td class=\"n\">{}</td>", escape(text))),
                Cell::Bad(text) => push(&mut html, format_args!("<td class=\"bad\">{}</td>", escape(text))),
            }
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
    html
}

/// A section with its heading; `id` is where the table of contents goes.
pub fn section(id: &str, heading: &str, inner: &str) -> String {
    format!(
        "<section id=\"{id}\">\n<h2>{}</h2>\n{inner}</section>\n",
        escape(heading)
    )
}

/// A paragraph.
pub fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escape(text))
}

/// A list, a line each.
pub fn list(lines: impl IntoIterator<Item = String>) -> String {
    let mut html = String::from("<ul>\n");
    for line in lines {
        push(&mut html, format_args!("<li>{}</li>\n", escape(&line)));
    }
    html.push_str("</ul>\n");
    html
}

/// Appends formatted text; a string never refuses it.
pub fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    let _never_fails = html.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_cannot_leave_their_place() {
        assert_eq!(
            escape("<script>alert(\"x\")</script> & 'y'\u{7}"),
            "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;\u{fffd}"
        );
        let html = table("a\"b", &["<h>"], &[vec![Cell::Text("</td>".into())]]);
        assert!(html.contains("&lt;/td&gt;") && html.contains("&lt;h&gt;") && html.contains("a&quot;b"));
    }
}
