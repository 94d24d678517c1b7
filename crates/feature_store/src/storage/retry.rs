//! Storage that fails for a moment, as network mounts do: what can be done again without harm is, after waits that double.
//!
//! | operation | done again |
//! |---|---|
//! | read a file, or some bytes of it; list a folder | yes |
//! | write a file whose name is its own | yes |
//! | write a commit, which must not be there yet; rename, copy, delete | no: after a failure nobody can tell whether it was done |
//!
//! Failures that last, such as a file that is not there or a disk that is full, are passed on at once.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// What is smaller is read in one go, so that reading it can be done again.
const READ_AT_ONCE: u64 = 8 << 20;

/// How often something is tried, and how long is waited between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    attempts: u32,
    first_wait: Duration,
}

impl Patience {
    /// Five attempts within 1.5 seconds.
    pub(crate) const USUAL: Self = Self {
        attempts: 5,
        first_wait: Duration::from_millis(100),
    };

    /// How long to wait after a failed attempt, the first being 0; `None`: no more.
    fn wait(self, attempt: u32) -> Option<Duration> {
        (attempt + 1 < self.attempts).then(|| self.first_wait * 2_u32.saturating_pow(attempt))
    }

    /// Does something that blocks, again where it fails for a moment.
    pub(crate) fn again<T>(self, mut what: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let mut attempt = 0;
        loop {
            match (what(), self.wait(attempt)) {
                (Err(error), Some(wait)) if is_transient(&error) => std::thread::sleep(wait),
                (done, _) => return done,
            }
            attempt += 1;
        }
    }

    async fn again_async<T, F: Future<Output = Result<T>>>(self, what: impl Fn() -> F) -> Result<T> {
        let mut attempt = 0;
        loop {
            match (what().await, self.wait(attempt)) {
                (Err(error), Some(wait)) if is_transient(&error) => tokio::time::sleep(wait).await,
                (done, _) => return done,
            }
            attempt += 1;
        }
    }
}

/// Whether an error, or what it comes from, may be gone a moment later.
fn is_transient(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable,
        NotConnected, ResourceBusy, StaleNetworkFileHandle, TimedOut, WouldBlock,
    };
    /// `EIO`, which has no kind of its own.
    const INPUT_OUTPUT: i32 = 5;
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let passes = matches!(
                error.kind(),
                BrokenPipe
                    | ConnectionAborted
                    | ConnectionReset
                    | HostUnreachable
                    | Interrupted
                    | NetworkDown
                    | NetworkUnreachable
                    | NotConnected
                    | ResourceBusy
                    | StaleNetworkFileHandle
                    | TimedOut
                    | WouldBlock
            );
            if passes || error.raw_os_error() == Some(INPUT_OUTPUT) {
                return true;
            }
        }
        cause = error.source();
    }
    false
}

/// A store that is patient with another one.
#[derive(Debug)]
pub(crate) struct Retrying<S> {
    store: Arc<S>,
    patience: Patience,
}

impl<S: ObjectStore> Retrying<S> {
    pub(crate) fn new(store: S, patience: Patience) -> Self {
        Self {
            store: Arc::new(store),
            patience,
        }
    }

    /// A listing, which is made as a whole: a part of it could not be told from the rest.
    fn listed(
        &self,
        list: impl Fn(&S) -> BoxStream<'static, Result<ObjectMeta>> + Send + Sync + 'static,
    ) -> BoxStream<'static, Result<ObjectMeta>>
    where
        S: 'static,
    {
        let (store, patience) = (Arc::clone(&self.store), self.patience);
        let all = async move { patience.again_async(|| list(&store).try_collect::<Vec<_>>()).await };
        let items = |all: Vec<ObjectMeta>| stream::iter(all.into_iter().map(Ok));
        stream::once(all).map_ok(items).try_flatten().boxed()
    }
}

impl<S: ObjectStore> fmt::Display for Retrying<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, with patience", self.store)
    }
}

/// What was found, with its bytes where they are few.
async fn with_bytes(found: GetResult) -> Result<GetResult> {
    if found.range.end - found.range.start > READ_AT_ONCE {
        return Ok(found);
    }
    let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
    let bytes = found.bytes().await?;
    Ok(GetResult {
        payload: GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed()),
        meta,
        range,
        attributes,
    })
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for Retrying<S> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if opts.mode != PutMode::Overwrite {
            return self.store.put_opts(location, payload, opts).await;
        }
        let put = || self.store.put_opts(location, payload.clone(), opts.clone());
        self.patience.again_async(put).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let is_head = options.head;
        let get = || async {
            let found = self.store.get_opts(location, options.clone()).await?;
            if is_head { Ok(found) } else { with_bytes(found).await }
        };
        self.patience.again_async(get).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.patience
            .again_async(|| self.store.get_ranges(location, ranges))
            .await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned();
        self.listed(move |store| store.list(prefix.as_ref()))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let (prefix, offset) = (prefix.cloned(), offset.clone());
        self.listed(move |store| store.list_with_offset(prefix.as_ref(), &offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.patience
            .again_async(|| self.store.list_with_delimiter(prefix))
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.store.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests;
