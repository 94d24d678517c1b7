//! Differences as lines for people.

use std::fmt;

use definitions::DataType;

use super::super::statistics::ColumnStatistics;
use super::{ColumnDiff, DatasetDiff, Drift, PinnedState, RowsDiff, Sides};

impl fmt::Display for DatasetDiff {
    /// A line per difference, each ending in a line feed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.same_content {
            writeln!(f, "the content is the same: {}", self.fingerprint.a.short())?;
        } else {
            writeln!(
                f,
                "the content differs: {} -> {}",
                self.fingerprint.a.short(),
                self.fingerprint.b.short()
            )?;
        }
        if let Some(Sides { a, b }) = &self.view {
            writeln!(f, "the view's definition: {} -> {}", a.short(), b.short())?;
        }
        if let Some(Sides { a, b }) = &self.arguments {
            writeln!(f, "asked for: {a} -> {b}")?;
        }
        for (group, Sides { a, b }) in &self.pins {
            writeln!(f, "{group}: {} -> {}", state(a.as_ref()), state(b.as_ref()))?;
        }
        for ColumnDiff { column, sides } in &self.columns {
            let word = |side: Option<DataType>| side.map_or("not there", DataType::word);
            writeln!(f, "column `{column}`: {} -> {}", word(sides.a), word(sides.b))?;
        }
        if let Some(Sides { a, b }) = &self.counts {
            writeln!(f, "rows per part: {a} -> {b}")?;
        }
        let RowsDiff {
            same,
            moved,
            changed,
            added,
            removed,
        } = self.rows;
        writeln!(
            f,
            "rows: {same} the same, {moved} moved to another part, {changed} changed, {added} added, {removed} removed"
        )?;
        self.statistics.iter().try_for_each(|drift| write!(f, "{drift}"))
    }
}

fn state(pinned: Option<&PinnedState>) -> String {
    pinned.map_or("not read".to_owned(), |pinned| {
        format!(
            "version {} of {} ({} rows)",
            pinned.delta_version, pinned.committed_at, pinned.rows
        )
    })
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sides { a, b } = &self.sides;
        let mut moved = Vec::new();
        let mut say = |what: &str, a: String, b: String| {
            if a != b {
                moved.push(format!("{what} {a} -> {b}"));
            }
        };
        let value = |value: &Option<serde_json::Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
        let number = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.6}"));
        let distinct = |of: &ColumnStatistics| {
            of.distinct.map_or("-".to_owned(), |of| {
                let word = match (of.exact, of.standard_error) {
                    (true, _) => "",
                    (false, Some(_)) => "about ",
                    (false, None) => "at least ",
                };
                format!("{word}{}", of.values)
            })
        };
        say("NULLs", a.nulls.to_string(), b.nulls.to_string());
        say("min", value(&a.min), value(&b.min));
        say("max", value(&a.max), value(&b.max));
        say("mean", number(a.mean), number(b.mean));
        say("std", number(a.std), number(b.std));
        say("distinct", distinct(a), distinct(b));
        if moved.is_empty() {
            return Ok(());
        }
        let shift = self
            .mean_shift
            .map(|shift| format!(" (mean moved by {shift:+.3} std)"))
            .unwrap_or_default();
        writeln!(f, "{} `{}`: {}{shift}", self.part, self.column, moved.join(", "))
    }
}
