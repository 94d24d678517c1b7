//! From series to forecasts: put the steps ahead behind what is known, check that what must be known in advance is there, ask the model, name
//! what it says.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};
use learning::{ForecastModel, ForecastSignature, Panel, PanelColumns, PartNumber, Signature, Window};

use crate::ServingError;

/// Rows of what happened.
const PAST: PartNumber = 1;
/// Rows of what is ahead.
const AHEAD: PartNumber = 2;

/// Missing values that are named; of more, the number is.
const NAMED: usize = 5;

/// A model that forecasts, with everything it takes to ask it.
pub struct ForecastPredictor {
    signature: Signature,
    forecast: ForecastSignature,
    model: Box<dyn ForecastModel>,
}

impl std::fmt::Debug for ForecastPredictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForecastPredictor")
            .field("forecast", &self.forecast)
            .finish_non_exhaustive()
    }
}

/// What forecasts are made of.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Rows up to now: keys, event time, targets and every input.
    pub past: Vec<RecordBatch>,
    /// Rows of the steps ahead: keys, event time and what is known in advance; other inputs are not looked at.
    pub ahead: Vec<RecordBatch>,
    /// Now, in UTC microseconds.
    pub now: i64,
}

impl ForecastPredictor {
    /// A model with its signature.
    ///
    /// # Errors
    /// A signature that is of no forecast, or of one with another shape or other quantiles.
    pub fn new(signature: Signature, model: Box<dyn ForecastModel>) -> Result<Self, ServingError> {
        let mismatch = |wanted: String, found: String| ServingError::Mismatch {
            of: "forecast",
            wanted,
            found,
        };
        let Some(forecast) = signature.forecast.clone() else {
            return Err(mismatch("a signature with `forecast`".to_owned(), "none".to_owned()));
        };
        let said = (
            forecast.context as usize,
            forecast.horizon as usize,
            forecast.quantiles.as_slice(),
        );
        let shape = model.shape();
        let found = (shape.context, shape.horizon, model.levels());
        if said != found {
            return Err(mismatch(format!("{said:?}"), format!("{found:?}")));
        }
        Ok(Self {
            signature,
            forecast,
            model,
        })
    }

    /// What the model takes and gives.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// How it forecasts.
    #[must_use]
    pub fn forecast_signature(&self) -> &ForecastSignature {
        &self.forecast
    }

    /// The times of the steps ahead of now, in UTC microseconds.
    #[must_use]
    pub fn times_ahead(&self, now: i64) -> Vec<i64> {
        let (grid, step) = (self.model.grid(), self.model.grid().step(now));
        (1..=i64::from(self.forecast.horizon))
            .map(|ahead| grid.time(step + ahead))
            .collect()
    }

    /// The step of a time in UTC microseconds.
    #[must_use]
    pub fn step(&self, time: i64) -> i64 {
        self.model.grid().step(time)
    }

    /// When the oldest step that is looked back at begins.
    #[must_use]
    pub fn begins(&self, now: i64) -> i64 {
        let grid = self.model.grid();
        grid.time(grid.step(now) + 1 - i64::from(self.forecast.context))
    }

    /// Forecasts every entity of the rows ahead: a row for each entity and step, by entity and time: keys, time, and a column for each
    /// target and quantile.
    ///
    /// # Errors
    /// `NotKnown`, naming what must be known in advance and is not; `NoHistory` for an entity without a row to look back at; whatever
    /// the model says.
    pub fn predict(&self, asked: &Asked) -> Result<RecordBatch, ServingError> {
        let panel = self.panel(asked)?;
        let step = panel.grid.step(asked.now);
        let mut windows = Vec::new();
        for entity in 0..panel.names.len() {
            let (rows, first) = panel.series(entity);
            let has = |part: PartNumber| panel.parts.get(rows.clone()).unwrap_or_default().contains(&part);
            if has(AHEAD) && !(has(PAST) && first <= step) {
                return Err(ServingError::NoHistory {
                    entity: panel.shown(entity),
                });
            }
            windows.extend(has(AHEAD).then_some(Window {
                entity: entity as u32,
                now: step,
            }));
        }
        self.check_known(&panel, &windows)?;
        let forecasts = self.model.forecast(&panel, &windows)?;
        self.named(&panel, &windows, &forecasts.values)
    }

    fn columns(&self) -> PanelColumns {
        let signature = &self.signature;
        let inputs = signature.inputs.iter().filter(|input| input.categorical);
        PanelColumns {
            keys: signature.keys.iter().map(|key| key.name.clone()).collect(),
            event_time: signature.event_time.clone().unwrap_or_default(),
            targets: self.forecast.targets.clone(),
            fixed: self.forecast.static_columns.clone(),
            known: self.forecast.known_future.clone(),
            observed: self.forecast.observed.clone(),
            categorical: inputs.map(|input| input.name.clone()).collect(),
            frequency: self.forecast.frequency.micros(),
            grid: Some(self.model.grid()),
        }
    }

