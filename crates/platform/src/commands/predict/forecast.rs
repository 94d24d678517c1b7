//! `platform predict` with a model that forecasts: what happened up to now is read through the model's view, what is known in advance comes
//! from the calendar, the feature groups, or a file.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, concat_batches, filter_record_batch, is_not_null, take};
use arrow::datatypes::{DataType as Arrow, Field, Schema, TimeUnit, TimestampMicrosecondType};
use arrow::row::{OwnedRow, RowConverter, SortField};
use definitions::{ColumnName, DataType, Derivation, EventTime, FeatureGroup, FeatureView, GroupRef};
use feature_store::dataset::{EntitiesRequest, Manifest, entity_columns, join_entities, open_part, pin_features};
use feature_store::export::write_file;
use feature_store::ingest::read_typed_file;
use feature_store::split::Part;
use learning::{Input, arrow_type};
use registry::{ModelVersionRecord, Registry};
use serde_json::json;
use serving::{Asked, ForecastPredictor};

use super::Predict;
use crate::commands::query::format_of;
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::training::LoadedForecaster;
use crate::{Context, datasets, screen};

/// Forecasts, and writes a row for each entity and step ahead.
pub async fn run(
    asked: &Predict,
    context: &Context,
    repository: &Repository,
    registry: &Registry,
    record: &ModelVersionRecord,
    loaded: LoadedForecaster,
) -> Outcome {
    let predictor = ForecastPredictor::new(loaded.signature, loaded.model)?;
    let (Some(file), Some(at)) = (&asked.entities, asked.at) else {
        let what = format!(
            "{} forecasts: wanted entities, and a time to forecast from",
            record.reference
        );
        let hint = format!(
            "platform predict {} --entities FILE --at 2026-01-31T12:00:00Z",
            asked.model
        );
        return Err(Failure::input(what).hint(hint));
    };
    let dataset = registry.dataset(&record.dataset).await?;
    let manifest = datasets::recorded_manifest(repository, &dataset)?;
    let question = Question {
        repository,
        predictor: &predictor,
        manifest: &manifest,
        groups: manifest.groups(),
        view: FeatureView {
            split: None,
            ..manifest.definitions.view.definition.clone()
        },
        entities: entities(file, &predictor.signature().keys)?,
        at,
    };
    let known = asked.known.as_deref().map(|file| question.known(file)).transpose()?;
    let what = Asked {
        past: question.past().await?,
        ahead: vec![question.ahead(known.as_ref()).await?],
        now: at.0,
    };
    let forecasts = tokio::task::block_in_place(|| predictor.predict(&what))?;
    let format = format_of(&asked.to)?;
    let schema = forecasts.schema();
    let written = write_file::<Failure>(&asked.to, format, &schema, std::iter::once(Ok(forecasts)))?;
    let (count, horizon) = (question.entities.num_rows(), predictor.forecast_signature().horizon);
    if context.json {
        return screen::json(&json!({
            "model": record.reference, "at": at, "entities": count, "horizon": horizon, "rows": written, "path": asked.to,
        }));
    }
    screen::line(format!(
        "{}: {} of {}, {horizon} steps of {} from {at}",
        asked.to.display(),
        screen::things(count, "forecast"),
        record.reference,
        predictor.forecast_signature().frequency,
    ))
}

/// The keys of a file, each once.
fn entities(file: &str, keys: &[Input]) -> Outcome<RecordBatch> {
    let typed = keys
        .iter()
        .map(|key| Ok((key.name.parse::<ColumnName>()?, key.data_type)));
    let batches = read_typed_file(file, &typed.collect::<Outcome<Vec<_>>>()?)?;
    let Some(first) = batches.first() else {
        return Err(Failure::input(format!("`{file}` has no rows")));
    };
    let all = concat_batches(&first.schema(), &batches).map_err(arrow_failure)?;
    let mut columns = Vec::new();
    for key in keys {
        let column = all.column_by_name(&key.name).filter(|column| column.null_count() == 0);
        let what = || Failure::input(format!("`{file}`: wanted `{}` in every row", key.name));
        let column = cast(column.ok_or_else(what)?, &arrow_type(key.data_type)).map_err(arrow_failure)?;
        columns.push((key.name.clone(), column));
    }
    let keys = RecordBatch::try_from_iter(columns).map_err(arrow_failure)?;
    let mut seen = HashSet::new();
    let rows = row_keys(keys.columns())?;
    let first: BooleanArray = rows.into_iter().map(|row| Some(seen.insert(row))).collect();
    filter_record_batch(&keys, &first).map_err(arrow_failure)
}

fn arrow_failure(error: arrow::error::ArrowError) -> Failure {
    learning::LearningError::from(error).into()
}

