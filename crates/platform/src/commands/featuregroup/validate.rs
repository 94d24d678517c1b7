//! `platform featuregroup validate`

use clap::Args;
use definitions::WallTime;
use feature_store::expect::{ExpectationResult, ValidatedExpectation, Validation, validate};
use feature_store::ingest::DEFAULT_MEMORY;

use crate::Context;
use crate::applied::{self, Wanted};
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::screen::{self, Table};

/// Hold what is stored against what the group expects, beside what the last ingestion was found to be.
///
/// Every expectation is checked on the rows that readers see now. Row counts and drift speak of one ingestion among others: for them the
/// last ingestion's own result counts; row counts of a derived group are about its rows. Exit code 1 when an expectation that refuses does not hold.
#[derive(Args)]
pub struct Validate {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
}

impl Validate {
    /// Reads the whole group.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        let store = repository.store()?;
        feature_store::create_table(&store, &group).await?;
        let validation = validate(&store, &group, WallTime::now(), DEFAULT_MEMORY).await?;
        if context.json {
            screen::json(&validation)?;
        } else {
            print(&validation)?;
        }
        if !validation.is_refused() {
            return Ok(());
        }
        let refused = validation.expectations.iter().filter_map(ValidatedExpectation::today);
        let count = refused.filter(|result| result.refuses()).count();
        let group = &validation.group;
        let (what, verb) = (
            screen::things(count, "expectation"),
            if count == 1 { "does" } else { "do" },
        );
        Err(Failure::input(format!("`{group}`: {what} {verb} not hold")).hint(format!(
            "ingest corrected rows, or say in a new version of `{}` what is right: {{ …, on_violation = \"warn\" }}",
            group.name
        )))
    }
}

fn print(validation: &Validation) -> Outcome {
    let rows = screen::things(validation.rows, "row");
    screen::line(format!(
        "{} at Delta version {}: {rows}",
        validation.group, validation.delta_version
    ))?;
    if validation.expectations.is_empty() {
        return screen::line("nothing is expected");
    }
    let last = match validation.last_ingestion {
        Some(number) => format!("ingestion {number}"),
        None => "ingestion".to_owned(),
    };
    let mut table = Table::new(&["column", "expected", "otherwise", "stored rows", &last]);
    for expectation in &validation.expectations {
        table.row([
            expectation
                .column
                .as_ref()
                .map_or_else(|| "-".to_owned(), ToString::to_string),
            expectation.check.clone(),
            expectation.level.word().to_owned(),
            word(expectation.stored.as_ref()),
            word(expectation.last_ingestion.as_ref()),
        ]);
    }
    table.print()?;
    for result in validation.expectations.iter().filter_map(ValidatedExpectation::today) {
        if !result.holds {
            screen::line(format!("  {result}"))?;
        }
    }
    Ok(())
}

/// One result in a few letters.
fn word(result: Option<&ExpectationResult>) -> String {
    match result {
        None => "-".to_owned(),
        Some(result) if result.holds => "holds".to_owned(),
        Some(result) => match result.rows_at_fault {
            Some(rows) => screen::things(rows, "row"),
            None => "does not hold".to_owned(),
        },
    }
}
