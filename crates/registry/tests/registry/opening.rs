use std::path::Path;

use definitions::Fault;
use registry::{Registry, RegistryError};

use crate::fixture::{Place, outside};

#[tokio::test]
async fn reading_a_registry_that_is_not_there_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.db");
    let error = Registry::open_existing(&file).await.unwrap_err();
    assert!(matches!(error, RegistryError::Missing { .. }));
    assert_eq!(error.hint().unwrap(), "platform apply");
    assert_eq!(error.fault(), Fault::Input);
    assert!(!file.exists());
}

#[tokio::test]
async fn opened_again_it_is_written_to_no_more() {
    let place = Place::with_definitions().await;
    let file = place.file();
    place.registry.close().await;
    let before = std::fs::metadata(&file).unwrap().modified().unwrap();
    let registry = Registry::open_existing(&file).await.unwrap();
    assert_eq!(registry.definitions(None).await.unwrap().len(), 4);
    registry.close().await;
    assert_eq!(std::fs::metadata(&file).unwrap().modified().unwrap(), before);
}

#[tokio::test]
async fn registry_of_a_newer_program_is_refused_with_both_numbers() {
    let place = Place::fresh().await;
    let file = place.file();
    place.registry.close().await;
    outside(&file, "pragma user_version = 999").await.unwrap();
    let error = Registry::open(&file).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has schema 999, this program knows schemas up to 2"),
        "{error}"
    );
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn database_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.db");
    std::fs::write(&file, "").unwrap();
    outside(&file, "create table songs (title text)").await.unwrap();
    let error = Registry::open(&file).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotARegistry { .. }), "{error}");
    assert_eq!(outside(&file, "insert into songs values ('x')").await.unwrap(), 1);
}

#[tokio::test]
async fn file_that_is_no_database_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.db");
    std::fs::write(&file, "this is a text of more than a hundred letters, ".repeat(30)).unwrap();
    let error = Registry::open(&file).await.unwrap_err();
    assert!(matches!(error, RegistryError::Open { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Platform);
    let error = Registry::open(Path::new("/nowhere/registry.db")).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot open the registry `/nowhere/registry.db`");
}

#[tokio::test]
async fn file_left_empty_by_a_killed_process_becomes_a_registry() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.db");
    std::fs::write(&file, "").unwrap();
    let registry = Registry::open_existing(&file).await.unwrap();
    assert!(registry.models().await.unwrap().is_empty());
}

#[test]
fn many_threads_may_make_the_same_registry_at_once() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("registry.db");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    crate::threads::block_on(async {
                        let registry = Registry::open(&file).await.unwrap();
                        assert!(registry.models().await.unwrap().is_empty());
                    });
                });
            }
        });
    }
}