/// Each row's key, as something that can be looked up.
fn row_keys(columns: &[ArrayRef]) -> Outcome<Vec<OwnedRow>> {
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone()));
    let converter = RowConverter::new(fields.collect()).map_err(arrow_failure)?;
    let rows = converter.convert_columns(columns).map_err(arrow_failure)?;
    Ok(rows.iter().map(|row| row.owned()).collect())
}

/// What is asked of the feature store.
struct Question<'a> {
    repository: &'a Repository,
    predictor: &'a ForecastPredictor,
    manifest: &'a Manifest,
    groups: BTreeMap<GroupRef, FeatureGroup>,
    /// The model's view, undivided.
    view: FeatureView,
    /// The keys.
    entities: RecordBatch,
    at: EventTime,
}

impl Question<'_> {
    fn keys(&self) -> &[Input] {
        &self.predictor.signature().keys
    }

    fn event_time(&self) -> &str {
        self.predictor.signature().event_time.as_deref().unwrap_or_default()
    }

    /// The rows of these entities that the model looks back at, as of each row's time.
    async fn past(&self) -> Outcome<Vec<RecordBatch>> {
        let staging = self.repository.staging()?;
        let arguments = feature_store::dataset::Arguments {
            from: Some(EventTime(self.predictor.begins(self.at.0))),
            to: Some(EventTime(self.at.0.saturating_add(1))),
            as_known_at: None,
        };
        let made = datasets::range(self.repository, &self.view, &self.groups, arguments, staging.path()).await?;
        if made.manifest.rows_in_parts() == 0 {
            return Ok(Vec::new());
        }
        let wanted: HashSet<OwnedRow> = row_keys(self.entities.columns())?.into_iter().collect();
        let mut past = Vec::new();
        for batch in open_part(staging.path(), Part::Train, None)? {
            let batch = batch?;
            let keys = self
                .keys()
                .iter()
                .filter_map(|key| batch.column_by_name(&key.name).cloned());
            let own = row_keys(&keys.collect::<Vec<_>>())?;
            let is_wanted: BooleanArray = own.iter().map(|key| Some(wanted.contains(key))).collect();
            past.push(filter_record_batch(&batch, &is_wanted).map_err(arrow_failure)?);
        }
        Ok(past)
    }

    /// A row for each entity and step ahead, with what is known in advance.
    async fn ahead(&self, known: Option<&RecordBatch>) -> Outcome<RecordBatch> {
        let times = self.predictor.times_ahead(self.at.0);
        let entities = self.entities.num_rows();
        let places = (0..entities).flat_map(|entity| std::iter::repeat_n(entity as u32, times.len()));
        let places = UInt32Array::from_iter_values(places);
        let all_times: Vec<i64> = (0..entities).flat_map(|_| times.iter().copied()).collect();
        let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(all_times.clone()).with_timezone("UTC"));
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        for (key, column) in self.keys().iter().zip(self.entities.columns()) {
            columns.push((key.name.clone(), take(column, &places, None).map_err(arrow_failure)?));
        }
        columns.push((self.event_time().to_owned(), time));
        let rows = batch_of(&columns)?;
        let joined = self.joined(&rows).await?;
        for name in &self.predictor.forecast_signature().known_future {
            let own = match self.calendar(name) {
                Some(part) => Some(feature_store::calendar_column(part, &all_times)),
                None => joined
                    .as_ref()
                    .filter(|_| self.is_stored(name))
                    .and_then(|joined| joined.column_by_name(name).cloned()),
            };
            let input = self
                .predictor
                .signature()
                .inputs
                .iter()
                .find(|input| input.name == *name);
            let data_type = arrow_type(input.map_or(DataType::Float64, |input| input.data_type));
            let own = own.unwrap_or_else(|| new_null_array(&data_type, rows.num_rows()));
            let own = cast(&own, &data_type).map_err(arrow_failure)?;
            columns.push((name.clone(), self.said(known, &rows, name, own)?));
        }
        batch_of(&columns)
    }

    /// The part of the calendar that a column is.
    fn calendar(&self, name: &str) -> Option<definitions::CalendarPart> {
        let column = self.manifest.columns.iter().find(|column| column.name == name)?;
        match self
            .groups
            .get(&column.group)?
            .feature(&column.source)?
            .derivation
            .as_ref()?
        {
            Derivation::Calendar { part } => Some(*part),
            _ => None,
        }
    }

    /// Whether a column is of a group that may hold rows of what is ahead: one that is not computed from what happened.
    fn is_stored(&self, name: &str) -> bool {
        let column = self.manifest.columns.iter().find(|column| column.name == name);
        let group = column.and_then(|column| self.groups.get(&column.group));
        group.is_some_and(|group| !group.is_derived())
    }

    /// What the view's groups hold of the steps ahead; `None` where nothing is asked of them.
    async fn joined(&self, rows: &RecordBatch) -> Outcome<Option<RecordBatch>> {
        let known = &self.predictor.forecast_signature().known_future;
        if !known
            .iter()
            .any(|name| self.calendar(name).is_none() && self.is_stored(name))
        {
            return Ok(None);
        }
        let wanted = entity_columns(&self.view, &self.groups)?;
        if let Some((column, _)) = wanted
            .iter()
            .find(|(name, _)| rows.column_by_name(name.as_str()).is_none())
        {
            let what = format!("what is known in advance is joined on `{column}`, which is no key of the series");
            return Err(Failure::input(what).hint("--known FILE"));
        }
        let store = self.repository.store()?;
        let pins = pin_features(&store, &self.view, &self.groups).await?;
        let request = EntitiesRequest {
            store: &store,
            view: &self.view,
            groups: &self.groups,
            pins: &pins,
            entities: std::slice::from_ref(rows),
            means: self.repository.means,
        };
        Ok(join_entities(&request).await?.batches.pop())
    }

    /// The rows of the file of what is known in advance.
    fn known(&self, file: &str) -> Outcome<RecordBatch> {
        let forecast = self.predictor.forecast_signature();
        let inputs = &self.predictor.signature().inputs;
        let known = inputs
            .iter()
            .filter(|input| forecast.known_future.contains(&input.name));
        let mut columns = Vec::new();
        for input in self.keys().iter().chain(known) {
            columns.push((input.name.parse::<ColumnName>()?, input.data_type));
        }
        columns.push((self.event_time().parse()?, DataType::Timestamp));
        let batches = read_typed_file(file, &columns)?;
        let Some(first) = batches.first() else {
            return Err(Failure::input(format!("`{file}` has no rows")));
        };
        let all = concat_batches(&first.schema(), &batches).map_err(arrow_failure)?;
        let needed = self
            .keys()
            .iter()
            .map(|key| key.name.as_str())
            .chain([self.event_time()]);
        for name in needed {
            if all.column_by_name(name).is_none() {
                return Err(Failure::input(format!(
                    "`{file}`: wanted a column `{name}`, found no such column"
                )));
            }
        }
        Ok(all)
    }

    /// A column of the steps ahead, where the file says something of it as the file says.
    fn said(&self, known: Option<&RecordBatch>, rows: &RecordBatch, name: &str, own: ArrayRef) -> Outcome<ArrayRef> {
        let Some((known, column)) = known.and_then(|known| Some((known, known.column_by_name(name)?))) else {
            return Ok(own);
        };
        let column = cast(column, own.data_type()).map_err(arrow_failure)?;
        let mut places: HashMap<(OwnedRow, i64), u32> = HashMap::new();
        for (place, cell) in self.cells(known)?.into_iter().enumerate() {
            places.extend(cell.map(|cell| (cell, place as u32)));
        }
        let found = self.cells(rows)?.into_iter().map(|cell| places.get(&cell?).copied());
        let said = take(&column, &found.collect::<UInt32Array>(), None).map_err(arrow_failure)?;
        let is_said = is_not_null(&said).map_err(arrow_failure)?;
        zip(&is_said, &said, &own).map_err(arrow_failure)
    }

    /// The entity and step of each row; `None` where it has no time.
    fn cells(&self, rows: &RecordBatch) -> Outcome<Vec<Option<(OwnedRow, i64)>>> {
        let mut keys = Vec::new();
        for key in self.keys() {
            let column = rows.column_by_name(&key.name);
            let column = column.ok_or_else(|| Failure::platform(format!("no column `{}`", key.name)))?;
            keys.push(cast(column, &arrow_type(key.data_type)).map_err(arrow_failure)?);
        }
        let time = rows.column_by_name(self.event_time());
        let time = time.ok_or_else(|| Failure::platform(format!("no column `{}`", self.event_time())))?;
        let micros = cast(time, &Arrow::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))).map_err(arrow_failure)?;
        let times = micros.as_primitive::<TimestampMicrosecondType>();
        let both = row_keys(&keys)?.into_iter().zip(times);
        Ok(both
            .map(|(key, time)| Some((key, self.predictor.step(time?))))
            .collect())
    }
}

fn batch_of(columns: &[(String, ArrayRef)]) -> Outcome<RecordBatch> {
    let fields = columns
        .iter()
        .map(|(name, array)| Field::new(name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays = columns.iter().map(|(_, array)| array.clone()).collect();
    RecordBatch::try_new(schema, arrays).map_err(arrow_failure)
}
