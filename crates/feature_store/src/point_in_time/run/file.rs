//! A run in a Parquet file: its footer and page index are read once, its rows where they are wanted.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::{Bounds, as_declared};
use crate::StoreError;
use crate::error::{file_error, parquet_error};
use crate::point_in_time::GroupColumns;

/// An open Parquet file.
#[derive(Debug)]
pub(super) struct SortedFile {
    path: PathBuf,
    bytes: At,
    metadata: ArrowReaderMetadata,
    /// The types in which columns are wanted.
    schema: SchemaRef,
    /// The first row of each row group, and the number of rows.
    starts: Vec<usize>,
}

impl SortedFile {
    pub(super) fn open(path: &Path, schema: &SchemaRef) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(file_error(path))?;
        let len = file.metadata().map_err(file_error(path))?.len();
        let bytes = At {
            file: Arc::new(file),
            len,
        };
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&bytes, options).map_err(parquet_error(path))?;
        let mut starts = vec![0];
        for group in metadata.metadata().row_groups() {
            let start = starts.last().copied().unwrap_or_default();
            starts.push(start + usize::try_from(group.num_rows()).unwrap_or_default());
        }
        Ok(Self {
            path: path.to_owned(),
            bytes,
            metadata,
            schema: schema.clone(),
            starts,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.starts.last().copied().unwrap_or_default()
    }

    /// What the file's statistics say of the pages of its first key column; where it has no page index, of its row groups.
    pub(super) fn bounds(&self, columns: &GroupColumns) -> Result<Bounds, StoreError> {
        let parquet = self.metadata.metadata();
        let Some((rows, is_paged)) = columns.keys.first().map(|key| self.stretches(parquet, key)) else {
            return Ok(Bounds {
                rows: Vec::new(),
                keys: None,
                times: None,
            });
        };
        let keys = columns
            .keys
            .first()
            .and_then(|key| self.extremes(key, is_paged, rows.len()));
        // The pages of another column may hold other rows.
        let same = |time: &&String| self.stretches(parquet, time) == (rows.clone(), is_paged);
        let times = columns.event_time.as_ref().filter(same);
        let times = times.and_then(|time| self.extremes(time, is_paged, rows.len()));
        Ok(Bounds { rows, keys, times })
    }

    /// The rows of each page of a column, or of each row group; and whether they are pages.
    fn stretches(&self, parquet: &ParquetMetaData, column: &str) -> (Vec<Range<usize>>, bool) {
        let groups = self
            .starts
            .iter()
            .zip(self.starts.iter().skip(1))
            .map(|(from, to)| *from..*to);
        let pages = self.leaf(column).and_then(|leaf| {
            parquet.column_index()?;
            let offsets = parquet.offset_index()?;
            let mut pages = Vec::new();
            for (group, rows) in groups.clone().enumerate() {
                let starts: Vec<usize> = offsets
                    .get(group)?
                    .get(leaf)?
                    .page_locations()
                    .iter()
                    .map(|page| rows.start + usize::try_from(page.first_row_index).unwrap_or_default())
                    .collect();
                let ends = starts.iter().skip(1).copied().chain([rows.end]);
                pages.extend(starts.iter().zip(ends).map(|(from, to)| *from..to));
            }
            Some(pages)
        });
        match pages {
            Some(pages) => (pages, true),
            None => (groups.collect(), false),
        }
    }

    fn leaf(&self, column: &str) -> Option<usize> {
        let schema = self.metadata.parquet_schema();
        (0..schema.num_columns()).find(|leaf| schema.column(*leaf).path().string() == column)
    }

    /// Least and greatest values by page or row group; `None` where the statistics cannot be had, or do not fit the stretches.
    fn extremes(&self, column: &str, is_paged: bool, stretches: usize) -> Option<(ArrayRef, ArrayRef)> {
        let parquet = self.metadata.metadata();
        let statistics =
            StatisticsConverter::try_new(column, self.metadata.schema(), self.metadata.parquet_schema()).ok()?;
        let (least, greatest) = if is_paged {
            let all: Vec<usize> = (0..parquet.num_row_groups()).collect();
            let (index, offsets) = (parquet.column_index()?, parquet.offset_index()?);
            (
                statistics.data_page_mins(index, offsets, all.iter()).ok()?,
                statistics.data_page_maxes(index, offsets, all.iter()).ok()?,
            )
        } else {
            (
                statistics.row_group_mins(parquet.row_groups()).ok()?,
                statistics.row_group_maxes(parquet.row_groups()).ok()?,
            )
        };
        let wanted = self.schema.field_with_name(column).ok()?.data_type();
        let typed = |array: ArrayRef| cast(&array, wanted).ok().filter(|array| array.len() == stretches);
        typed(least).zip(typed(greatest))
    }

    /// The columns of these stretches of rows, as one batch.
    pub(super) fn read(&self, columns: &SchemaRef, stretches: &[Range<usize>]) -> Result<RecordBatch, StoreError> {
        let rows: usize = stretches.iter().map(Range::len).sum();
        if rows == 0 {
            return Ok(RecordBatch::new_empty(columns.clone()));
        }
        let (groups, selection) = self.selection(stretches);
        let wanted = self.metadata.schema().fields().iter().enumerate();
        let roots = wanted
            .filter(|(_, field)| columns.field_with_name(field.name()).is_ok())
            .map(|(at, _)| at);
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), self.metadata.clone())
            .with_projection(mask)
            .with_row_groups(groups)
            .with_row_selection(selection)
            .with_batch_size(rows)
            .build()
            .map_err(parquet_error(&self.path))?;
        let schema: SchemaRef = arrow::array::RecordBatchReader::schema(&reader);
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        let batch = match batches.as_slice() {
            [only] => only.clone(),
            _ => concat_batches(&schema, &batches)?,
        };
        if batch.num_rows() != rows {
            return Err(StoreError::Parquet {
                path: self.path.clone(),
                source: ParquetError::General(format!("{} rows in place of {rows}", batch.num_rows())),
            });
        }
        as_declared(&batch, columns)
    }

    /// The row groups that hold these rows, and the rows within them.
    fn selection(&self, stretches: &[Range<usize>]) -> (Vec<usize>, RowSelection) {
        let mut groups = Vec::new();
        let mut selectors: Vec<RowSelector> = Vec::new();
        let mut stretches = stretches.iter().peekable();
        for (group, (from, to)) in self.starts.iter().zip(self.starts.iter().skip(1)).enumerate() {
            let mut done = *from;
            let mut chosen = Vec::new();
            while let Some(stretch) = stretches.peek().filter(|stretch| stretch.start < *to) {
                let (start, end) = (stretch.start.max(*from), stretch.end.min(*to));
                if start < end {
                    chosen.push(RowSelector::skip(start - done));
                    chosen.push(RowSelector::select(end - start));
                    done = end;
                }
                if stretch.end > *to {
                    break;
                }
                stretches.next();
            }
            if !chosen.is_empty() {
                groups.push(group);
                selectors.extend(chosen);
                selectors.push(RowSelector::skip(to - done));
            }
        }
        (groups, RowSelection::from(selectors))
    }
}

/// Bytes of a file by place: threads that read at once do not disturb each other, as they would with a shared cursor.
#[derive(Debug, Clone)]
struct At {
    file: Arc<File>,
    len: u64,
}

/// Reads on from a place.
#[derive(Debug)]
struct From {
    at: At,
    offset: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.at.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Length for At {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for At {
    type T = io::BufReader<From>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(io::BufReader::new(From {
            at: self.clone(),
            offset: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}
