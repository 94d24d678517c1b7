//! A panel of the platform as one of the network: categories as rows of tables, numbers on one scale. Kept as `preprocessing.json`.

use std::collections::{BTreeMap, BTreeSet};

use definitions::Fault;
use learning::{Codes, Grid, LearningError, PartNumber, Values, Variable};
use serde::{Deserialize, Serialize};

use crate::TftError;
use crate::data::{Block, Panel, Rows, Scalers, Scaling, Window};
use crate::model::{Categories, UNKNOWN, VariableSet};

/// Everything between the columns of a dataset and the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// How times become steps.
    pub grid: Grid,
    /// How the values of each categorical variable become rows of its table.
    pub categories: BTreeMap<String, Categories>,
    /// What numbers are scaled by.
    pub scalers: Scalers,
}

/// The variables of each kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kinds {
    pub fixed: VariableSet,
    pub known: VariableSet,
    pub observed: VariableSet,
}

/// Which rows are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// All.
    All,
    /// Those of one part; everything else is missing.
    Part(PartNumber),
}

impl Seen {
    fn sees(self, part: PartNumber) -> bool {
        match self {
            Self::All => true,
            Self::Part(seen) => part == seen,
        }
    }
}

impl Preparation {
    /// Fitted on the rows of a part; and the panel, prepared.
    pub(super) fn fit(
        panel: &learning::Panel,
        part: PartNumber,
        scaling: Scaling,
        seed: u64,
    ) -> Result<(Self, Kinds, Panel), LearningError> {
        let (of_entities, of_rows) = (panel.entities_with(part), Seen::Part(part));
        let mut categories = BTreeMap::new();
        let changing = panel.variables.known.iter().chain(&panel.variables.observed);
        for variable in &panel.variables.fixed {
            let sees = |row: usize| of_entities.get(row).copied().unwrap_or_default();
            categories.extend(categories_of(variable, sees, seed));
        }
        for variable in changing {
            let sees = |row: usize| panel.parts.get(row).is_some_and(|part| of_rows.sees(*part));
            categories.extend(categories_of(variable, sees, seed));
        }
        let set = |variables: &[Variable]| variable_set(variables, &categories);
        let kinds = Kinds {
            fixed: set(&panel.variables.fixed),
            known: set(&panel.variables.known),
            observed: set(&panel.variables.observed),
        };
        let seen = convert(panel, &kinds, &categories, of_rows)?;
        let scalers = Scalers::fit(&seen, i64::MAX, scaling);
        drop(seen);
        let whole = convert(panel, &kinds, &categories, Seen::All)?;
        let preparation = Self {
            grid: panel.grid,
            categories,
            scalers,
        };
        Ok((preparation, kinds, whole))
    }
}

fn categories_of(variable: &Variable, sees: impl Fn(usize) -> bool, seed: u64) -> Option<(String, Categories)> {
    let Values::Codes(codes) = &variable.values else {
        return None;
    };
    let rows = codes.of_rows.iter().enumerate();
    let distinct: BTreeSet<u32> = rows.filter(|(row, _)| sees(*row)).map(|(_, code)| *code).collect();
    let distinct = distinct.len() - usize::from(distinct.contains(&0));
    Some((variable.name.clone(), Categories::for_values(distinct, seed)))
}

fn variable_set(variables: &[Variable], categories: &BTreeMap<String, Categories>) -> VariableSet {
    let names = |categorical: bool| {
        let of_kind = variables
            .iter()
            .filter(|variable| variable.is_categorical() == categorical);
        of_kind.map(|variable| variable.name.clone()).collect::<Vec<_>>()
    };
    let categorical = names(true);
    let rows = |name: &String| categories.get(name).map_or(1, |of| of.rows());
    VariableSet {
        continuous: names(false),
        table_rows: categorical.iter().map(rows).collect(),
        categorical,
    }
}

/// The panel of the network.
pub(super) fn convert(
    panel: &learning::Panel,
    kinds: &Kinds,
    categories: &BTreeMap<String, Categories>,
    seen: Seen,
) -> Result<Panel, LearningError> {
    let of_entities: Vec<bool> = match seen {
        Seen::All => vec![true; panel.names.len()],
        Seen::Part(part) => panel.entities_with(part),
    };
    let of_rows: Vec<bool> = panel.parts.iter().map(|part| seen.sees(*part)).collect();
    let rows = of_rows.len();
    let (mut entities, mut steps) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for entity in 0..panel.names.len() {
        let (series, first) = panel.series(entity);
        entities.extend(std::iter::repeat_n(entity as u32, series.len()));
        steps.extend((first..).take(series.len()));
    }
    let variables = &panel.variables;
    let rows = Rows {
        entities,
        steps,
        names: panel.names.clone(),
        fixed: block(&variables.fixed, &kinds.fixed, categories, &of_entities)?,
        known: block(&variables.known, &kinds.known, categories, &of_rows)?,
        observed: block(&variables.observed, &kinds.observed, categories, &of_rows)?,
    };
    Ok(Panel::new(rows)?)
}

fn block(
    variables: &[Variable],
    set: &VariableSet,
    categories: &BTreeMap<String, Categories>,
    seen: &[bool],
) -> Result<Block, LearningError> {
    let find = |name: &String| {
        let found = variables.iter().find(|variable| variable.name == *name);
        found.ok_or_else(|| misfit(format!("`{name}` is missing")))
    };
    let numbers = |name: &String| match &find(name)?.values {
        Values::Numbers(values) => Ok(values
            .iter()
            .zip(seen)
            .map(|(value, seen)| if *seen { *value } else { f32::NAN })
            .collect()),
        Values::Codes(_) => Err(misfit(format!("`{name}`: wanted numbers, found categories"))),
    };
    let tables = |name: &String| match (&find(name)?.values, categories.get(name)) {
        (Values::Codes(codes), Some(of)) => Ok(table_rows(codes, *of, seen)),
        _ => Err(misfit(format!("`{name}`: wanted categories, found numbers"))),
    };
    Ok(Block {
        continuous: set.continuous.iter().map(numbers).collect::<Result<_, _>>()?,
        categorical: set.categorical.iter().map(tables).collect::<Result<_, _>>()?,
    })
}

fn table_rows(codes: &Codes, categories: Categories, seen: &[bool]) -> Vec<u32> {
    let of_names: Vec<u32> = codes.names.iter().map(|name| categories.row(Some(name))).collect();
    let row = |(code, seen): (&u32, &bool)| {
        let known = code.checked_sub(1).filter(|_| *seen);
        known
            .and_then(|code| of_names.get(code as usize))
            .copied()
            .unwrap_or(UNKNOWN)
    };
    codes.of_rows.iter().zip(seen).map(row).collect()
}

/// Windows of the platform as windows of the network.
pub(super) fn windows(panel: &learning::Panel, windows: &[learning::Window]) -> Result<Vec<Window>, LearningError> {
    let outside = || misfit("a window that is now where its series has no step".to_owned());
    let window = |window: &learning::Window| {
        let row = panel.row(window.entity as usize, window.now).ok_or_else(outside)?;
        Ok(Window {
            entity: window.entity,
            now: u32::try_from(row).map_err(|_| LearningError::Learner {
                learner: super::NAME,
                source: Box::new(TftError::Panel {
                    column: "rows".to_owned(),
                    wanted: u32::MAX as usize,
                    found: row,
                }),
                fault: Fault::Input,
                hint: None,
            })?,
        })
    };
    windows.iter().map(window).collect()
}

fn misfit(problem: String) -> LearningError {
    LearningError::Input {
        problems: vec![problem],
    }
}
