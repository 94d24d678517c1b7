//! The leak test that goes back to the groups: whether a dataset holds what was not known at its rows' times.

use definitions::WallTime;
use evaluation::{LeakCheck, LeakFinding, LeakTest};
use feature_store::dataset::{DatasetRequest, Manifest, poison, rows_before_the_middle};

use crate::failure::Outcome;
use crate::repository::Repository;
use crate::{screen, software};

/// Rows of the dataset that are made twice.
const COMPARED_ROWS: u64 = 20_000;

/// Groups with more rows together are not read once more for it.
const MOST_READ: u64 = 20_000_000;

/// Makes rows of a dataset once more, with everything poisoned that was not known at their times.
pub async fn poisoned_future(repository: &Repository, manifest: &Manifest) -> Outcome<LeakCheck> {
    const TEST: LeakTest = LeakTest::PoisonedFuture;
    let rows: u64 = manifest.pins.iter().map(feature_store::GroupPin::rows).sum();
    if rows > MOST_READ {
        let why = format!("the groups have more than {} rows", screen::count(MOST_READ));
        return Ok(LeakCheck::not_applicable(TEST, why));
    }
    let Some((arguments, cut)) = rows_before_the_middle(manifest, COMPARED_ROWS) else {
        return Ok(LeakCheck::not_applicable(TEST, "the rows have no span of time"));
    };
    let (staging, groups, store) = (repository.staging()?, manifest.groups(), repository.store()?);
    let request = DatasetRequest {
        store: &store,
        view: &manifest.definitions.view.definition,
        groups: &groups,
        pins: &manifest.pins,
        arguments,
        staging: staging.path(),
        software: software::versions(),
        now: WallTime::now(),
        means: repository.means,
        watch: &|_| (),
    };
    let report = match poison(&request, cut).await {
        Ok(report) => report,
        // What the dataset was made from may be gone; the dataset is still there.
        Err(error) => return Ok(LeakCheck::not_applicable(TEST, error.to_string())),
    };
    let compared = screen::things(report.rows, "row");
    if report.columns.is_empty() {
        let detail = format!("{compared} up to {cut} are the same when all that came later is replaced");
        return Ok(LeakCheck::nothing(TEST, detail));
    }
    let named: Vec<String> = report.columns.iter().map(|column| format!("`{column}`")).collect();
    let detail = format!("of {compared} up to {cut}, {} hold what came later", named.join(", "));
    Ok(LeakCheck::of(TEST, LeakFinding::Leak, report.columns, detail))
}
