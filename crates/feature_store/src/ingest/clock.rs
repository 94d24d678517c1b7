//! Texts and local times as instants: UTC microseconds.
//!
//! A time with a zone is an instant by itself. A time without one is read on the clocks of the group's `time_zone`. When the clocks
//! go back, an hour of local times happens twice; when they go forward, an hour never happens. Neither is guessed: without
//! `ambiguous`, such a time is refused. With it, a time that happened twice is its earlier or later instant, and a time that never
//! happened is read with the offset of after the jump (the earlier instant) or of before it (the later one).

use chrono::{DateTime, Datelike, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use definitions::{Ambiguous, FeatureGroup};

use super::violation::Reason;
use crate::StoreError;

/// Why a text is no instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoInstant {
    /// The kind of fault.
    pub reason: Reason,
    /// What is wrong, exactly.
    pub detail: String,
}

impl NoInstant {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
    fn not_a_time(text: &str) -> Self {
        let numeric = !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
        let is_number = numeric && text.parse::<f64>().is_ok();
        Self::new(
            Reason::WrongType,
            if is_number {
                "not a timestamp: a number does not say its unit; write it as `2026-01-31T12:00:00Z`"
            } else {
                "not a timestamp, such as `2026-01-31T12:00:00Z`"
            },
        )
    }
}

/// How the times of a group are read.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    zone: Option<Tz>,
    ambiguous: Option<Ambiguous>,
    truncate: bool,
}

/// A time as written: wall clock to the nanosecond, and its distance from UTC in seconds, if it says so.
struct Written {
    local: NaiveDateTime,
    offset: Option<i32>,
}

impl Clock {
    /// The clock of a group.
    ///
    /// # Errors
    /// `BadTimeZone` when its time zone is not one.
    pub(super) fn of(group: &FeatureGroup) -> Result<Self, StoreError> {
        let parse = |zone: &String| {
            zone.parse::<Tz>().map_err(|_| StoreError::BadTimeZone {
                group: group.reference(),
                zone: zone.clone(),
            })
        };
        let zone = group.time_zone.as_ref().map(parse).transpose()?;
        Ok(Self {
            zone,
            ambiguous: group.ambiguous,
            truncate: group.truncate,
        })
    }

    /// The instant that a text names.
    pub(super) fn parse(&self, text: &str) -> Result<i64, NoInstant> {
        let written = read(text.as_bytes()).ok_or_else(|| NoInstant::not_a_time(text))?;
        match written.offset {
            Some(offset) => {
                let nanos_rest = i64::from(written.local.and_utc().timestamp_subsec_nanos() % 1000);
                let micros = written.local.and_utc().timestamp_micros() - i64::from(offset) * 1_000_000;
                self.cut(micros, nanos_rest)
            }
            None => self.local(written.local),
        }
    }

    /// The instant of a local time.
    pub(super) fn local(&self, local: NaiveDateTime) -> Result<i64, NoInstant> {
        let Some(zone) = self.zone else {
            return Err(NoInstant::new(
                Reason::NoTimeZone,
                "a time without a zone, and the group has no `time_zone`",
            ));
        };
        let nanos_rest = i64::from(local.and_utc().timestamp_subsec_nanos() % 1000);
        let instant = match zone.from_local_datetime(&local) {
            LocalResult::Single(instant) => instant.timestamp_micros(),
            LocalResult::Ambiguous(a, b) => {
                let (a, b) = (a.timestamp_micros(), b.timestamp_micros());
                self.choose(a.min(b), a.max(b)).ok_or_else(|| {
                    NoInstant::new(
                        Reason::AmbiguousTime,
                        format!("this time was twice in {zone}: the clocks went back"),
                    )
                })?
            }
            LocalResult::None => self.in_the_jump(zone, local)?,
        };
        self.cut(instant, nanos_rest)
    }

    /// An instant given in some unit finer than, or as fine as, a microsecond.
    pub(super) fn cut(&self, micros: i64, nanos_rest: i64) -> Result<i64, NoInstant> {
        if nanos_rest != 0 && !self.truncate {
            return Err(NoInstant::new(
                Reason::TooPrecise,
                "finer than a microsecond, and the group has no `truncate = true`",
            ));
        }
        Ok(micros)
    }

    fn choose(&self, earlier: i64, later: i64) -> Option<i64> {
        match self.ambiguous? {
            Ambiguous::Earliest => Some(earlier),
            Ambiguous::Latest => Some(later),
        }
    }

