//! `platform featuregroup`: groups, what is in them, and bringing rows in or computing them.

mod compact;
mod history;
mod ingest;
mod late;
mod list;
mod materialize;
mod show;
mod stats;

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
    Late(late::Late),
    Compact(compact::Compact),
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
            Self::Late(late) => late.run(context).await,
            Self::Compact(compact) => compact.run(context).await,
        }
    }
}
