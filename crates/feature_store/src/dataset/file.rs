//! One file of a part: a thread of its own puts row groups onto disk and hashes them, while the next rows are encoded.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::datatypes::SchemaRef;
use definitions::Fingerprint;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use sha2::{Digest, Sha256};

use crate::StoreError;
use crate::error::{file_error, parquet_error};

/// A file that is being written.
pub(super) struct PartFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Row groups on their way; none waits, so that at most one is in memory beside the one that is encoded.
    groups: Option<SyncSender<Vec<ArrowColumnChunk>>>,
    thread: Option<JoinHandle<Result<OnDisk, StoreError>>>,
}

/// What is on disk.
pub(super) struct OnDisk {
    pub bytes: u64,
    pub sha256: Fingerprint,
}

impl PartFile {
    /// Begins a file; the factory makes the encoders of its row groups.
    pub(super) fn create(
        path: PathBuf,
        schema: SchemaRef,
        properties: WriterProperties,
    ) -> Result<(Self, ArrowRowGroupWriterFactory), StoreError> {
        let hashed = Hashed {
            file: BufWriter::new(File::create_new(&path).map_err(file_error(path.as_path()))?),
            sha256: Sha256::new(),
            bytes: 0,
        };
        let writer = ArrowWriter::try_new(hashed, schema, Some(properties));
        let parts = writer.and_then(ArrowWriter::into_serialized_writer);
        let (writer, encoders) = parts.map_err(parquet_error(&path))?;
        let (groups, waiting) = sync_channel(0);
        let of_thread = path.clone();
        let file = Self {
            path,
            groups: Some(groups),
            thread: Some(std::thread::spawn(move || write(writer, &waiting, &of_thread))),
        };
        Ok((file, encoders))
    }

    /// Appends a row group.
    pub(super) fn append(&mut self, group: Vec<ArrowColumnChunk>) -> Result<(), StoreError> {
        let sent = self.groups.as_ref().map(|groups| groups.send(group));
        match sent {
            Some(Ok(())) => Ok(()),
            // The thread has ended before its time, and says why.
            _ => self.join().map(|_| ()),
        }
    }

    /// Nothing more comes: the rest goes to disk by itself.
    pub(super) fn end(&mut self) {
        self.groups = None;
    }

    /// Ends the file; gives it when all of it is on disk.
    pub(super) fn finish(mut self) -> Result<OnDisk, StoreError> {
        self.join()
    }

    fn join(&mut self) -> Result<OnDisk, StoreError> {
        self.end();
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(ended)) => ended,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(StoreError::Task {
                detail: format!("`{}` was ended twice", self.path.display()),
            }),
        }
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        self.end();
        // Whoever gives up has an error of its own, and nothing may write behind its back.
        let _given_up = self.thread.take().map(JoinHandle::join);
    }
}

fn write(
    mut writer: SerializedFileWriter<Hashed>,
    groups: &Receiver<Vec<ArrowColumnChunk>>,
    path: &Path,
) -> Result<OnDisk, StoreError> {
    let append = |writer: &mut SerializedFileWriter<Hashed>, chunks: Vec<ArrowColumnChunk>| {
        let mut group = writer.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close().map(|_| ())
    };
    for chunks in groups {
        append(&mut writer, chunks).map_err(parquet_error(path))?;
        // Little is left to wait for at the end.
        writer.inner().sync().map_err(file_error(path))?;
    }
    let ended: Result<Hashed, ParquetError> = writer.into_inner();
    let Hashed { file, sha256, bytes } = ended.map_err(parquet_error(path))?;
    let file = file
        .into_inner()
        .map_err(|error| file_error(path)(error.into_error()))?;
    file.sync_all().map_err(file_error(path))?;
    Ok(OnDisk {
        bytes,
        sha256: Fingerprint::from_digest(sha256.finalize().into()),
    })
}

/// A file that knows the hash of what was written to it.
struct Hashed {
    file: BufWriter<File>,
    sha256: Sha256,
    bytes: u64,
}

impl Hashed {
    /// Waits until what has left the buffer is on disk.
    fn sync(&self) -> io::Result<()> {
        self.file.get_ref().sync_data()
    }
}

impl Write for Hashed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buf)?;
        self.sha256.update(buf.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
