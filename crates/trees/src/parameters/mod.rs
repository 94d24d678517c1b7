//! LightGBM's parameters, typed: what it does not know is refused, where LightGBM itself would only warn.
//!
//! Three names are the platform's own: `rounds` (iterations at most), `early_stopping` (rounds without improvement before
//! it stops; 0: never) and `min_delta` (how much counts as improvement).

mod known;
mod objective;

use std::collections::BTreeMap;

use definitions::Parameter;

use known::KNOWN;
pub use objective::Objective;

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Float,
    Flag,
    Texts,
    Integers,
    Floats,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "a whole number",
            Self::Float => "a number",
            Self::Flag => "true or false",
            Self::Texts => "a list of texts",
            Self::Integers => "a list of whole numbers",
            Self::Floats => "a list of numbers",
        }
    }
}

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    None,
    /// The value itself is in the range.
    From(f64),
    /// It is not.
    Beyond(f64),
}

/// Whose business a parameter is, when it is not the pipeline's `[train.lightgbm]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Files,
    Threads,
    Device,
    Seed,
    Determinism,
    Distribution,
    Definition,
    Prediction,
    Ranking,
    Platform,
}

impl Owner {
    fn reason(self) -> &'static str {
        match self {
            Self::Files => "the platform reads and writes the files",
            Self::Threads => "threads are chosen on the command line, and never change the model: `--threads 4`",
            Self::Device => "training on a GPU is not supported yet",
            Self::Seed => "every seed comes from the pipeline: `seed = 42` at its top",
            Self::Determinism => "training is always deterministic",
            Self::Distribution => "training on several machines is not supported yet",
            Self::Definition => "it follows from the definitions: text, and numbers with `categorical = true`, are categorical",
            Self::Prediction => "it is about prediction, not training",
            Self::Ranking => "ranking objectives are not supported",
            Self::Platform => "the platform has its own: `rounds = 500`, `early_stopping = 50`, `min_delta = 0.001`",
        }
    }
}

struct Known {
    name: &'static str,
    kind: Kind,
    low: Bound,
    high: Bound,
    owner: Option<Owner>,
    aliases: &'static [&'static str],
}

/// A parameter that is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// LightGBM has no such parameter.
    #[error("lightgbm has no parameter `{name}`")]
    Unknown {
        /// As written.
        name: String,
        /// The nearest one that there is.
        nearest: Option<&'static str>,
    },
    /// The platform decides it.
    #[error("`{name}` cannot be set here: {reason}")]
    NotYours {
        /// As written.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// A value of another type, or out of range.
    #[error("`{name}`: wanted {wanted}, found {found}")]
    Value {
        /// As written.
        name: String,
        /// What it may be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// One parameter under two names.
    #[error("`{first}` and `{second}` are the same parameter")]
    Twice {
        /// One name.
        first: String,
        /// The other.
        second: String,
    },
}

impl ParameterError {
    /// The key that is wrong.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { name, .. } | Self::NotYours { name, .. } | Self::Value { name, .. } => name,
            Self::Twice { second, .. } => second,
        }
    }
    /// What to type.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::Unknown { nearest: None, .. } => {
                Some("LightGBM's names are listed in its documentation under \"Parameters\"".to_owned())
            }
            Self::Twice { second, .. } => Some(format!("remove `{second}`")),
            Self::NotYours { name, .. } => Some(format!("remove `{name}`")),
            Self::Value { .. } => None,
        }
    }
}

/// Parameters that LightGBM accepts one by one.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Iterations at most.
    pub rounds: usize,
    /// Iterations without improvement before training stops; 0: never.
    pub early_stopping: usize,
    /// How much counts as improvement, in units of the metric.
    pub min_delta: f64,
    /// What is optimised; `None`: what fits the label.
    pub objective: Option<Objective>,
    /// LightGBM's own, by their first name, as text; without those above.
    pub settings: BTreeMap<&'static str, String>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { rounds: 500, early_stopping: 50, min_delta: 0.0, objective: None, settings: BTreeMap::new() }
    }
}

impl Parameters {
    /// Reads `[train.lightgbm]`.
    ///
    /// # Errors
    /// The first parameter, by name, that is unknown, not the user's to set, of another type, out of range or given twice.
    pub fn from_declared(declared: &BTreeMap<String, Parameter>) -> Result<Self, ParameterError> {
        let mut parameters = Self::default();
        let mut written: BTreeMap<&'static str, &str> = BTreeMap::new();
        for (name, value) in declared {
            match name.as_str() {
                "rounds" => parameters.rounds = whole(name, value, 1)?,
                "early_stopping" => parameters.early_stopping = whole(name, value, 0)?,
                "min_delta" => parameters.min_delta = not_negative(name, value)?,
                _ => {
                    let known = find(name)?;
                    if let Some(first) = written.insert(known.name, name) {
                        return Err(ParameterError::Twice { first: first.to_owned(), second: name.clone() });
                    }
                    parameters.set(known, name, value)?;
                }
            }
        }
        parameters.check_alpha()?;
        Ok(parameters)
    }

