//! Batches against rows looked up one by one.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::panels::rows;
use crate::data::{Batch, BatchTensors, Gathering, Panel, Rows, Scaler, Scalers, Scaling, Shape, Window, windows};
use crate::model::Columns;

const SHAPE: Shape = Shape { context: 6, horizon: 3 };
const TARGETS: usize = 2;

fn numbers<const D: usize>(tensor: Tensor<Flex, D>) -> Vec<f32> {
    tensor.into_data().to_vec().unwrap()
}

/// A value and whether it is there.
type Cell = (f32, f32);

struct Twin<'a> {
    rows: &'a Rows,
    panel: &'a Panel,
    scalers: &'a Scalers,
}

impl Twin<'_> {
    /// The row of an entity at a step.
    fn row(&self, entity: u32, step: i64) -> Option<usize> {
        (0..self.rows.steps.len()).find(|row| self.rows.entities[*row] == entity && self.rows.steps[*row] == step)
    }
    fn now(&self, window: Window) -> i64 {
        let (series, first) = self.panel.series(window.entity as usize);
        first + window.now as i64 - series.start as i64
    }
    /// Steps of the context from the oldest; `None` before the series begins.
    fn back(&self, window: Window) -> Vec<Option<i64>> {
        let (now, (_, first)) = (self.now(window), self.panel.series(window.entity as usize));
        (0..SHAPE.context as i64)
            .map(|at| now - SHAPE.context as i64 + 1 + at)
            .map(|step| (step >= first).then_some(step))
            .collect()
    }
    fn ahead(&self, window: Window) -> Vec<Option<i64>> {
        (1..=SHAPE.horizon as i64)
            .map(|at| Some(self.now(window) + at))
            .collect()
    }
    fn cell(&self, column: &[f32], entity: u32, step: Option<i64>, scaler: Scaler) -> Cell {
        let value = step
            .and_then(|step| self.row(entity, step))
            .map(|row| column[row])
            .filter(|value| value.is_finite());
        value.map_or((0.0, 0.0), |value| ((value - scaler.centre) / scaler.scale, 1.0))
    }
    fn observed_scaler(&self, window: Window, variable: usize) -> Scaler {
        let column = &self.rows.observed.continuous[variable];
        let name = &self.rows.names[window.entity as usize];
        let fitted = self.scalers.entities.get(name).unwrap_or(&self.scalers.observed)[variable];
        let back = self
            .back(window)
            .into_iter()
            .flatten()
            .filter_map(|step| self.row(window.entity, step));
        match self.scalers.scaling {
            Scaling::Entity => fitted,
            Scaling::Window => {
                Scaler::fit(back.map(|row| column[row]).collect::<Vec<_>>().into_iter()).unwrap_or(fitted)
            }
        }
    }
    /// Continuous variables and tables' rows, step by step.
    fn columns(&self, window: Window, steps: &[Option<i64>], with_observed: bool) -> (Vec<Cell>, Vec<Vec<i32>>) {
        let (known, observed) = (&self.rows.known, &self.rows.observed);
        let mut cells = Vec::new();
        for step in steps {
            for (variable, column) in known.continuous.iter().enumerate() {
                cells.push(self.cell(column, window.entity, *step, self.scalers.known[variable]));
            }
            for (variable, column) in observed.continuous.iter().enumerate().filter(|_| with_observed) {
                cells.push(self.cell(column, window.entity, *step, self.observed_scaler(window, variable)));
            }
        }
        let category = |column: &Vec<u32>| -> Vec<i32> {
            steps
                .iter()
                .map(|step| {
                    step.and_then(|step| self.row(window.entity, step))
                        .map_or(0, |row| column[row] as i32)
                })
                .collect()
        };
        let observed = observed.categorical.iter().filter(|_| with_observed);
        (cells, known.categorical.iter().chain(observed).map(category).collect())
    }
}

fn check_columns(found: &Columns<Flex>, wanted: &[(Vec<Cell>, Vec<Vec<i32>>)], absent: &[bool]) {
    let cells: Vec<Cell> = wanted.iter().flat_map(|(cells, _)| cells.clone()).collect();
    let values = numbers(found.continuous.clone().unwrap());
    assert_eq!(values, cells.iter().map(|cell| cell.0).collect::<Vec<_>>());
    for (variable, column) in found.categorical.iter().enumerate() {
        let wanted: Vec<i32> = wanted
            .iter()
            .flat_map(|(_, categories)| categories[variable].clone())
            .collect();
        assert_eq!(column.clone().into_data().to_vec::<i32>().unwrap(), wanted);
    }
    let (continuous, variables) = (found.continuous_count(), found.variables());
    let present = found
        .present
        .clone()
        .map_or_else(|| vec![1.0; found.rows * variables], numbers);
    for row in 0..found.rows {
        for variable in 0..variables {
            // A category that is not there is the unknown one, except where there is no step.
            let of_cell = |variable: usize| cells[row * continuous + variable].1;
            let wanted = if variable < continuous {
                of_cell(variable)
            } else {
                f32::from(u8::from(!absent[row]))
            };
            assert_eq!(
                present[row * variables + variable],
                wanted,
                "row {row}, variable {variable}"
            );
        }
    }
}

