//! The receipt of a materialisation: what it read, what it wrote, and what became of what its group expects.

use definitions::{EventTime, Fingerprint, KnownAt, fingerprint};

use super::expected::Held;
use super::materialize::MaterializeRequest;
use super::source::Source;
use super::writer::Written;
use crate::StoreError;
use crate::ingest::{FileFormat, IngestOutcome, IngestReceipt, SourceReceipt};

/// What a materialisation did.
pub(super) struct Materialization<'a> {
    /// What was written.
    pub written: &'a Written,
    /// What became of what the group expects.
    pub held: &'a Held,
    /// The rows that were read of each source.
    pub read: &'a [u64],
    /// Its number.
    pub ingest_id: i64,
}

/// Its receipt, before it is committed; `all` are its sources.
pub(super) fn receipt(
    request: &MaterializeRequest,
    all: &[Source],
    made: &Materialization<'_>,
) -> Result<IngestReceipt, StoreError> {
    let Materialization {
        written,
        held,
        read,
        ingest_id,
    } = made;
    let (group, started) = (&request.group, request.now);
    let ingestion = uuid::Uuid::new_v4().to_string();
    let json = |source| StoreError::Json {
        path: "pin".into(),
        source,
    };
    let mut sources = Vec::new();
    for (source, rows) in all.iter().zip(read.iter()) {
        let pin = &source.pin;
        sources.push(SourceReceipt {
            path: format!("{} at Delta version {}", pin.group, pin.delta_version),
            format: FileFormat::Parquet,
            bytes: pin.files.iter().map(|file| file.bytes).sum(),
            sha256: fingerprint(pin).map_err(json)?,
            rows: *rows,
        });
    }
    let contents: Vec<&Fingerprint> = sources.iter().map(|source| &source.sha256).collect();
    let sizes = written
        .files
        .iter()
        .map(|file| u64::try_from(file.size).unwrap_or_default());
    Ok(IngestReceipt {
        group: group.reference(),
        outcome: IngestOutcome::Committed,
        content_hash: fingerprint(&(contents, &ingestion)).map_err(json)?,
        ingestion,
        ingest_id: *ingest_id,
        delta_version: 0,
        mode: group.mode,
        rows_read: read.iter().sum(),
        rows: written.rows,
        duplicates: 0,
        nan_nulls: 0,
        quarantined: held.aside.rows,
        known_at: KnownAt(written.known_at.unwrap_or(started.0)),
        min_event_time: written.event_times.map(|(first, _)| EventTime(first)),
        max_event_time: written.event_times.map(|(_, last)| EventTime(last)),
        bytes: sources.iter().map(|source| source.bytes).sum(),
        bytes_written: sizes.sum(),
        sources,
        ignored_columns: Vec::new(),
        expectations: held.results.clone(),
        moments: held.moments.clone(),
        software: request.software.clone(),
        started_at: started,
        committed_at: started,
    })
}
