//! Charts as inline SVG. Colours come from the page's style sheet, so that they follow light and dark; parts differ by line style, too.

use super::markup::{escape, push};

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 120.0;
const BOTTOM: f64 = 16.0;

/// The shares of a part, bin by bin.
pub struct Series<'a> {
    /// The part's name, which is its class, too.
    pub part: &'a str,
    /// Shares of its values.
    pub shares: Vec<f64>,
}

/// Distributions over the same bins, one step line a part; the first is filled. `ends` stand at both ends of the axis.
pub fn distribution(label: &str, series: &[Series<'_>], ends: (&str, &str)) -> String {
    let most = series
        .iter()
        .flat_map(|series| &series.shares)
        .copied()
        .fold(0.0, f64::max);
    let height = |share: f64| {
        let drawn = if most > 0.0 { share / most } else { 0.0 };
        HEIGHT - BOTTOM - drawn * (HEIGHT - BOTTOM - 4.0)
    };
    let mut svg = opened(label, WIDTH, HEIGHT);
    for (at, Series { part, shares }) in series.iter().enumerate() {
        let step = WIDTH / shares.len().max(1) as f64;
        let mut path = String::new();
        for (bin, share) in shares.iter().enumerate() {
            let (x, y) = (step * bin as f64, height(*share));
            let word = if bin == 0 { "M" } else { "L" };
            push(&mut path, format_args!("{word}{x:.1} {y:.1}H{:.1}", x + step));
        }
        if at == 0 {
            let base = HEIGHT - BOTTOM;
            push(
                &mut svg,
                format_args!(
                    "<path class=\"area\" d=\"M0 {base}{}V{base}Z\"/>",
                    path.replacen('M', "L", 1)
                ),
            );
        }
        push(&mut svg, format_args!("<path class=\"curve {part}\" d=\"{path}\"/>"));
    }
    let (base, foot) = (HEIGHT - BOTTOM, HEIGHT - 3.0);
    push(
        &mut svg,
        format_args!("<line class=\"axis\" x1=\"0\" y1=\"{base}\" x2=\"{WIDTH}\" y2=\"{base}\"/>"),
    );
    push(
        &mut svg,
        format_args!("<text x=\"0\" y=\"{foot}\">{}</text>", escape(ends.0)),
    );
    push(
        &mut svg,
        format_args!(
            "<text x=\"{WIDTH}\" y=\"{foot}\" text-anchor=\"end\">{}</text>",
            escape(ends.1)
        ),
    );
    svg.push_str("</svg>\n");
    svg
}

/// Shares of categories, a bar for each part; `names` are those of the bins.
pub fn bars(label: &str, names: &[String], series: &[Series<'_>]) -> String {
    let most = series
        .iter()
        .flat_map(|series| &series.shares)
        .copied()
        .fold(0.0, f64::max);
    let thick = 6.0;
    let row = thick * series.len() as f64 + 8.0;
    let mut svg = opened(label, WIDTH, row * names.len() as f64 + 2.0);
    for (at, name) in names.iter().enumerate() {
        let top = row * at as f64 + 4.0;
        let short: String = name.chars().take(18).collect();
        let ellipsis = if short.len() < name.len() { "…" } else { "" };
        let middle = top + (row - 8.0) / 2.0 + 4.0;
        push(
            &mut svg,
            format_args!(
                "<text class=\"name\" x=\"0\" y=\"{middle:.1}\">{}{ellipsis}</text>",
                escape(&short)
            ),
        );
        for (which, Series { part, shares }) in series.iter().enumerate() {
            let share = shares.get(at).copied().unwrap_or(0.0);
            let width = if most > 0.0 { share / most * 150.0 } else { 0.0 };
            let y = top + thick * which as f64;
            push(
                &mut svg,
                format_args!(
                    "<rect class=\"bar {part}\" x=\"115\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\"><title>{part}: {:.1} %</title></rect>",
                    thick - 1.0,
                    share * 100.0
                ),
            );
        }
        let first = series
            .first()
            .and_then(|series| series.shares.get(at))
            .copied()
            .unwrap_or(0.0);
        push(
            &mut svg,
            format_args!(
                "<text x=\"{WIDTH}\" y=\"{middle:.1}\" text-anchor=\"end\">{:.1} %</text>",
                first * 100.0
            ),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Shares of NULL over time, a row for each column.
pub fn missing(label: &str, rows: &[(String, Vec<f64>)], ends: (&str, &str)) -> String {
    let (left, wide, row) = (200.0, 720.0, 16.0);
    let height = row * rows.len() as f64 + 20.0;
    let mut svg = opened(label, left + wide, height);
    for (at, (name, shares)) in rows.iter().enumerate() {
        let y = row * at as f64;
        let short: String = name.chars().take(30).collect();
        push(
            &mut svg,
            format_args!(
                "<text class=\"name\" x=\"0\" y=\"{:.1}\">{}</text>",
                y + 11.0,
                escape(&short)
            ),
        );
        let cell = wide / shares.len().max(1) as f64;
        for (bucket, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            let (x, opacity) = (left + cell * bucket as f64, 0.15 + 0.85 * share);
            push(
                &mut svg,
                format_args!(
                    "<rect class=\"null\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill-opacity=\"{opacity:.2}\"><title>{}: {:.1} % NULL</title></rect>",
                    y + 1.0,
                    cell - 0.5,
                    row - 2.0,
                    escape(name),
                    share * 100.0
                ),
            );
        }
        push(
            &mut svg,
            format_args!(
                "<rect class=\"cell\" x=\"{left}\" y=\"{:.1}\" width=\"{wide}\" height=\"{:.1}\"/>",
                y + 1.0,
                row - 2.0
            ),
        );
    }
    let foot = height - 5.0;
    push(
        &mut svg,
        format_args!("<text x=\"{left}\" y=\"{foot}\">{}</text>", escape(ends.0)),
    );
    push(
        &mut svg,
        format_args!(
            "<text x=\"{}\" y=\"{foot}\" text-anchor=\"end\">{}</text>",
            left + wide,
            escape(ends.1)
        ),
    );
    svg.push_str("</svg>\n");
    svg
}

/// A square of correlations: blue together, red against each other, as strong as they are.
pub fn correlations(label: &str, names: &[String], values: &[Vec<Option<f64>>]) -> String {
    let (left, cell) = (200.0, 30.0);
    let size = cell * names.len() as f64;
    let mut svg = opened(label, left + size + 4.0, size + 4.0);
    for (row, (name, cells)) in names.iter().zip(values).enumerate() {
        let y = cell * row as f64;
        let short: String = name.chars().take(26).collect();
        push(
            &mut svg,
            format_args!(
                "<text class=\"name\" x=\"0\" y=\"{:.1}\">{} {}</text>",
                y + 19.0,
                row + 1,
                escape(&short)
            ),
        );
        for (column, value) in cells.iter().enumerate() {
            let x = left + cell * column as f64;
            let (class, opacity) = value.map_or(("plus", 0.0), |value| {
                (if value < 0.0 { "minus" } else { "plus" }, value.abs())
            });
            let shown = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
            let other = names.get(column).map_or("", String::as_str);
            push(
                &mut svg,
                format_args!(
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill-opacity=\"{opacity:.2}\"><title>{} and {}: {shown}</title></rect>",
                    cell - 1.0,
                    cell - 1.0,
                    escape(name),
                    escape(other)
                ),
            );
            let (middle, base) = (x + cell / 2.0 - 0.5, y + cell / 2.0 + 3.0);
            push(
                &mut svg,
                format_args!(
                    "<text class=\"in\" x=\"{middle:.1}\" y=\"{base:.1}\" text-anchor=\"middle\">{shown}</text>"
                ),
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// It shrinks with the page, and does not grow far beyond the size that it was drawn for.
fn opened(label: &str, width: f64, height: f64) -> String {
    format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" style=\"max-width:{:.0}px\" role=\"img\" aria-label=\"{}\">",
        width * 1.25,
        escape(label)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distribution_is_a_step_line_a_part() {
        let series = |part| Series {
            part,
            shares: vec![0.25, 0.75],
        };
        let svg = distribution("x", &[series("train"), series("test")], ("0", "1"));
        assert_eq!(svg.matches("class=\"curve").count(), 2);
        assert!(svg.contains("M0.0 70.7H160.0L160.0 4.0H320.0"), "{svg}");
        assert!(svg.contains("class=\"area\" d=\"M0 104L0.0 70.7"), "{svg}");
    }
}
