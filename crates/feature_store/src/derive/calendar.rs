//! The calendar of any times: also of those that no group has a row of yet.

use arrow::array::ArrayRef;
use definitions::CalendarPart;

use super::features::calendar_of;
use super::kernel::calendar_values;

/// A part of each time, as a `calendar` feature of a row with that event time would be. Times are in UTC microseconds.
#[must_use]
pub fn calendar_column(part: CalendarPart, times: &[i64]) -> ArrayRef {
    calendar_values(times.iter().copied(), calendar_of(part))
}
