//! `platform registry`: models, their versions, aliases, cards and lineage.

mod alias;
mod card;
mod history;
mod lineage;
mod list;
mod pull;
mod search;
mod show;

pub use search::metrics_in_short;

use clap::Subcommand;

use crate::Context;
use crate::failure::Outcome;

/// Look models up: versions, aliases, cards, lineage.
#[derive(Subcommand)]
pub enum Registry {
    List(list::List),
    Show(show::Show),
    Search(search::Search),
    #[command(subcommand)]
    Alias(alias::Alias),
    Card(card::Card),
    Lineage(lineage::Lineage),
    Pull(pull::Pull),
    History(history::History),
}

impl Registry {
    /// Runs the subcommand.
    pub async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Show(show) => show.run(context).await,
            Self::Search(search) => search.run(context).await,
            Self::Alias(alias) => alias.run(context).await,
            Self::Card(card) => card.run(context).await,
            Self::Lineage(lineage) => lineage.run(context).await,
            Self::Pull(pull) => pull.run(context).await,
            Self::History(history) => history.run(context).await,
        }
    }
}
