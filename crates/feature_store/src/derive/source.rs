//! A source at the version that is read, what was seen of it, and which derived rows its new rows touch.

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use definitions::FeatureGroup;
use futures::TryStreamExt;

use super::rows::{key_columns, key_converter, rows_after};
use super::seen::{FileEnds, SeenSource, file_ends};
use super::touched::{Frame, Span, Touched};
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
        frames: &[Frame],
        whom: Whom,
    ) -> Result<Touched, StoreError> {
        let Some(before) = before.filter(|before| before.table_id == self.pin.table_id) else {
            return Ok(Touched::every(Span::ALL));
        };
        // Of one frame the spans of an entity come in order.
        let mut by_frame = vec![Touched::default(); frames.len()];
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
            let keys = converter.convert_columns(&key_columns(&batch, &self.group))?;
            let keys: Vec<_> = keys.iter().collect();
            for (touched, frame) in by_frame.iter_mut().zip(frames) {
                let mut spans = times.values().iter().map(|time| frame.touched_by(*time));
                match whom {
                    Whom::Every => touched.add_every(spans),
                    Whom::Own => keys.chunk_by(|key, next| key == next).for_each(|run| {
                        touched.add(run.first().map_or(&[], AsRef::as_ref), spans.by_ref().take(run.len()))
                    }),
                }
            }
        }
        let mut touched = Touched::default();
        by_frame.into_iter().for_each(|of_frame| touched.add_all(of_frame));
        let ahead = frames.iter().map(|frame| frame.upto).max().unwrap_or_default();
        touched.add_every(self.over_since(before, ahead));
        Ok(touched)
    }

    /// The labels that were not over, and are now that time has gone on.
    fn over_since(&self, before: &SeenSource, ahead: i64) -> Option<Span> {
        let (old, new) = (before.newest_event_time, self.newest()?);
        if ahead <= 0 || old.is_some_and(|old| new <= old) {
            return None;
        }
        let first = old.map_or(i64::MIN, |old| old.saturating_sub(ahead).saturating_add(1));
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
