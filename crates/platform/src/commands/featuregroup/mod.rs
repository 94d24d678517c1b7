//! `platform featuregroup`: groups, what is in them, and bringing rows in or computing them.

mod blame;
mod compact;
mod drift;
mod forget;
mod history;
mod ingest;
mod late;
mod list;
mod materialize;
mod show;
mod stats;
mod validate;

use clap::Subcommand;

use crate::Context;
use crate::failure::Outcome;

/// Ingest into feature groups, and look at them.
#[derive(Subcommand)]
pub enum Featuregroup {
    Ingest(ingest::Ingest),
    Materialize(materialize::Materialize),
    List(list::List),
    Show(show::Show),
    Stats(stats::Stats),
    History(history::History),
    Blame(blame::Blame),
    Late(late::Late),
    Drift(drift::Drift),
    Compact(compact::Compact),
    Forget(forget::Forget),
    Validate(validate::Validate),
}

impl Featuregroup {
    /// Runs the subcommand.
    pub async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Ingest(ingest) => ingest.run(context).await,
            Self::Materialize(materialize) => materialize.run(context).await,
            Self::List(list) => list.run(context).await,
            Self::Show(show) => show.run(context).await,
            Self::Stats(stats) => stats.run(context).await,
            Self::History(history) => history.run(context).await,
            Self::Blame(blame) => blame.run(context).await,
            Self::Late(late) => late.run(context).await,
            Self::Drift(drift) => drift.run(context).await,
            Self::Compact(compact) => compact.run(context).await,
            Self::Forget(forget) => forget.run(context).await,
            Self::Validate(validate) => validate.run(context).await,
        }
    }
}
