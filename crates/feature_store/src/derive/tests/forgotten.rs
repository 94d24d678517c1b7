//! What is derived from rows of an entity that is forgotten is forgotten too, and what remains is what computing everything gives.

use definitions::{GroupRef, WallTime};
use proptest::prelude::*;

use super::{Bench, EXPANDING, LABEL, Row, SOURCE, named, text};
use crate::derive::{Extent, Materialized};
use crate::{Entity, ForgetReach, PinAt, Traced, derived_from, forget, is_behind_removals, pin_group};

const ENCODED: &str = "name = \"e\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"m:v1\"]\n\
                       [[features]]\nname = \"by_disk\"\nof = \"disk\"\ntarget_encoding = \"cpu\"\nsmoothing = 2.0\n";
const AFTER: &str = "name = \"after\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"e:v1\"]\n\
                     [[features]]\nname = \"top\"\nof = \"by_disk\"\nwindow = \"10m\"\naggregate = \"max\"\n";
const BESIDE: &str = "name = \"beside\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"d:v1\", \"n:v1\"]\n\
                      [[features]]\nname = \"mean\"\nof = \"mean_10m\"\n[[features]]\nname = \"watts\"\nof = \"watts\"\n";
const OTHER: &str = "name = \"n\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[[features]]\nname = \"watts\"\ntype = \"float64\"\n";

fn reference(name: &str) -> GroupRef {
    format!("{name}:v1").parse().unwrap()
}

fn entity(bench: &Bench, group: &str, host: &str) -> Entity {
    Entity::parse(&bench.groups[group], &[host.to_owned()]).unwrap()
}

/// Forgets a host in a group, without any pins.
async fn forget_in(bench: &Bench, group: &str, host: &str) -> u64 {
    let entity = entity(bench, group, host);
    let done = forget(&bench.store, &bench.groups[group], &entity, &[], WallTime::now());
    done.await.unwrap().rows
}

fn reached(bench: &Bench, root: &str) -> Vec<(String, ForgetReach)> {
    let reached = derived_from(&reference(root), &bench.by_reference());
    reached
        .into_iter()
        .map(|(group, reach)| (group.name.to_string(), reach))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_looks_at_its_own_entity_loses_rows_and_all_else_is_computed_anew() {
    let query = "name = \"q\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"d:v1\"]\nlookback = \"0s\"\n\
                 sql = \"select host, ts, cpu from d\"\n[[features]]\nname = \"cpu\"\ntype = \"float64\"\n";
    let bench = Bench::new(&[SOURCE, OTHER, &named("d", ""), BESIDE, ENCODED, AFTER, query]).await;
    let (rows, values) = (ForgetReach::Rows, ForgetReach::Values);
    let named = |all: &[(&str, ForgetReach)]| -> Vec<_> {
        all.iter().map(|(name, reach)| ((*name).to_owned(), *reach)).collect()
    };
    assert_eq!(
        reached(&bench, "m"),
        named(&[
            ("d", rows),
            ("e", values),
            ("after", values),
            ("beside", rows),
            ("q", values)
        ])
    );
    // Rows are those of the first source, so what stood in them of the other goes, and they stay.
    assert_eq!(reached(&bench, "n"), named(&[("beside", values)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pinned_values_are_told_from_those_that_never_saw_the_entity() {
    let mut bench = Bench::new(&[SOURCE, ENCODED, AFTER]).await;
    let row = |host: &str, minute: u32| format!("{host},2026-01-01T00:{minute:02}:00Z,{minute},x\n");
    let materialized = async |bench: &Bench| {
        for name in ["e", "after"] {
            bench.materialize(name, Extent::New).await.unwrap();
        }
        pin_group(&bench.store, &bench.groups["after"], PinAt::Newest)
            .await
            .unwrap()
    };
    bench.ingest(&row("b", 1)).await;
    let before = materialized(&bench).await;
    bench.ingest(&row("a", 5)).await;
    let within = materialized(&bench).await;
    let (groups, root) = (bench.by_reference(), reference("m"));
    let held = async |host: &str, pin| {
        let entity = entity(&bench, "m", host);
        let traced = Traced {
            store: &bench.store,
            groups: &groups,
            root: &root,
            entity: &entity,
        };
        traced.values_hold(pin).await.unwrap()
    };
    assert!(held("a", &within).await && !held("a", &before).await && held("b", &before).await);
    assert!(!held("nobody", &within).await);
    assert!(!is_behind_removals(&bench.store, &bench.groups["e"]).await.unwrap());
    assert_eq!(forget_in(&bench, "m", "a").await, 1);
    for name in ["e", "after"] {
        assert!(
            is_behind_removals(&bench.store, &bench.groups[name]).await.unwrap(),
            "{name}"
        );
        bench.materialize(name, Extent::Anew).await.unwrap();
        assert!(
            !is_behind_removals(&bench.store, &bench.groups[name]).await.unwrap(),
            "{name}"
        );
    }
    crate::tests::check(&bench.rows("after").await, "b 2026-01-01T00:01:00Z -");
    let anew = pin_group(&bench.store, &bench.groups["after"], PinAt::Newest)
        .await
        .unwrap();
    assert!(!held("a", &anew).await && held("a", &within).await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_forgotten_the_rest_is_what_computing_everything_gives(
        batches in prop::collection::vec(prop::collection::vec((0_u8..3, 0_u16..90, prop::option::of(0_u8..50)), 1..30), 2..4),
        more in 0_usize..3,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let more = ["", LABEL, EXPANDING][more];
        runtime.block_on(async {
            let fresh = [named("whole", more), ENCODED.replacen("\"e\"", "\"encoded\"", 1)];
            let mut bench = Bench::new(&[SOURCE, &named("d", more), ENCODED, &fresh[0], &fresh[1]]).await;
            let Some((last, first)) = batches.split_last() else { return };
            for batch in first {
                let batch: &Vec<Row> = batch;
                bench.ingest(&text(batch)).await;
                for name in ["d", "e"] {
                    bench.materialize(name, Extent::New).await.unwrap();
                }
            }
            let others: Vec<String> =
                bench.rows("d").await.lines().filter(|row| !row.starts_with("h0 ")).map(str::to_owned).collect();
            let gone = forget_in(&bench, "m", "h0").await;
            assert_eq!(forget_in(&bench, "d", "h0").await > 0, gone > 0);
            assert_eq!(bench.rows("d").await.lines().collect::<Vec<_>>(), others);
            assert_eq!(is_behind_removals(&bench.store, &bench.groups["e"]).await.unwrap(), gone > 0);
            bench.materialize("e", Extent::Anew).await.unwrap();
            // Nothing of it comes back, and nothing else is touched.
            assert_eq!(bench.materialize("d", Extent::New).await.unwrap(), Materialized::UpToDate);
            bench.ingest(&text(last)).await;
            for name in ["d", "e", "encoded"] {
                bench.materialize(name, Extent::New).await.unwrap();
            }
            assert_eq!(bench.rows("e").await, bench.rows("encoded").await);
            let kept = bench.rows("d").await;
            bench.materialize("d", Extent::Full).await.unwrap();
            assert_eq!(kept, bench.rows("d").await);
            // Time does not go back with rows that are gone, so labels that were over stay; all else is as it is in a table of its own.
            if more != LABEL {
                bench.materialize("whole", Extent::New).await.unwrap();
                assert_eq!(kept, bench.rows("whole").await);
            }
        });
    }
}
