//! A report about a dataset: one page of HTML that needs nothing else, for a person to look at before training on it.
//!
//! No network, no script: style and charts stand in the page. It follows the reader's light or dark scheme, can be read with a keyboard
//! and printed, and says the same for the same dataset.
//!
//! Reading order: this file (the page), `sections` (what stands in it), `values` (of columns), `chart` (SVG), `markup` (HTML).

mod chart;
mod markup;
mod sections;
mod values;

use feature_store::report::ReportData;

use markup::{escape, section};

const STYLE: &str = include_str!("style.css");

/// What a report is about.
pub struct Report<'a> {
    /// The dataset's name: `cpu_fv:v2/5`.
    pub dataset: String,
    /// What is known of it.
    pub data: &'a ReportData,
    /// From where on a column has drifted.
    pub thresholds: sketches::drift::Thresholds,
}

impl Report<'_> {
    /// The page.
    pub fn html(&self) -> String {
        let sections = [
            ("overview", "Overview", self.overview()),
            ("leakage", "Leakage certificate", self.leakage()),
            ("labels", "Labels", self.labels()),
            ("drift", "Drift between the parts", self.drift()),
            ("distributions", "Distributions", self.distributions()),
            ("missing", "Missing values over time", self.missing()),
            ("correlations", "Correlations", self.correlations()),
            ("statistics", "Statistics", self.statistics()),
        ];
        let contents: String = sections
            .iter()
            .map(|(id, heading, _)| format!("<li><a href=\"#{id}\">{heading}</a></li>"))
            .collect();
        let body: String = sections
            .iter()
            .map(|(id, heading, inner)| section(id, heading, inner))
            .collect();
        let name = escape(&self.dataset);
        let fingerprint = &self.data.manifest.fingerprint;
        let made = self.data.manifest.created_at;
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#overview\">Skip to the report</a>\n\
             <header>\n<h1>Dataset {name}</h1>\n<p class=\"quiet\">made {made}, content <code>{fingerprint}</code></p>\n\
             <nav aria-label=\"Sections\"><ul>{contents}</ul></nav>\n</header>\n<main>\n{body}</main>\n</body>\n</html>\n"
        )
    }
}
