//! Splits: a part never learns what another part is measured on.

use super::{METRICS, World};

/// A label that looks an hour ahead and a feature that looks two hours back, every ten minutes of a day, for six hosts.
fn day(split: &str) -> World {
    let mut rows = String::from("host ts value\n");
    for at in 0..144 {
        for host in ["a", "b", "c", "d", "e", "f"] {
            rows.push_str(&format!("{host} {:02}:{:02} {at}\n", at / 6, at % 6 * 10));
        }
    }
    let head = "entity = [\"host\"]\nevent_time = \"ts\"";
    World::with_spine(head, &["y:int64 horizon = \"1h\""], &rows.replace("value", "y"))
        .group(
            "metrics",
            head,
            &["v:int64 lookback = \"2h\""],
            &rows.replace("value", "v"),
        )
        .view(&format!("{METRICS}\n[split]\n{split}"))
}

#[test]
fn time_split_keeps_the_derived_gap_between_its_parts() {
    let dataset = day(
        "strategy = \"time\"\nvalidation = \"2026-01-01T12:00:00Z\"\ntest = \"2026-01-01T18:00:00Z\"\ngap = \"auto\"",
    )
    .dataset();
    let (train, validation, test) = (
        dataset.times_of("train"),
        dataset.times_of("validation"),
        dataset.times_of("test"),
    );
    assert_eq!((train[0], validation[0], test[0]), ("00:00", "12:00", "18:00"));
    let last = |times: &[&str]| times.iter().max().unwrap().to_string();
    assert_eq!(
        (last(&train), last(&validation), last(&test)),
        ("08:50".into(), "14:50".into(), "23:50".into())
    );
    let rows = &dataset.manifest["rows"];
    assert_eq!(rows["gap"], 2 * 18 * 6, "{rows}");
    let parts: u64 = ["train", "validation", "test", "gap"]
        .iter()
        .map(|part| rows[*part].as_u64().unwrap())
        .sum();
    assert_eq!(parts, 144 * 6);
    assert_eq!(
        (
            &dataset.manifest["gap"]["horizon"],
            &dataset.manifest["gap"]["lookback"]
        ),
        (&"1h".into(), &"2h".into())
    );
}

#[test]
fn gap_that_is_too_short_is_refused_with_the_sum() {
    let world = day("strategy = \"time\"\nvalidation = 0.15\ntest = 0.15\ngap = \"2h59m\"");
    let refused = world.sandbox.refused("plan");
    for part in ["1h", "2h", "3h", "`labels:v1.y`", "`metrics:v1.v`", "gap = \"auto\""] {
        assert!(refused.contains(part), "no {part} in {refused}");
    }
}

#[test]
fn gap_may_be_longer_than_needed_and_shorter_only_where_overlap_is_allowed() {
    let text = "strategy = \"time\"\ntest = \"2026-01-01T12:00:00Z\"\n";
    let longer = day(&format!("{text}gap = \"4h\"")).dataset();
    assert_eq!(longer.manifest["rows"]["gap"], 24 * 6);
    let shorter = day(&format!("{text}gap = \"0s\"\nallow_overlap = true")).dataset();
    assert_eq!(shorter.manifest["rows"]["gap"], 0);
    assert!(
        shorter.manifest["warnings"].to_string().contains("overlap"),
        "{}",
        shorter.manifest["warnings"]
    );
}

#[test]
fn random_split_has_every_row_once_and_hangs_on_its_seed_alone() {
    let with_seed = |seed: u32| {
        day(&format!(
            "strategy = \"random\"\nvalidation = 0.2\ntest = 0.2\nseed = {seed}"
        ))
        .dataset()
    };
    let (one, again, other) = (with_seed(1), with_seed(1), with_seed(2));
    assert_eq!(one.rows, again.rows);
    assert_ne!(one.rows, other.rows);
    assert_eq!(one.rows.len(), 144 * 6);
    let share = one.times_of("test").len() as f64 / one.rows.len() as f64;
    assert!((share - 0.2).abs() < 0.06, "{share}");
}

#[test]
fn group_split_has_every_entity_in_one_part_only() {
    let dataset = day("strategy = \"group\"\nvalidation = 0.3\ntest = 0.3").dataset();
    let parts = ["train", "validation", "test"].map(|part| dataset.hosts_of(part));
    assert_eq!(parts.iter().map(|hosts| hosts.len()).sum::<usize>(), 6, "{parts:?}");
    assert!(parts.iter().all(|hosts| !hosts.is_empty()), "{parts:?}");
    assert_eq!(dataset.rows.len(), 144 * 6);
}
