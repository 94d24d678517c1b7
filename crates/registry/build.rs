//! Builds again when a migration is added, removed or changed: the compiler watches only the files that it knew.

fn main() {
    println!("cargo:rerun-if-changed=../../registry/migrations");
}