    fn panel(&self, asked: &Asked) -> Result<Panel, ServingError> {
        let columns = self.columns();
        let mut rows = Vec::new();
        for (part, batches) in [(PAST, &asked.past), (AHEAD, &asked.ahead)] {
            for batch in batches {
                rows.push((part, self.whole(batch, &columns, part)?));
            }
        }
        Ok(Panel::new(&rows, &columns)?)
    }

    /// The batch with every column of the panel; those that are not there yet are NULL.
    fn whole(
        &self,
        batch: &RecordBatch,
        columns: &PanelColumns,
        part: PartNumber,
    ) -> Result<RecordBatch, ServingError> {
        let time = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
        let inputs = self.signature.inputs.iter().chain(&self.signature.keys);
        let typed: Vec<(&String, DataType)> = inputs
            .map(|input| (&input.name, learning::arrow_type(input.data_type)))
            .chain(self.signature.event_time.iter().map(|name| (name, time.clone())))
            .collect();
        let (mut fields, mut arrays): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
        for name in columns.read() {
            let own = batch.column_by_name(&name);
            let is_ahead = part == AHEAD && !columns.known.contains(&name);
            let is_key = columns.keys.contains(&name) || name == columns.event_time;
            let data_type = typed
                .iter()
                .find(|(of, _)| **of == name)
                .map_or(DataType::Float64, |(_, of)| of.clone());
            let array = match own {
                Some(array) if is_key || !is_ahead => arrow::compute::cast(array, &data_type)?,
                _ => new_null_array(&data_type, batch.num_rows()),
            };
            fields.push(Field::new(&name, data_type, true));
            arrays.push(array);
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }

    /// Everything that must be known in advance is.
    fn check_known(&self, panel: &Panel, windows: &[Window]) -> Result<(), ServingError> {
        let (mut named, mut count) = (Vec::new(), 0_usize);
        for window in windows {
            for variable in &panel.variables.known {
                for step in window.now + 1..=window.now + i64::from(self.forecast.horizon) {
                    let row = panel.row(window.entity as usize, step);
                    if row.is_some_and(|row| variable.is_known(row)) {
                        continue;
                    }
                    count += 1;
                    if named.len() < NAMED {
                        let time = definitions::EventTime(panel.grid.time(step));
                        named.push(format!(
                            "`{}` of {} at {time}",
                            variable.name,
                            panel.shown(window.entity as usize)
                        ));
                    }
                }
            }
        }
        if count == 0 {
            return Ok(());
        }
        Err(ServingError::NotKnown {
            named,
            count,
            columns: self.forecast.known_future.clone(),
        })
    }

    fn named(&self, panel: &Panel, windows: &[Window], values: &[f32]) -> Result<RecordBatch, ServingError> {
        let horizon = self.forecast.horizon as usize;
        let entities = windows
            .iter()
            .flat_map(|window| std::iter::repeat_n(window.entity, horizon));
        let places = UInt32Array::from_iter_values(entities);
        let mut fields: Vec<Field> = panel
            .keys
            .schema()
            .fields()
            .iter()
            .map(|field| field.as_ref().clone())
            .collect();
        let mut arrays = panel
            .keys
            .columns()
            .iter()
            .map(|key| take(key, &places, None))
            .collect::<Result<Vec<_>, _>>()?;
        let times = windows.iter().flat_map(|window| {
            let grid = panel.grid;
            (1..=horizon as i64).map(move |ahead| grid.time(window.now + ahead))
        });
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        let time_name = self.signature.event_time.clone().unwrap_or_default();
        fields.push(Field::new(
            time_name,
            arrow::array::Array::data_type(&times).clone(),
            false,
        ));
        arrays.push(Arc::new(times));
        let width = self.forecast.quantiles.len().max(1) * self.forecast.targets.len();
        let names = self
            .forecast
            .targets
            .iter()
            .flat_map(|target| self.forecast.outputs(target));
        for (at, name) in names.enumerate() {
            if fields.iter().any(|field| *field.name() == name) {
                return Err(ServingError::Clash { column: name });
            }
            let column = values
                .iter()
                .skip(at)
                .step_by(width.max(1))
                .map(|value| f64::from(*value));
            let column: Float64Array = column.map(|value| value.is_finite().then_some(value)).collect();
            fields.push(Field::new(name, DataType::Float64, true));
            arrays.push(Arc::new(column));
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }
}
