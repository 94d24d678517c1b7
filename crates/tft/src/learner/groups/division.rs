//! Which group a series belongs to: by the value of a static column, or by the cluster of its statistics.
//!
//! A series that training saw stays in its group. A new one goes by what a window looks back at, never by what comes after: to the nearest
//! centre. A value that training did not see, and a series of which nothing is known, belong to no group.

use std::collections::{BTreeMap, BTreeSet};

use learning::{ForecastData, Panel, Values, Window};
use serde::{Deserialize, Serialize};

use super::clusters::{cluster, nearest};
use super::{GroupBy, statistics};
use crate::TftError;

/// Groups by a column at most: each costs a training.
const MOST_GROUPS: usize = 64;

/// What divides series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Division {
    /// A static categorical column.
    Column {
        /// Its name.
        column: String,
        /// The value of each group, in order.
        values: Vec<String>,
    },
    /// Statistics of the targets.
    Clusters {
        /// Of each statistic over series: the mean, and the deviation.
        scales: Vec<(f64, f64)>,
        /// The centre of each group, scaled.
        centres: Vec<Vec<f64>>,
        /// The group of each series that training saw.
        series: BTreeMap<String, usize>,
    },
}

impl Division {
    /// Of the series of the training part.
    pub fn fit(by: &GroupBy, data: &ForecastData<'_>, seed: u64) -> Result<Self, TftError> {
        match by {
            GroupBy::Column(column) => Self::by_column(column, data),
            GroupBy::Clusters(most) => Self::by_clusters(*most, data, seed),
        }
    }

    fn by_column(column: &str, data: &ForecastData<'_>) -> Result<Self, TftError> {
        let unfit = |found: String| TftError::Setting {
            name: "groups.by",
            wanted: "`cluster(N)`, or a static categorical column of 2 to 64 values",
            found,
        };
        let variables = &data.panel.variables.fixed;
        let variable = variables.iter().find(|variable| variable.name == column);
        let Some(Values::Codes(codes)) = variable.map(|variable| &variable.values) else {
            return Err(unfit(format!("`{column}`")));
        };
        let is_seen = |entity: &usize| {
            let (rows, _) = data.panel.series(*entity);
            data.panel
                .parts
                .get(rows)
                .unwrap_or_default()
                .contains(&data.train_part)
        };
        let value = |entity: usize| name_of(&codes.names, codes.of_rows.get(entity).copied());
        let values: BTreeSet<&String> = (0..data.panel.names.len()).filter(is_seen).filter_map(value).collect();
        if !(2..=MOST_GROUPS).contains(&values.len()) {
            return Err(unfit(format!("`{column}`, which has {}", values.len())));
        }
        Ok(Self::Column {
            column: column.to_owned(),
            values: values.into_iter().cloned().collect(),
        })
    }

    fn by_clusters(most: usize, data: &ForecastData<'_>, seed: u64) -> Result<Self, TftError> {
        let names = data.panel.names.iter().enumerate();
        let of_series = names.filter_map(|(entity, name)| {
            let numbers = statistics::of_part(data.panel, entity, data.train_part)?;
            Some((name.clone(), numbers))
        });
        let (names, points): (Vec<String>, Vec<Vec<f64>>) = of_series.unzip();
        if points.len() < most {
            return Err(TftError::Setting {
                name: "groups.by",
                wanted: "at most as many clusters as there are series to learn from",
                found: format!("cluster({most}) of {} series", points.len()),
            });
        }
        let dimensions = data.panel.targets * statistics::EACH;
        let scales: Vec<(f64, f64)> = (0..dimensions).map(|at| scale(&points, at)).collect();
        let scaled: Vec<Vec<f64>> = points.iter().map(|point| scaled(point, &scales)).collect();
        let found = cluster(&scaled, most, seed);
        Ok(Self::Clusters {
            scales,
            centres: found.centres,
            series: names.into_iter().zip(found.of_points).collect(),
        })
    }

    /// What each group is called.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Column { values, .. } => values.clone(),
            Self::Clusters { centres, .. } => (1..=centres.len()).map(|number| format!("cluster {number}")).collect(),
        }
    }

    /// The group of each window of a panel; `None`: it belongs to none.
    pub fn of_windows(&self, panel: &Panel, windows: &[Window], context: usize) -> Vec<Option<usize>> {
        match self {
            Self::Column { column, values } => {
                let variable = panel.variables.fixed.iter().find(|variable| variable.name == *column);
                let of = |window: &Window| {
                    let Values::Codes(codes) = &variable?.values else {
                        return None;
                    };
                    let value = name_of(&codes.names, codes.of_rows.get(window.entity as usize).copied())?;
                    values.binary_search(value).ok()
                };
                windows.iter().map(of).collect()
            }
            Self::Clusters {
                scales,
                centres,
                series,
            } => {
                let group = |name: &String| series.get(name).copied();
                let of_names: Vec<Option<usize>> = panel.names.iter().map(group).collect();
                let of = |window: &Window| {
                    let entity = window.entity as usize;
                    if let Some(group) = of_names.get(entity).copied().flatten() {
                        return Some(group);
                    }
                    let now = panel.row(entity, window.now)?;
                    let (rows, _) = panel.series(entity);
                    let first = (now + 1).saturating_sub(context).max(rows.start);
                    let numbers = statistics::of_rows(panel, first..now + 1)?;
                    Some(nearest(centres, &scaled(&numbers, scales)))
                };
                windows.iter().map(of).collect()
            }
        }
    }
}

/// The name of a code; 0 has none.
fn name_of(names: &[String], code: Option<u32>) -> Option<&String> {
    names.get(code?.checked_sub(1)? as usize)
}

/// Mean and deviation over points; the deviation of what never changes is 1.
fn scale(points: &[Vec<f64>], at: usize) -> (f64, f64) {
    let numbers = || points.iter().filter_map(|point| point.get(at));
    let count = points.len().max(1) as f64;
    let mean = numbers().sum::<f64>() / count;
    let deviation = (numbers().map(|number| (number - mean) * (number - mean)).sum::<f64>() / count).sqrt();
    let is_constant = !(deviation > mean.abs() * 1e-12 && deviation.is_finite());
    (mean, if is_constant { 1.0 } else { deviation })
}

fn scaled(point: &[f64], scales: &[(f64, f64)]) -> Vec<f64> {
    let pairs = point.iter().zip(scales);
    pairs
        .map(|(number, (mean, deviation))| (number - mean) / deviation)
        .collect()
}
