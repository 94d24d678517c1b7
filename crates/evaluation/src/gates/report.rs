//! Gates in words: numbers with as many digits as it takes to tell them apart, and by how much a limit was missed.

/// On which side of a bound a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// At most the bound.
    Most,
    /// At least the bound.
    Least,
    /// Below the bound.
    Less,
    /// Above the bound.
    More,
}

impl Side {
    pub(super) fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Most => value <= bound,
            Self::Least => value >= bound,
            Self::Less => value < bound,
            Self::More => value > bound,
        }
    }
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Most => "<=",
            Self::Least => ">=",
            Self::Less => "<",
            Self::More => ">",
        }
    }
    fn opposite(self) -> &'static str {
        match self {
            Self::Most => ">",
            Self::Least => "<",
            Self::Less => ">=",
            Self::More => "<=",
        }
    }
}

/// `4.31 > 4.00 (max), over by 0.31 (7.8 %)`, and whether the bound was kept.
pub(super) fn compare(value: f64, side: Side, bound: f64, word: &str) -> (bool, String) {
    let holds = side.holds(value, bound);
    let decimals = decimals_between(value, bound);
    let sign = if holds { side.sign() } else { side.opposite() };
    let away = (value - bound).abs();
    // 4.31 - 4.00 is a hair less than 0.31: shares that stand on the edge are rounded up, as a reader would.
    let percent = 100.0 * (1.0 + 1e-9) * away / bound.abs();
    let share = if bound == 0.0 {
        String::new()
    } else {
        format!(" ({percent:.1} %)")
    };
    let by = format!("{away:.decimals$}{share}");
    let margin = match (holds, away == 0.0, value > bound) {
        (true, true, _) => "exactly".to_owned(),
        (true, false, _) => format!("{by} to spare"),
        (false, true, _) => "a tie".to_owned(),
        (false, false, true) => format!("over by {by}"),
        (false, false, false) => format!("short by {by}"),
    };
    (
        holds,
        format!("{value:.decimals$} {sign} {bound:.decimals$} ({word}), {margin}"),
    )
}

/// A number with at least two decimals and four digits that say something.
pub(super) fn number(value: f64) -> String {
    format!("{value:.*}", decimals(value))
}

fn decimals(value: f64) -> usize {
    let size = value.abs();
    let small = [1.0, 0.1, 0.01, 0.001, 0.000_1, 0.000_01]
        .iter()
        .filter(|limit| size > 0.0 && size < **limit)
        .count();
    if small == 0 { 2 } else { small + 3 }
}

/// As many decimals as the bound needs, and enough to tell the value from it.
fn decimals_between(value: f64, bound: f64) -> usize {
    let reads_as_itself = |at: &usize| {
        format!("{bound:.*}", *at)
            .parse::<f64>()
            .is_ok_and(|read| read == bound)
    };
    let at_least = if bound == 0.0 {
        decimals(value)
    } else {
        decimals(bound).min(decimals(value))
    };
    let enough = (at_least..=6).find(reads_as_itself).unwrap_or_else(|| decimals(bound));
    let differs = |at: &usize| value == bound || format!("{value:.*}", *at) != format!("{bound:.*}", *at);
    (enough..=17).find(differs).unwrap_or(17)
}

/// The first few of some names, and how many more there are.
pub(super) fn among(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        format!("{shown} and {} more", names.len() - SHOWN)
    } else {
        shown
    }
}
