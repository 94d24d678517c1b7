//! What values a parameter takes, and the text that LightGBM reads.

use definitions::Parameter;

use super::{Owner, ParameterError};

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
pub(super) enum Bound {
    None,
    /// The value itself is in the range.
    From(f64),
    /// It is not.
    Beyond(f64),
}

/// A parameter of LightGBM.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) low: Bound,
    pub(super) high: Bound,
    pub(super) owner: Option<Owner>,
    pub(super) aliases: &'static [&'static str],
}

impl Known {
    /// The value as LightGBM reads it, if it may be one.
    pub(super) fn text(&self, name: &str, value: &Parameter) -> Result<String, ParameterError> {
        let wrong = || self.wrong(name, value);
        let number = |value: &Parameter| match value {
            Parameter::Integer(number) => Some(*number as f64),
            Parameter::Float(number) => Some(*number),
            _ => None,
        };
        let one = |kind: Kind, value: &Parameter| match (kind, value) {
            (Kind::Text | Kind::Texts, Parameter::Text(text)) if is_plain(text) => Some(text.clone()),
            // LightGBM's whole numbers have 32 bits, and larger ones would wrap around.
            (Kind::Integer | Kind::Integers, Parameter::Integer(number)) => {
                i32::try_from(*number).ok().map(|number| number.to_string())
            }
            // Groups of columns: [[0, 1], [2]].
            (Kind::Texts, Parameter::List(group)) => group_text(group),
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
                texts.filter(|texts| !texts.is_empty()).map(|texts| texts.join(","))
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
        ParameterError::Value {
            name: name.to_owned(),
            wanted,
            found: shown(value),
        }
    }
}

/// A group of columns, as LightGBM reads it: `[0,1]`.
fn group_text(group: &[Parameter]) -> Option<String> {
    let place = |value: &Parameter| match value {
        Parameter::Integer(place) if (0..=i64::from(i32::MAX)).contains(place) => Some(place.to_string()),
        _ => None,
    };
    let places: Option<Vec<String>> = group.iter().map(place).collect();
    places
        .filter(|places| !places.is_empty())
        .map(|places| format!("[{}]", places.join(",")))
}

/// LightGBM reads its parameters as words separated by spaces.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|letter| letter.is_ascii_graphic() && letter != '=' && letter != '#')
}

/// The value as it was written.
pub(super) fn shown(value: &Parameter) -> String {
    match value {
        Parameter::Bool(flag) => flag.to_string(),
        Parameter::Integer(number) => number.to_string(),
        Parameter::Float(number) => number.to_string(),
        Parameter::Text(text) => format!("\"{text}\""),
        Parameter::List(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
    }
}

/// A whole number from `least` to a million.
pub(super) fn whole(name: &str, value: &Parameter, least: i64) -> Result<usize, ParameterError> {
    let number = match value {
        Parameter::Integer(number) if (least..=1_000_000).contains(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    let wanted = format!("a whole number from {least} to 1000000");
    number.ok_or_else(|| ParameterError::Value {
        name: name.to_owned(),
        wanted,
        found: shown(value),
    })
}

/// A number of at least 0.
pub(super) fn not_negative(name: &str, value: &Parameter) -> Result<f64, ParameterError> {
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
