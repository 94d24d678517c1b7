//! The programs at work, with their versions: what a dataset, run and model are stamped with.

use std::collections::BTreeMap;

const LOCK: &str = include_str!("../../../Cargo.lock");

/// The libraries whose version can change what is computed.
const LIBRARIES: [&str; 4] = ["arrow", "datafusion", "deltalake", "parquet"];

/// Program -> version.
pub fn versions() -> BTreeMap<String, String> {
    let mut versions = BTreeMap::from([
        ("platform".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("lightgbm".to_owned(), trees::VERSION.to_owned()),
    ]);
    for library in LIBRARIES {
        if let Some(version) = locked(library) {
            versions.insert(library.to_owned(), version.to_owned());
        }
    }
    versions
}

fn locked(library: &str) -> Option<&'static str> {
    let mut lines = LOCK
        .lines()
        .skip_while(|line| *line != format!("name = \"{library}\""))
        .skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_library_has_a_version() {
        assert_eq!(super::versions().len(), 6);
    }
}
