//! Fingerprints, canonical JSON and references: what must not change.

use definitions::*;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::REPOSITORY;

fn check_round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(parsed: &Parsed<T>) {
    let text = canonical(&parsed.definition).unwrap();
    let again: T = serde_json::from_str(&text).unwrap();
    assert_eq!(again, parsed.definition);
    assert_eq!(fingerprint(&again).unwrap(), parsed.fingerprint);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::from_value::<T>(value).unwrap(), parsed.definition);
}

#[test]
fn canonical_json_reads_back_as_the_definition() {
    for (file, text) in REPOSITORY {
        match file.split('/').next() {
            Some("feature_groups") => check_round_trip(&parse_feature_group(file, text).unwrap()),
            Some("feature_views") => check_round_trip(&parse_feature_view(file, text).unwrap()),
            _ => check_round_trip(&parse_pipeline(file, text).unwrap()),
        }
    }
    for split in [
        "strategy = \"time\"\nvalidation = 0.1\ntest = 2026-01-01\ngap = \"2h\"\nallow_overlap = true",
        "strategy = \"random\"\nvalidation = 0.1\ntest = 0.3",
        "strategy = \"group\"\ntest = 0.3\nseed = 1",
        "strategy = \"random\"\ntest = 0.3\nstratify = \"kind\"",
        "strategy = \"time\"\nembargo = \"1h\"\ntest = [{ from = \"2026-01-01\", to = \"2026-01-02\" }]",
        "strategy = \"walk_forward\"\nfolds = 3\ntrain = \"30d\"\nvalidation = 0.1\ntest = \"7d\"",
    ] {
        let text = format!(
            "name = \"v\"\nversion = 1\n[[features]]\ngroup = \"g:v1\"\ncolumns = [\"*\"]\non = {{ a = \"b\" }}\n[split]\n{split}\n"
        );
        check_round_trip(&parse_feature_view("v.toml", &text).unwrap());
    }
    let parameters = "a = 1.0\nb = 1\nc = 1e300\nd = true\ne = \"x\"\nf = [1, 2.5, [\"y\"], []]\ng = 0.1\nh = false\n";
    let text = format!(
        "name = \"p\"\nview = \"v:v1\"\nmodel = \"m\"\n[train]\nlearner = \"auto\"\n[train.lightgbm]\n{parameters}"
    );
    check_round_trip(&parse_pipeline("p.toml", &text).unwrap());
    let within = text.replace("[train.lightgbm]", "[train.tft.slim]");
    check_round_trip(&parse_pipeline("p.toml", &within).unwrap());
}

/// A change of this text is a change of every fingerprint that was ever recorded.
#[test]
fn canonical_form_of_a_group_is_this_text() {
    let parsed = parse_feature_group(REPOSITORY[1].0, REPOSITORY[1].1).unwrap();
    assert_eq!(
        canonical(&parsed.definition).unwrap(),
        "{\"entity\":[{\"data_type\":\"utf8\",\"name\":\"host\"}],\"features\":[{\"data_type\":\"utf8\",\"name\":\"instance_type\"},\
         {\"data_type\":\"utf8\",\"name\":\"region\"}],\"is_static\":true,\"mode\":\"upsert\",\"name\":\"hosts\",\
         \"on_violation\":\"refuse\",\"version\":1}"
    );
}

#[test]
fn different_definitions_have_different_fingerprints() {
    let (file, text) = REPOSITORY[2];
    let parse = |text: &str| parse_feature_group(file, text).unwrap().fingerprint;
    let changes = [
        ("max = 100.0", "max = 101.0"),
        ("\"host\"", "\"server\""),
        ("\"ts\"", "\"time\""),
        ("float64", "float32"),
    ];
    for (old, new) in changes {
        assert_ne!(parse(text), parse(&text.replace(old, new)), "{old} -> {new}");
    }
}

/// The keys of a table in another order, with comments and white space.
fn laid_out(lines: &[&str], order: &[usize], comment: &str, indent: usize) -> String {
    let space = " ".repeat(indent);
    order
        .iter()
        .filter_map(|at| lines.get(*at))
        .map(|line| format!("{space}{line}{space} # {comment}\n\n"))
        .collect()
}

