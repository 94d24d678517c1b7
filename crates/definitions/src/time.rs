//! Points and spans of time. Event time, availability time and wall time are different things, so they are different types.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::ReferenceError;

macro_rules! time_point {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(
            /// Microseconds since 1970-01-01T00:00:00Z.
            pub i64,
        );
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match DateTime::<Utc>::from_timestamp_micros(self.0) {
                    Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
                    None => write!(f, "{} µs", self.0),
                }
            }
        }
        impl FromStr for $type {
            type Err = ReferenceError;
            /// Reads RFC 3339 (`2026-01-31T12:00:00Z`) or a date (`2026-01-31`, midnight UTC).
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_micros(text).map(Self)
            }
        }
        impl TryFrom<String> for $type {
            type Error = ReferenceError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(time: $type) -> String {
                time.to_string()
            }
        }
    };
}

time_point! {
    /// When something happened in the world: the time a row is about.
    EventTime
}
time_point! {
    /// When a row became known, so that it could have been used.
    KnownAt
}
time_point! {
    /// What the clock on the wall said when the platform did something.
    WallTime
}

impl WallTime {
    /// The wall clock now. Called by the binary only; everything below it takes the time as an argument.
    #[must_use]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }
}

fn parse_micros(text: &str) -> Result<i64, ReferenceError> {
    let day = format!("{text}T00:00:00Z");
    let full = if text.len() == 10 { day.as_str() } else { text };
    DateTime::parse_from_rfc3339(full)
        .map(|time| time.timestamp_micros())
        .map_err(|_| ReferenceError {
            found: text.to_owned(),
            wanted: "a time with its zone, such as `2026-01-31T12:00:00Z`, or a date, such as `2026-01-31`",
        })
}

/// A span of time, never negative, in microseconds. Written as `15m`, `1h`, `1d`, `1h30m`; units `us ms s m h d w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(i64);

const UNITS: [(&str, i64); 7] = [
    ("w", 7 * 86_400_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// 24 hours.
    pub const DAY: Self = Self(86_400_000_000);

    /// A span of so many microseconds; `None` when negative.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        (micros >= 0).then_some(Self(micros))
    }
    /// Its length in microseconds.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }
    /// The two spans one after the other; the longest span there is where they do not fit.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
    /// So many of it; the longest span there is where they do not fit.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(i64::from(count)))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, micros) in UNITS.iter().skip(1) {
            if rest / micros > 0 {
                write!(f, "{}{unit}", rest / micros)?;
                rest %= micros;
            }
        }
        Ok(())
    }
}

impl FromStr for Duration {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ReferenceError {
            found: text.to_owned(),
            wanted: "a duration, such as `15m`, `1h`, `1h30m` or `7d`",
        };
        let mut rest = text;
        let mut total: i64 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at(letters);
            let micros = UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .map(|(_, micros)| *micros)
                .ok_or_else(error)?;
            let span = number
                .parse::<i64>()
                .ok()
                .and_then(|n| n.checked_mul(micros))
                .ok_or_else(error)?;
            total = total.checked_add(span).ok_or_else(error)?;
            rest = tail;
        }
        if text.is_empty() { Err(error()) } else { Ok(Self(total)) }
    }
}

impl TryFrom<String> for Duration {
    type Error = ReferenceError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> String {
        duration.to_string()
    }
}
