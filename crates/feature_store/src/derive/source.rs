//! A source at the version that is read, what was seen of it, and which derived rows its new rows touch.

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use definitions::{Duration, FeatureGroup};
use futures::TryStreamExt;

use super::kernel::Reach;
use super::rows::{key_columns, key_converter, rows_after};
use super::seen::{FileEnds, SeenSource, file_ends};
use super::touched::{Span, Touched, touched_by};
use crate::storage::Store;
use crate::{GroupPin, PinAt, StoreError, pin_group};

/// A source at the version that is read.
pub(super) struct Source {
    /// The group.
    pub group: FeatureGroup,
    /// The version.
    pub pin: GroupPin,
    files: Vec<FileEnds>,
}

impl Source {
    /// The newest version of a group.
    pub async fn open(store: &Store, group: &FeatureGroup) -> Result<Self, StoreError> {
        let pin = pin_group(store, group, PinAt::Newest).await?;
        let event_time = group.event_time.as_ref().map(|name| name.as_str());
        let files = file_ends(store, &pin, event_time)?;
        Ok(Self {
            group: group.clone(),
            pin,
            files,
        })
    }

    /// What a materialisation that reads it has seen.
    pub fn seen(&self) -> SeenSource {
        let ingest_ids = self.files.iter().filter_map(|file| file.ingest_id);
        SeenSource {
            group: self.group.reference(),
            table_id: self.pin.table_id.clone(),
            delta_version: self.pin.delta_version,
            ingest_id: ingest_ids.max().unwrap_or_default(),
            newest_event_time: self.newest(),
        }
    }

    /// Its newest event time, in microseconds.
    pub fn newest(&self) -> Option<i64> {
        self.files.iter().filter_map(|file| file.event_time).max()
    }

    /// The derived rows that its rows touch which are newer than what was seen; `whom` says of which entities they are. Everything, where it is
    /// another table than the one that was seen.
    pub async fn touched_since(
        &self,
        store: &Store,
        before: Option<&SeenSource>,
        reach: Reach,
        whom: Whom,
    ) -> Result<Touched, StoreError> {
        let Some(before) = before.filter(|before| before.table_id == self.pin.table_id) else {
            return Ok(Touched::every(Span::ALL));
        };
        let mut touched = Touched::default();
        let pin = self.after(before.ingest_id);
        let converter = key_converter(&self.group)?;
        let mut rows = rows_after(store, &self.group, &pin, before.ingest_id).await?;
        while let Some(batch) = rows.try_next().await? {
            let times = batch.columns().get(self.group.entity.len());
            let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
            let Some(times) = times.filter(|_| self.group.event_time.is_some()) else {
                // What holds for all time touches all of it.
                return Ok(Touched::every(Span::ALL));
            };
            let spans = times.values().iter().map(|time| touched_by(*time, reach));
            match whom {
                Whom::Every => touched.add_every(spans),
                Whom::Own => {
                    let keys = converter.convert_columns(&key_columns(&batch, &self.group))?;
                    for (key, span) in keys.iter().zip(spans) {
                        touched.add(key.as_ref(), span);
                    }
                }
            }
        }
        touched.add_every(self.over_since(before, reach));
        Ok(touched)
    }

    /// The labels that were not over, and are now that time has gone on.
    fn over_since(&self, before: &SeenSource, reach: Reach) -> Option<Span> {
        let (old, new) = (before.newest_event_time, self.newest()?);
        if reach.ahead == Duration::ZERO || old.is_some_and(|old| new <= old) {
            return None;
        }
        let first = old.map_or(i64::MIN, |old| {
            old.saturating_sub(reach.ahead.micros()).saturating_add(1)
        });
        Some(Span { first, last: new })
    }

    /// The files that may hold rows of ingestions after this one.
    fn after(&self, ingest_id: i64) -> GroupPin {
        let is_new = |file: &&FileEnds| file.ingest_id.is_none_or(|last| last > ingest_id);
        GroupPin {
            files: self.files.iter().filter(is_new).map(|file| file.file.clone()).collect(),
            ..self.pin.clone()
        }
    }
}

/// Whose derived rows a source row touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// Its own entity's.
    Own,
    /// Every entity's.
    Every,
}
