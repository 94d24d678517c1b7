//! Searching model versions by words, alias and metrics.

use std::collections::HashMap;
use std::str::FromStr;

use definitions::{Name, ReferenceError};
use sqlx::sqlite::Sqlite;
use sqlx::{QueryBuilder, SqliteConnection};

use crate::error::sql;
use crate::listing::{SELECT_SUMMARIES, version_summary};
use crate::row::Columns;
use crate::{ModelVersionSummary, Registry, RegistryError};

/// What the view and the pipeline of each registered run say about themselves.
const DESCRIPTIONS: &str = "select p.id as pipeline_id, v.id as view_id,
     concat_ws(' ', v.canonical ->> '$.description', v.canonical ->> '$.owner', v.canonical ->> '$.tags',
         p.canonical ->> '$.description', p.canonical ->> '$.card.intended_use', p.canonical ->> '$.card.owner') as words
     from (select distinct pipeline_definition, view_definition from runs where status = 'registered') as r
     join definitions as p on p.id = r.pipeline_definition join definitions as v on v.id = r.view_definition";

/// The part that a run's model was judged by.
const JUDGED_PART: &str =
    "(select part from evaluations where run = mv.run and subject = 'model' and slice_column is null
     order by case part when 'test' then 0 when 'validation' then 1 else 2 end limit 1)";

/// How a metric is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `=`
    Equal,
}

/// A limit on a metric of the model on the part it was judged by: `test`, or `validation` where there is no test part, or else `train`.
/// Written `mae < 3`.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricFilter {
    /// The metric.
    pub metric: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub value: f64,
}

/// What to look for; everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Search {
    /// Words that must all occur, in any letter case, in the names of model, aliases, view, pipeline or learner, or in the descriptions,
    /// tags, owners and intended uses of view and pipeline.
    pub words: Vec<String>,
    /// An alias that must point to it.
    pub alias: Option<Name>,
    /// Limits on its metrics.
    pub metrics: Vec<MetricFilter>,
}

impl Registry {
    /// The model versions that a search finds, by model, the newest first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn search(&self, search: &Search) -> Result<Vec<ModelVersionSummary>, RegistryError> {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(SELECT_SUMMARIES);
        query.push("where true");
        if let Some(alias) = &search.alias {
            query.push(" and exists (select 1 from aliases where model_version = mv.id and alias = ");
            query.push_bind(alias.as_str()).push(")");
        }
        for filter in &search.metrics {
            query.push(" and exists (select 1 from evaluations as e where e.run = mv.run and e.subject = 'model' and e.slice_column is null");
            query
                .push(" and e.part = ")
                .push(JUDGED_PART)
                .push(" and e.metric = ")
                .push_bind(&filter.metric);
            query
                .push(" and e.value ")
                .push(filter.comparison.sign())
                .push(" ")
                .push_bind(filter.value)
                .push(")");
        }
        query.push(" order by m.name, mv.version desc");
        let mut tx = self.read().await?;
        let rows = query
            .build()
            .fetch_all(&mut *tx)
            .await
            .map_err(sql("search the models"))?;
        let descriptions = if search.words.is_empty() {
            Descriptions::new()
        } else {
            descriptions(&mut tx).await?
        };
        let words: Vec<_> = search.words.iter().map(|word| word.to_lowercase()).collect();
        let mut found = Vec::new();
        for row in &rows {
            let row = Columns(row);
            let summary = version_summary(&row)?;
            let said = descriptions.get(&(row.get("pipeline_definition")?, row.get("view_definition")?));
            let text = text_of(&summary, said.map_or("", String::as_str));
            if words.iter().all(|word| text.contains(word)) {
                found.push(summary);
            }
        }
        Ok(found)
    }
}

/// By the rows of pipeline and view.
type Descriptions = HashMap<(i64, i64), String>;

async fn descriptions(connection: &mut SqliteConnection) -> Result<Descriptions, RegistryError> {
    let rows = sqlx::query(DESCRIPTIONS)
        .fetch_all(connection)
        .await
        .map_err(sql("read descriptions"))?;
    let described = |row| {
        let row = Columns(row);
        Ok(((row.get("pipeline_id")?, row.get("view_id")?), row.get("words")?))
    };
    rows.iter().map(described).collect()
}

/// Everything that words are looked for in, in lower case.
fn text_of(summary: &ModelVersionSummary, descriptions: &str) -> String {
    let ModelVersionSummary {
        reference,
        aliases,
        pipeline,
        learner,
        dataset,
        ..
    } = summary;
    let aliases: Vec<_> = aliases.iter().map(Name::as_str).collect();
    format!(
        "{reference} {} {pipeline} {learner} {dataset} {descriptions}",
        aliases.join(" ")
    )
    .to_lowercase()
}

impl Comparison {
    /// The signs, those of two characters first, so that none hides another.
    const ALL: [Self; 5] = [Self::AtMost, Self::AtLeast, Self::Below, Self::Above, Self::Equal];

    /// How it is written.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Equal => "=",
        }
    }
}

impl FromStr for MetricFilter {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = Comparison::ALL
            .iter()
            .find_map(|&sign| text.split_once(sign.sign()).map(|parts| (sign, parts)));
        let parsed = parts.and_then(|(comparison, (metric, value))| {
            let value = value.trim().parse::<f64>().ok().filter(|value| !value.is_nan())?;
            let metric = metric.trim();
            let is_name = !metric.is_empty() && !metric.contains(char::is_whitespace);
            is_name.then(|| Self {
                metric: metric.to_owned(),
                comparison,
                value,
            })
        });
        parsed.ok_or_else(|| ReferenceError {
            found: text.to_owned(),
            wanted: "a limit on a metric, such as `mae < 3`",
        })
    }
}