    fn in_the_jump(&self, zone: Tz, local: NaiveDateTime) -> Result<i64, NoInstant> {
        let offset = |at: Option<NaiveDateTime>| {
            let offset = zone.offset_from_local_datetime(&at?).earliest()?;
            Some(i64::from(offset.fix().local_minus_utc()))
        };
        // The jumps of civil clocks are of some hours at most; a day before and after stand on either side of it.
        let before = offset(local.checked_sub_signed(Duration::days(1)));
        let after = offset(local.checked_add_signed(Duration::days(1)));
        let as_utc = local.and_utc().timestamp_micros();
        let instants = before
            .zip(after)
            .map(|(before, after)| (as_utc - before * 1_000_000, as_utc - after * 1_000_000));
        instants
            .and_then(|(a, b)| self.choose(a.min(b), a.max(b)))
            .ok_or_else(|| {
                NoInstant::new(
                    Reason::NonExistentTime,
                    format!("this time never was in {zone}: the clocks went forward"),
                )
            })
    }
}

/// The local time at so many microseconds, for times that are stored without a zone.
pub(super) fn naive_from_micros(micros: i64) -> Option<NaiveDateTime> {
    DateTime::<Utc>::from_timestamp_micros(micros).map(|time| time.naive_utc())
}

/// A date, `YYYY-MM-DD`, as days since 1970-01-01.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    let date = read_date(bytes.get(..10)?)?;
    (bytes.len() == 10).then(|| days(date))
}

/// Days since 1970-01-01.
pub(super) fn days(date: NaiveDate) -> i32 {
    const UNIX_EPOCH_FROM_CE: i32 = 719_163;
    date.num_days_from_ce() - UNIX_EPOCH_FROM_CE
}

/// Reads `YYYY-MM-DD`, then perhaps `T` or a space and `HH:MM[:SS[.fraction]]`, then perhaps `Z`, `UTC` or `±HH[:MM]`.
fn read(bytes: &[u8]) -> Option<Written> {
    let date = read_date(bytes.get(..10)?)?;
    let rest = bytes.get(10..)?;
    if rest.is_empty() {
        return Some(Written {
            local: date.and_time(NaiveTime::MIN),
            offset: None,
        });
    }
    let rest = rest
        .strip_prefix(b"T")
        .or(rest.strip_prefix(b"t"))
        .or(rest.strip_prefix(b" "))?;
    let (time, rest) = read_time(rest)?;
    let local = date.and_time(time);
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    match rest {
        b"" => Some(Written { local, offset: None }),
        b"Z" | b"z" | b"UTC" => Some(Written { local, offset: Some(0) }),
        _ => Some(Written {
            local,
            offset: Some(read_offset(rest)?),
        }),
    }
}

fn read_date(bytes: &[u8]) -> Option<NaiveDate> {
    match bytes {
        [year @ .., b'-', m1, m2, b'-', d1, d2] if year.len() == 4 => {
            NaiveDate::from_ymd_opt(number(year)? as i32, number(&[*m1, *m2])?, number(&[*d1, *d2])?)
        }
        _ => None,
    }
}

fn read_time(bytes: &[u8]) -> Option<(NaiveTime, &[u8])> {
    let ([h1, h2, b':', m1, m2], rest) = bytes.split_at_checked(5)? else {
        return None;
    };
    let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let (second, rest) = match rest.strip_prefix(b":") {
        None => (0, rest),
        Some(rest) => (number(rest.get(..2)?)?, rest.get(2..)?),
    };
    let (nanos, rest) = match rest.strip_prefix(b".").or(rest.strip_prefix(b",")) {
        None => (0, rest),
        Some(rest) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (read_nanos(rest.get(..digits)?)?, rest.get(digits..)?)
        }
    };
    Some((NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?, rest))
}

/// A fraction of a second in nanoseconds; digits finer than that must not be lost unseen, so they count as one nanosecond.
fn read_nanos(digits: &[u8]) -> Option<u32> {
    let (kept, lost) = digits.split_at(digits.len().min(9));
    let nanos = number(kept)? * 10_u32.pow(9 - kept.len() as u32);
    let is_lossy = lost.iter().any(|digit| *digit != b'0');
    Some(if is_lossy && nanos.is_multiple_of(1000) {
        nanos + 1
    } else {
        nanos
    })
}

/// `±HH`, `±HHMM` or `±HH:MM`, in seconds.
fn read_offset(bytes: &[u8]) -> Option<i32> {
    let (sign, digits) = match bytes {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2] => (number(&[*h1, *h2])?, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (number(&[*h1, *h2])?, number(&[*m1, *m2])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60) as i32)
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
    })
}
