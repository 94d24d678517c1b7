//! A store that fails as often as it is told to, and what is made of it.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::atomic::{AtomicU32, Ordering};

use deltalake::DeltaTableBuilder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{Error, ObjectStoreExt};

use super::*;

/// Five attempts that do not wait.
const HASTY: Patience = Patience {
    attempts: 5,
    first_wait: Duration::ZERO,
};

/// Fails the next so many operations.
#[derive(Debug)]
struct Failing<S> {
    store: S,
    kind: io::ErrorKind,
    failures: AtomicU32,
    attempts: AtomicU32,
}

impl<S> Failing<S> {
    fn new(store: S, kind: io::ErrorKind, failures: u32) -> Self {
        Self {
            store,
            kind,
            failures: AtomicU32::new(failures),
            attempts: AtomicU32::new(0),
        }
    }

    fn attempt(&self) -> Result<()> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let left = |left: u32| left.checked_sub(1);
        match self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left) {
            Ok(_) => Err(Error::Generic {
                store: "failing",
                source: Box::new(io::Error::from(self.kind)),
            }),
            Err(_) => Ok(()),
        }
    }
}

impl<S: ObjectStore> fmt::Display for Failing<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, failing", self.store)
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for Failing<S> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.attempt()?;
        self.store.put_opts(location, payload, opts).await
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.attempt()?;
        self.store.put_multipart_opts(location, opts).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let found = self.store.get_opts(location, options).await?;
        // What fails is found first, and then cannot be read.
        let read = self.attempt();
        let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
        let bytes = read.map(|()| found.bytes());
        let bytes = match bytes {
            Ok(bytes) => bytes.await,
            Err(error) => Err(error),
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::iter([bytes]).boxed()),
            meta,
            range,
            attributes,
        })
    }
    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.attempt()?;
        self.store.get_ranges(location, ranges).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        // The failure comes after what was listed so far.
        let failure = self.attempt().err().map(Err);
        self.store.list(prefix).chain(stream::iter(failure)).boxed()
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.attempt()?;
        self.store.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.attempt()?;
        self.store.copy_opts(from, to, options).await
    }
}

/// A store with one file that fails so often in this way.
async fn store(kind: io::ErrorKind, failures: u32) -> Retrying<Failing<InMemory>> {
    let memory = InMemory::new();
    memory.put(&Path::from("a"), "one two".into()).await.unwrap();
    Retrying::new(Failing::new(memory, kind, failures), HASTY)
}

fn attempts(store: &Retrying<Failing<InMemory>>) -> u32 {
    store.store.attempts.load(Ordering::Relaxed)
}

#[tokio::test]
async fn what_fails_for_a_moment_is_read_all_the_same() {
    for failures in [0, 1, 4] {
        let path = Path::from("a");
        let of = || store(io::ErrorKind::TimedOut, failures);
        assert_eq!(of().await.get(&path).await.unwrap().bytes().await.unwrap(), "one two");
        assert_eq!(of().await.get_range(&path, 4..7).await.unwrap(), "two");
        let two = [0..3, 4..7];
        assert_eq!(of().await.get_ranges(&path, &two).await.unwrap(), ["one", "two"]);
        assert_eq!(of().await.list(None).try_collect::<Vec<_>>().await.unwrap().len(), 1);
        assert_eq!(of().await.list_with_delimiter(None).await.unwrap().objects.len(), 1);
        let listed = of()
            .await
            .list_with_offset(None, &Path::from("0"))
            .try_collect::<Vec<_>>()
            .await;
        assert_eq!(listed.unwrap().len(), 1);
        let store = of().await;
        store.put(&Path::from("b"), "three".into()).await.unwrap();
        assert_eq!(attempts(&store), failures + 1);
    }
}

#[tokio::test]
async fn what_goes_on_failing_is_given_up() {
    let store = store(io::ErrorKind::StaleNetworkFileHandle, 5).await;
    let error = store.get(&Path::from("a")).await.unwrap_err();
    assert!(error.to_string().contains("stale"), "{error}");
    assert_eq!(attempts(&store), 5);
}

#[tokio::test]
async fn failures_that_last_are_passed_on_at_once() {
    let store = store(io::ErrorKind::PermissionDenied, 1).await;
    store.get(&Path::from("a")).await.unwrap_err();
    assert_eq!(attempts(&store), 1);
    let missing = store.get(&Path::from("b")).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
}

#[tokio::test]
async fn what_must_not_be_done_twice_is_not() {
    let store = store(io::ErrorKind::TimedOut, 1).await;
    let create = PutOptions::from(PutMode::Create);
    let commit = store.put_opts(&Path::from("c"), "commit".into(), create).await;
    commit.unwrap_err();
    assert_eq!(attempts(&store), 1);
    store.store.failures.store(1, Ordering::Relaxed);
    store.copy(&Path::from("a"), &Path::from("d")).await.unwrap_err();
    assert_eq!(attempts(&store), 2);
}

#[test]
fn files_are_read_again_too() {
    let mut left = 3;
    let read = || {
        left -= 1;
        if left > 0 {
            Err(io::Error::from_raw_os_error(5))
        } else {
            Ok(7)
        }
    };
    assert_eq!(HASTY.again(read).unwrap(), 7);
    let full = || -> io::Result<()> { Err(io::ErrorKind::StorageFull.into()) };
    assert_eq!(HASTY.again(full).unwrap_err().kind(), io::ErrorKind::StorageFull);
}

#[test]
fn waits_double_and_end() {
    let waits: Vec<_> = (0..6).map(|attempt| Patience::USUAL.wait(attempt)).collect();
    let millis = |millis| Some(Duration::from_millis(millis));
    assert_eq!(waits, [millis(100), millis(200), millis(400), millis(800), None, None]);
}

#[tokio::test]
async fn table_is_opened_on_a_store_that_fails_now_and_then() {
    let folder = tempfile::tempdir().unwrap();
    let group: definitions::GroupRef = "g:v1".parse().unwrap();
    let schema = arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new(
        "k",
        arrow::datatypes::DataType::Int64,
        true,
    )]);
    let store = crate::storage::Store::new(&folder.path().display().to_string()).unwrap();
    let table = store.group_folder(&group);
    crate::storage::create_with(&store, &table, &group, &schema)
        .await
        .unwrap();
    let failing = Failing::new(LocalFileSystem::new(), io::ErrorKind::TimedOut, 3);
    let url = crate::storage::table_url(&table, &group).unwrap();
    let builder = DeltaTableBuilder::from_url(url.clone()).unwrap();
    let opened = builder
        .with_storage_backend(Arc::new(Retrying::new(failing, HASTY)), url)
        .load()
        .await
        .unwrap();
    assert_eq!(opened.version(), Some(0));
}