    fn set(&mut self, known: &'static Known, name: &str, value: &Parameter) -> Result<(), ParameterError> {
        let text = known.text(name, value)?;
        if known.name == "objective" {
            let wanted = format!("one of {}", Objective::words());
            let error = ParameterError::Value { name: name.to_owned(), wanted, found: format!("`{text}`") };
            self.objective = Some(Objective::from_word(&text).ok_or(error)?);
        } else {
            self.settings.insert(known.name, text);
        }
        Ok(())
    }

    fn check_alpha(&self) -> Result<(), ParameterError> {
        let alpha = self.settings.get("alpha").and_then(|text| text.parse::<f64>().ok());
        match (self.objective, alpha) {
            (Some(Objective::Quantile), Some(alpha)) if alpha >= 1.0 => Err(ParameterError::Value {
                name: "alpha".to_owned(),
                wanted: "a quantile above 0 and below 1".to_owned(),
                found: alpha.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// The quantile that objective `quantile` learns: `alpha`, or 0.9.
    #[must_use]
    pub fn quantile(&self) -> Option<f64> {
        let alpha = || self.settings.get("alpha").and_then(|text| text.parse().ok()).unwrap_or(0.9);
        (self.objective == Some(Objective::Quantile)).then(alpha)
    }
}

fn find(name: &str) -> Result<&'static Known, ParameterError> {
    let Some(known) = KNOWN.iter().find(|known| known.name == name || known.aliases.contains(&name)) else {
        return Err(ParameterError::Unknown { name: name.to_owned(), nearest: nearest(name) });
    };
    match known.owner {
        Some(owner) => Err(ParameterError::NotYours { name: name.to_owned(), reason: owner.reason() }),
        None => Ok(known),
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    let own = ["rounds", "early_stopping", "min_delta"];
    let allowed = KNOWN.iter().filter(|known| known.owner.is_none());
    let names = own.into_iter().chain(allowed.flat_map(|known| std::iter::once(known.name).chain(known.aliases.iter().copied())));
    let nearest = names.map(|known| (distance(name, known), known)).min()?;
    (nearest.0 <= 1 + name.len() / 4).then_some(nearest.1)
}

/// Edits (insert, remove, replace) from one text to the other: Wagner & Fischer, one row at a time.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, twin) in row.iter_mut().skip(1).zip(other.bytes()) {
            let best = (diagonal + usize::from(letter != twin)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
    }
    row.last().copied().unwrap_or_default()
}

impl Known {
    fn text(&self, name: &str, value: &Parameter) -> Result<String, ParameterError> {
        let wrong = || self.wrong(name, value);
        let number = |value: &Parameter| match value {
            Parameter::Integer(number) => Some(*number as f64),
            Parameter::Float(number) => Some(*number),
            _ => None,
        };
        let one = |kind: Kind, value: &Parameter| match (kind, value) {
            (Kind::Text | Kind::Texts, Parameter::Text(text)) if is_plain(text) => Some(text.clone()),
            (Kind::Integer | Kind::Integers, Parameter::Integer(number)) => Some(number.to_string()),
            (Kind::Float | Kind::Floats, value) => number(value).filter(|n| n.is_finite()).map(|n| n.to_string()),
            (Kind::Flag, Parameter::Bool(flag)) => Some(flag.to_string()),
            _ => None,
        };
        if let (Some(number), Kind::Integer | Kind::Float) = (number(value), self.kind)
            && !self.holds(number)
        {
            return Err(wrong());
        }
        let text = match (self.kind, value) {
            (Kind::Texts | Kind::Integers | Kind::Floats, Parameter::List(values)) => {
                let texts: Option<Vec<String>> = values.iter().map(|value| one(self.kind, value)).collect();
                texts.map(|texts| texts.join(","))
            }
            (kind, value) => one(kind, value),
        };
        text.ok_or_else(wrong)
    }

    fn holds(&self, number: f64) -> bool {
        let low = match self.low {
            Bound::None => true,
            Bound::From(bound) => number >= bound,
            Bound::Beyond(bound) => number > bound,
        };
        let high = match self.high {
            Bound::None => true,
            Bound::From(bound) => number <= bound,
            Bound::Beyond(bound) => number < bound,
        };
        low && high
    }

    fn wrong(&self, name: &str, value: &Parameter) -> ParameterError {
        let mut wanted = self.kind.word().to_owned();
        match self.low {
            Bound::None => {}
            Bound::From(bound) => wanted.push_str(&format!(", at least {bound}")),
            Bound::Beyond(bound) => wanted.push_str(&format!(", above {bound}")),
        }
        match self.high {
            Bound::None => {}
            Bound::From(bound) => wanted.push_str(&format!(", at most {bound}")),
            Bound::Beyond(bound) => wanted.push_str(&format!(", below {bound}")),
        }
        ParameterError::Value { name: name.to_owned(), wanted, found: shown(value) }
    }
}

/// LightGBM reads its parameters as words separated by spaces.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_graphic() && letter != '=' && letter != '#')
}

fn shown(value: &Parameter) -> String {
    match value {
        Parameter::Bool(flag) => flag.to_string(),
        Parameter::Integer(number) => number.to_string(),
        Parameter::Float(number) => number.to_string(),
        Parameter::Text(text) => format!("\"{text}\""),
        Parameter::List(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
    }
}

fn whole(name: &str, value: &Parameter, least: i64) -> Result<usize, ParameterError> {
    let number = match value {
        Parameter::Integer(number) if (least..=1_000_000).contains(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    let wanted = format!("a whole number from {least} to 1000000");
    number.ok_or_else(|| ParameterError::Value { name: name.to_owned(), wanted, found: shown(value) })
}

fn not_negative(name: &str, value: &Parameter) -> Result<f64, ParameterError> {
    match value {
        Parameter::Integer(number) if *number >= 0 => Ok(*number as f64),
        Parameter::Float(number) if *number >= 0.0 && number.is_finite() => Ok(*number),
        _ => Err(ParameterError::Value {
            name: name.to_owned(),
            wanted: "a number, at least 0".to_owned(),
            found: shown(value),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]
    use super::*;

    fn read(name: &str, value: Parameter) -> Result<Parameters, ParameterError> {
        Parameters::from_declared(&BTreeMap::from([(name.to_owned(), value)]))
    }

    #[test]
    fn aliases_become_lightgbms_first_name() {
        let parameters = read("eta", Parameter::Float(0.1)).unwrap();
        assert_eq!(parameters.settings, BTreeMap::from([("learning_rate", "0.1".to_owned())]));
        assert_eq!(read("loss", Parameter::Text("mae".into())).unwrap().objective, Some(Objective::RegressionL1));
    }

    #[test]
    fn mistakes_are_refused_with_what_was_wanted() {
        let cases: [(&str, Parameter, &str, &str); 10] = [
            ("num_leafs", Parameter::Integer(3), "lightgbm has no parameter `num_leafs`", "did you mean `num_leaf`?"),
            ("num_leaves", Parameter::Integer(1), "`num_leaves`: wanted a whole number, above 1, at most 131072, found 1", ""),
            ("num_leaves", Parameter::Float(31.5), "`num_leaves`: wanted a whole number, above 1, at most 131072, found 31.5", ""),
            ("learning_rate", Parameter::Text("fast".into()), "`learning_rate`: wanted a number, above 0, found \"fast\"", ""),
            ("extra_trees", Parameter::Integer(1), "`extra_trees`: wanted true or false, found 1", ""),
            ("nthread", Parameter::Integer(1), "`nthread` cannot be set here: threads are chosen on the command line, and never change the model: `--threads 4`", "remove `nthread`"),
            ("seed", Parameter::Integer(1), "`seed` cannot be set here: every seed comes from the pipeline: `seed = 42` at its top", "remove `seed`"),
            ("rounds", Parameter::Integer(0), "`rounds`: wanted a whole number from 1 to 1000000, found 0", ""),
            ("min_delta", Parameter::Float(-1.0), "`min_delta`: wanted a number, at least 0, found -1", ""),
            ("boosting", Parameter::Text("dart seed=1".into()), "`boosting`: wanted text, found \"dart seed=1\"", ""),
        ];
        for (name, value, message, hint) in cases {
            let error = read(name, value).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().unwrap_or_default(), hint);
        }
    }

    #[test]
    fn one_parameter_under_two_names_is_refused() {
        let two = [("eta", 0.1), ("learning_rate", 0.2)].map(|(name, value)| (name.to_owned(), Parameter::Float(value)));
        let error = Parameters::from_declared(&BTreeMap::from(two)).unwrap_err();
        assert_eq!(error.to_string(), "`eta` and `learning_rate` are the same parameter");
    }

    #[test]
    fn quantile_outside_zero_and_one_is_refused() {
        let two = [("alpha", Parameter::Float(1.0)), ("objective", Parameter::Text("quantile".into()))];
        let error = Parameters::from_declared(&two.map(|(name, value)| (name.to_owned(), value)).into()).unwrap_err();
        assert_eq!(error.to_string(), "`alpha`: wanted a quantile above 0 and below 1, found 1");
    }
}
