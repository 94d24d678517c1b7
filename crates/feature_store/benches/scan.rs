//! The floor of a join: every value of these columns of Parquet files is decoded, on all cores, and thrown away.
//!
//! `scan COLUMN[,COLUMN…] FILE…` prints the seconds that it took. Built by `cargo build --release --bench scan`.

use std::fs::File;
use std::sync::Mutex;
use std::time::Instant;

use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const BATCH_ROWS: usize = 65_536;

/// A row group of a file.
struct Piece {
    path: String,
    metadata: ArrowReaderMetadata,
    group: usize,
}

fn pieces(paths: Vec<String>) -> Result<Vec<Piece>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        let metadata = ArrowReaderMetadata::load(&File::open(&path)?, ArrowReaderOptions::new())?;
        for group in 0..metadata.metadata().num_row_groups() {
            let (path, metadata) = (path.clone(), metadata.clone());
            all.push(Piece { path, metadata, group });
        }
    }
    Ok(all)
}

/// The rows of a piece, decoded.
fn decode(piece: &Piece, columns: &[&str]) -> Result<usize, Failure> {
    let roots = piece.metadata.schema().fields().iter().enumerate();
    let roots = roots.filter(|(_, field)| columns.contains(&field.name().as_str()));
    let mask = ProjectionMask::roots(piece.metadata.parquet_schema(), roots.map(|(at, _)| at));
    let file = File::open(&piece.path)?;
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, piece.metadata.clone())
        .with_projection(mask)
        .with_row_groups(vec![piece.group])
        .with_batch_size(BATCH_ROWS)
        .build()?;
    let rows: Result<usize, ArrowError> = reader.map(|batch| batch.map(|batch| batch.num_rows())).sum();
    Ok(rows?)
}

fn main() -> Result<(), Failure> {
    // Cargo hands `--bench` to every benchmark that it runs.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let Some(columns) = words.next() else { return Ok(()) };
    let columns: Vec<&str> = columns.split(',').collect();
    let begun = Instant::now();
    let left = Mutex::new(pieces(words.collect())?);
    let work = || -> Result<usize, Failure> {
        let mut rows = 0;
        loop {
            let next = left.lock().map_err(|_| "a thread failed")?.pop();
            let Some(piece) = next else { return Ok(rows) };
            rows += decode(&piece, &columns)?;
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let rows = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread failed")?);
        ended.sum::<Result<usize, Failure>>()
    })?;
    println!(
        "{{\"rows\": {rows}, \"seconds\": {:.4}}}",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}
