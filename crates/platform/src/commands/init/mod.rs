//! `platform init`: a small working repository, the running example or one that fits a user's own file.

mod infer;
mod templates;

use std::path::{Path, PathBuf};

use clap::Args;
use definitions::{ColumnName, Duration};
use serde::Serialize;

use super::plan::check_alone;
use crate::Context;
use crate::failure::{Failure, Outcome, at_path};
use crate::repository::{DEFINITION_FOLDERS, SETTINGS_FILE};
use crate::screen;

/// Make a small working repository: the running example, or definitions that fit a file of yours.
#[derive(Args)]
pub struct Init {
    /// The folder to make it in.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// A CSV, Parquet or JSON lines file of yours to write definitions for.
    #[arg(long, value_name = "FILE", requires_all = ["time", "target"])]
    from: Option<PathBuf>,
    /// With --from: the column that says what a row is about, such as `host`; several with commas.
    #[arg(long, value_name = "COLUMN", requires = "from", value_delimiter = ',')]
    entity: Vec<String>,
    /// With --from: the column that says when.
    #[arg(long, value_name = "COLUMN", requires = "from")]
    time: Option<String>,
    /// With --from: the number to forecast.
    #[arg(long, value_name = "COLUMN", requires = "from")]
    target: Option<String>,
    /// With --from: how far ahead to forecast: the label is the largest value of the target in that time.
    #[arg(long, value_name = "DURATION", default_value = "1h", requires = "from")]
    horizon: Duration,
    /// With --from: the zone of timestamps that come without one, such as `Europe/Berlin`.
    #[arg(long, value_name = "ZONE", requires = "from")]
    time_zone: Option<String>,
}

/// What was written.
#[derive(Serialize)]
struct Report {
    repository: PathBuf,
    files: Vec<String>,
    inferred: Option<infer::Inferred>,
}

impl Init {
    /// Writes the files; refuses a folder that is a repository already.
    pub async fn run(self, context: &Context) -> Outcome {
        let settings = self.folder.join(SETTINGS_FILE);
        if settings.exists() {
            return Err(Failure::input(format!(
                "`{}` is there already: nothing was changed",
                settings.display()
            ))
            .hint(format!("platform plan --repository {}", self.folder.display())));
        }
        let (files, inferred) = self.files().await?;
        if let Some((taken, _)) = files.iter().find(|(name, _)| self.folder.join(name).exists()) {
            return Err(Failure::input(format!(
                "`{}` is there already: nothing was changed",
                self.folder.join(taken).display()
            )));
        }
        for (name, text) in &files {
            write(&self.folder.join(name), text)?;
        }
        let names = files.into_iter().map(|(name, _)| name).collect();
        report(
            context,
            Report {
                repository: self.folder,
                files: names,
                inferred,
            },
        )
    }

    async fn files(&self) -> Outcome<(Vec<(String, String)>, Option<infer::Inferred>)> {
        let (Some(from), Some(time), Some(target)) = (&self.from, &self.time, &self.target) else {
            let files = templates::EXAMPLE
                .iter()
                .map(|&(name, text)| (name.to_owned(), text.to_owned()));
            return Ok((files.collect(), None));
        };
        if self.entity.is_empty() {
            return Err(no_entity(from));
        }
        let asked = infer::Asked {
            entity: &self.entity,
            time,
            target,
            horizon: self.horizon,
            time_zone: self.time_zone.as_deref(),
        };
        let inferred = infer::infer(from, &asked).await?;
        let files = templates::for_file(&inferred);
        check(from, &files).await?;
        Ok((files, Some(inferred)))
    }
}

/// A file of one series does not say what its rows are about, and a feature group has to know.
fn no_entity(from: &Path) -> Failure {
    let stem = from.file_stem().unwrap_or_default().to_string_lossy();
    let name: String = stem
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
        .collect();
    let from = from.display();
    Failure::input("--entity is missing: wanted the column that says what a row is about").hint(format!(
        "if the file is one series, give it such a column: sed '1s/^/series,/; 1!s/^/{name},/' {from} > series.csv, then --from series.csv --entity series"
    ))
}

/// That the definitions that would be written pass `platform plan`.
async fn check(from: &Path, files: &[(String, String)]) -> Outcome {
    let is_definition = |(name, _): &&(String, String)| {
        let folder = name.split_once('/').map(|(folder, _)| folder);
        folder.is_some_and(|folder| DEFINITION_FOLDERS.contains(&folder))
    };
    let definitions: Vec<_> = files.iter().filter(is_definition).cloned().collect();
    check_alone(&definitions).await.map_err(|failure| Failure {
        message: format!(
            "nothing was written: the definitions for `{}` would be refused\n{}",
            from.display(),
            failure.message
        ),
        ..failure
    })
}

fn write(path: &Path, text: &str) -> Outcome {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(at_path(folder))?;
    }
    std::fs::write(path, text).map_err(at_path(path))
}

fn report(context: &Context, report: Report) -> Outcome {
    if context.json {
        return screen::json(&report);
    }
    screen::line(format!("made a repository in `{}`", report.repository.display()))?;
    for file in &report.files {
        screen::line(format!("  {file}"))?;
    }
    if let Some(inferred) = &report.inferred {
        screen::print(&inferred.describe())?;
    }
    let place = report.repository.display();
    let step = if place.to_string() == "." {
        String::new()
    } else {
        format!("cd {place} && ")
    };
    screen::line(format!("next: {step}platform plan"))
}

/// A column name the platform accepts, made from whatever a file calls it: `CPU usage [%]` becomes `cpu_usage`.
fn column_name(file_column: &str) -> Outcome<ColumnName> {
    if let Ok(name) = file_column.parse() {
        return Ok(name);
    }
    let words: Vec<String> = file_column
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let mut name = words.join("_");
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        name = format!("column_{name}");
    }
    Ok(name.parse()?)
}