#[test]
fn batch_holds_what_the_rows_hold() {
    for (seed, scaling) in [(1, Scaling::Entity), (2, Scaling::Window), (3, Scaling::Entity)] {
        let rows = rows(seed);
        let panel = Panel::new(rows.clone()).unwrap();
        let scalers = Scalers::fit(&panel, 18, scaling);
        let twin = Twin {
            rows: &rows,
            panel: &panel,
            scalers: &scalers,
        };
        let all = windows(&panel, SHAPE, &(0..100), 1).unwrap();
        let gathering = Gathering::new(&panel, &scalers, SHAPE, TARGETS);
        let mut batch = Batch::default();
        for windows in all.chunks(7) {
            gathering.gather(windows, 0, &mut batch);
            let BatchTensors {
                windows: found,
                targets,
            } = batch.tensors::<Flex>(SHAPE, &Default::default());
            let of = |steps: fn(&Twin, Window) -> Vec<Option<i64>>, with_observed| -> Vec<_> {
                windows
                    .iter()
                    .map(|window| twin.columns(*window, &steps(&twin, *window), with_observed))
                    .collect()
            };
            let absent: Vec<bool> = windows
                .iter()
                .flat_map(|window| twin.back(*window))
                .map(|step| step.is_none())
                .collect();
            check_columns(&found.past, &of(|twin, window| twin.back(window), true), &absent);
            check_columns(
                &found.future.unwrap(),
                &of(|twin, window| twin.ahead(window), false),
                &vec![false; windows.len() * SHAPE.horizon],
            );
            let steps = found.steps_present.map_or_else(|| vec![1.0; absent.len()], numbers);
            assert_eq!(
                steps,
                absent.iter().map(|is| f32::from(u8::from(!is))).collect::<Vec<_>>()
            );
            let mut cells = Vec::new();
            for window in windows {
                for step in twin.ahead(*window) {
                    for target in 0..TARGETS {
                        let scaler = twin.observed_scaler(*window, target);
                        cells.push(twin.cell(&rows.observed.continuous[target], window.entity, step, scaler));
                    }
                }
            }
            assert_eq!(
                numbers(targets.values),
                cells.iter().map(|cell| cell.0).collect::<Vec<_>>()
            );
            assert_eq!(
                numbers(targets.known),
                cells.iter().map(|cell| cell.1).collect::<Vec<_>>()
            );
            let fixed = found.fixed.unwrap();
            let wanted: Vec<i32> = windows
                .iter()
                .map(|window| rows.fixed.categorical[0][window.entity as usize] as i32)
                .collect();
            assert_eq!(
                fixed.categorical[0].clone().into_data().to_vec::<i32>().unwrap(),
                wanted
            );
        }
    }
}

#[test]
fn nothing_before_the_context_and_nothing_observed_after_now_is_seen() {
    let clean = rows(4);
    let panel = Panel::new(clean.clone()).unwrap();
    let window = *windows(&panel, SHAPE, &(0..100), 1)
        .unwrap()
        .iter()
        .find(|window| window.entity == 0 && window.now == 12)
        .unwrap();
    let mut poisoned = clean.clone();
    for row in 0..clean.steps.len() {
        let is_seen = clean.entities[row] == 0 && (7..=12).contains(&clean.steps[row]);
        if !is_seen {
            poisoned
                .observed
                .continuous
                .iter_mut()
                .for_each(|column| column[row] = 1e9);
        }
    }
    for scaling in [Scaling::Entity, Scaling::Window] {
        let scalers = Scalers::fit(&panel, 18, scaling);
        let past = |rows: Rows| {
            let panel = Panel::new(rows).unwrap();
            let mut batch = Batch::default();
            Gathering::new(&panel, &scalers, SHAPE, TARGETS).gather(&[window], 0, &mut batch);
            let tensors = batch.tensors::<Flex>(SHAPE, &Default::default());
            numbers(tensors.windows.past.continuous.unwrap())
        };
        assert_eq!(past(clean.clone()), past(poisoned.clone()));
    }
}

#[test]
fn share_of_categories_is_taken_for_unknown() {
    let panel = Panel::new(rows(5)).unwrap();
    let scalers = Scalers::fit(&panel, 18, Scaling::Entity);
    let gathering = Gathering::new(&panel, &scalers, SHAPE, TARGETS).forgetting(0.25, 9);
    let windows = vec![
        Window {
            entity: 2,
            now: panel.series(2).0.start as u32 + 8
        };
        4000
    ];
    let mut batch = Batch::default();
    let mut gather = |draw| {
        gathering.gather(&windows, draw, &mut batch);
        let fixed = batch.tensors::<Flex>(SHAPE, &Default::default()).windows.fixed.unwrap();
        fixed.categorical[0].clone().into_data().to_vec::<i32>().unwrap()
    };
    let one = gather(0);
    let share = one.iter().filter(|row| **row == 0).count() as f64 / one.len() as f64;
    assert!((share - 0.25).abs() < 0.03, "{share}");
    assert_eq!(gather(0), one);
    assert_ne!(gather(1), one);
}