const KEYS: [&str; 6] = [
    "name = \"g\"",
    "version = 3",
    "entity = [\"host\", { name = \"disk\", type = \"int64\" }]",
    "event_time = \"ts\"",
    "columns = { ts = \"time\", host = \"server\" }",
    "description = \"x\"",
];
const FEATURE: [&str; 4] = [
    "name = \"a\"",
    "type = \"float64\"",
    "expect = { min = 0, max = 1.5 }",
    "lookback = \"90m\"",
];

#[test]
fn keys_without_a_name_are_refused() {
    for text in ["==\n.=", ".=", "=", "a.=1", "[.]", "\u{feff}="] {
        assert!(parse_feature_group("g.toml", text).is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn fingerprint_does_not_depend_on_layout(
        keys in Just((0..KEYS.len()).collect::<Vec<_>>()).prop_shuffle(),
        feature in Just((0..FEATURE.len()).collect::<Vec<_>>()).prop_shuffle(),
        comment in "[a-z\"\\[\\]= ]{0,20}",
        indent in 0_usize..4,
    ) {
        let plain = format!("{}\n[[features]]\n{}\n", KEYS.join("\n"), FEATURE.join("\n"));
        let other = format!(
            "# {comment}\n{}[[features]] # {comment}\n{}",
            laid_out(&KEYS, &keys, &comment, indent),
            laid_out(&FEATURE, &feature, &comment, indent),
        );
        let plain = parse_feature_group("g.toml", &plain).unwrap();
        let other = parse_feature_group("g.toml", &other).unwrap();
        prop_assert_eq!(plain.definition, other.definition);
        prop_assert_eq!(plain.fingerprint, other.fingerprint);
    }

    #[test]
    fn duration_reads_back_from_its_text(micros in 0_i64..=i64::MAX) {
        let duration = Duration::from_micros(micros).unwrap();
        prop_assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration);
    }

    #[test]
    fn references_read_back_from_their_text(name in "[a-z][a-z0-9_]{0,63}", alias in "[a-z][a-z0-9_]{0,63}", version in 1_u32.., number in 1_u32..) {
        let versioned = Versioned { name: name.parse().unwrap(), version: Version::new(version).unwrap() };
        prop_assert_eq!(versioned.to_string().parse::<Versioned>().unwrap(), versioned.clone());
        let dataset = DatasetRef { view: versioned.clone(), number };
        prop_assert_eq!(dataset.to_string().parse::<DatasetRef>().unwrap(), dataset);
        for model in [
            ModelRef::Newest(versioned.name.clone()),
            ModelRef::Version(versioned.clone()),
            ModelRef::Alias { model: versioned.name, alias: alias.parse().unwrap() },
        ] {
            prop_assert_eq!(model.to_string().parse::<ModelRef>().unwrap(), model);
        }
    }

    #[test]
    fn event_time_reads_back_from_its_text(micros in -62_135_596_800_000_000_i64..253_402_300_799_999_999) {
        let time = EventTime(micros);
        prop_assert_eq!(time.to_string().parse::<EventTime>().unwrap(), time);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z\\[\\]{}=\",.0-9\n ]{0,200}") {
        drop(parse_feature_group("g.toml", &text));
        drop(parse_feature_view("v.toml", &text));
        drop(parse_pipeline("p.toml", &text));
    }

    #[test]
    fn mangled_definition_is_read_or_refused_with_its_file(which in 0..REPOSITORY.len(), from in 0_usize..700, length in 0_usize..40, insert in "[a-z\\[\\]{}=\",.0-9\n *-]{0,8}") {
        let (file, text) = REPOSITORY[which];
        let from = from.min(text.len());
        let mangled = format!("{}{insert}{}", &text[..from], &text[(from + length).min(text.len())..]);
        let mut files = super::files();
        files.insert(file.to_owned(), mangled);
        if let Err(problems) = super::checked(&files) {
            prop_assert!(!problems.0.is_empty());
            prop_assert!(problems.0.iter().all(|problem| !problem.file.is_empty() && !problem.what.is_empty()));
        }
    }

    #[test]
    fn diff_rebuilds_both_texts(old in prop::collection::vec("[ab]{0,2}", 0..12), new in prop::collection::vec("[ab]{0,2}", 0..12)) {
        let diff = diff_definitions(&old.join("\n"), &new.join("\n"));
        let kept = |sign: &str| diff.lines().filter(|line| line.starts_with(sign)).count();
        let (old, new) = (old.join("\n").lines().count(), new.join("\n").lines().count());
        prop_assert_eq!(old + kept("+"), new + kept("-"));
    }
}
