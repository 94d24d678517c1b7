//! Imports point downwards only: every edge between our crates goes from a higher rank to a lower one.

use std::collections::BTreeMap;
use std::process::Command;

const RANKS: [(&str, u8); 11] = [
    ("definitions", 0),
    ("simulation", 0),
    ("sketches", 0),
    ("feature_store", 1),
    ("learning", 1),
    ("registry", 1),
    ("trees", 2),
    ("tft", 2),
    ("evaluation", 2),
    ("serving", 2),
    ("platform", 4),
];

/// Heavy dependencies, and the one crate each may appear in.
const HOMES: [(&str, &str); 7] = [
    ("datafusion", "feature_store"),
    ("deltalake", "feature_store"),
    ("parquet", "feature_store"),
    ("sqlx", "registry"),
    ("lightgbm3-sys", "trees"),
    ("burn", "tft"),
    ("clap", "platform"),
];

fn edges() -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let edges = packages.iter().flat_map(|package| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| (name(package), name(dependency)))
    });
    edges.collect()
}

#[test]
fn imports_point_to_a_lower_rank_and_siblings_never_import_each_other() {
    let ranks: BTreeMap<_, _> = RANKS.into_iter().collect();
    let edges = edges();
    assert!(edges.len() > 20);
    for (from, to) in &edges {
        let Some(to_rank) = ranks.get(to.as_str()) else {
            continue;
        };
        let from_rank = ranks
            .get(from.as_str())
            .unwrap_or_else(|| panic!("`{from}` has no rank"));
        assert!(
            to_rank < from_rank,
            "`{from}` (rank {from_rank}) imports `{to}` (rank {to_rank})"
        );
    }
}

#[test]
fn heavy_dependency_lives_in_one_crate() {
    for (from, to) in edges() {
        if let Some((heavy, home)) = HOMES.iter().find(|(heavy, _)| *heavy == to) {
            assert_eq!(from, *home, "`{heavy}` belongs to `{home}` alone");
        }
    }
}
