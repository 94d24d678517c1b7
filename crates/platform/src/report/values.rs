//! The values of columns on their way into tables and charts.

use std::collections::BTreeSet;

use definitions::{DataType, EventTime};
use feature_store::drift::{ColumnProfile, ProfiledValues};
use feature_store::report::PartProfile;
use feature_store::split::Part;
use sketches::{NumberSummary, TextSummary};

use crate::screen;

/// Categories that have a bar.
const BARS: usize = 8;

/// A column of a part, by name.
pub(super) fn column<'a>(part: &'a PartProfile, name: &str) -> Option<&'a ColumnProfile> {
    part.columns.iter().find(|profile| profile.column == name)
}

/// The categories that are drawn: the most frequent of the first part; `None` where values are numbers.
pub(super) fn category_names(of_parts: &[(Part, &ColumnProfile)]) -> Option<Vec<String>> {
    let texts = |profile: &ColumnProfile| -> Option<Vec<String>> {
        let ProfiledValues::Categories(texts) = &profile.values else {
            return None;
        };
        Some(
            texts
                .frequent
                .top(BARS)
                .into_iter()
                .map(|text| text.value.to_string())
                .collect(),
        )
    };
    let mut names: Vec<String> = Vec::new();
    for (_, profile) in of_parts {
        names.extend(texts(profile)?);
    }
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names.truncate(BARS);
    names.extend(["(others)".to_owned(), "(NULL)".to_owned()]);
    (!of_parts.is_empty()).then_some(names)
}

/// The shares of these categories, of all others and of NULL.
pub(super) fn category_shares(profile: &ColumnProfile, names: &[String]) -> Vec<f64> {
    let ProfiledValues::Categories(texts) = &profile.values else {
        return Vec::new();
    };
    let rows = profile.rows.max(1) as f64;
    let counts = counts_of(texts, names.get(..names.len().saturating_sub(2)).unwrap_or_default());
    let others = texts.count - counts.iter().sum::<u64>().min(texts.count);
    let all = counts.into_iter().chain([others, profile.nulls]);
    all.map(|count| count as f64 / rows).collect()
}

fn counts_of(texts: &TextSummary, names: &[String]) -> Vec<u64> {
    let top = texts.frequent.top(usize::MAX);
    let count = |name: &String| {
        top.iter()
            .find(|text| *text.value == **name)
            .map_or(0, |text| text.count)
    };
    names.iter().map(count).collect()
}

/// From where to where numbers are drawn; `None` where there is nothing to draw.
pub(super) fn drawn_range(numbers: &[(Part, &NumberSummary)]) -> Option<(f64, f64)> {
    let of_share = |share: f64| {
        let values = numbers
            .iter()
            .filter_map(move |(_, numbers)| Some(numbers.kind.value(numbers.quantiles.quantile(share)?)));
        values.filter(|value| value.is_finite()).collect::<Vec<f64>>()
    };
    let (low, high) = (of_share(0.01), of_share(0.99));
    let from = low.into_iter().reduce(f64::min)?;
    let to = high.into_iter().reduce(f64::max)?;
    if from < to {
        return Some((from, to));
    }
    Some((from - 0.5, from + 0.5))
}

/// A quantile as text.
pub(super) fn quantile_text(numbers: &NumberSummary, share: f64, data_type: DataType) -> String {
    let key = numbers.quantiles.quantile(share);
    key.map_or_else(|| "-".to_owned(), |key| value_text(numbers.kind.value(key), data_type))
}

/// A value as text; days and times as such.
pub(super) fn value_text(value: f64, data_type: DataType) -> String {
    match data_type {
        DataType::Timestamp => EventTime(value as i64).to_string(),
        DataType::Date => EventTime(value as i64 * 86_400_000_000)
            .to_string()
            .chars()
            .take(10)
            .collect(),
        _ => screen::value(value),
    }
}
