//! A network for each group of series.

use definitions::Parameter;
use learning::{ForecastModel, Panel, Window};

use super::{Way, check_resumed, fit, fit_with, load, panel, panel_of, word};

fn by(what: &str) -> Way {
    Way::of(1)
        .saying("groups.by", word(what))
        .saying("epochs", Parameter::Integer(2))
}

/// Four hosts of levels 0, 10, 20 and 30.
fn four() -> Panel {
    panel_of(4, false)
}

fn groups_of(model: &dyn ForecastModel) -> Vec<(String, String, f64)> {
    let note = model.notes().iter().find(|note| note.title == "Groups").unwrap();
    let row = |row: &Vec<String>| (row[0].clone(), row[1].clone(), row[6].parse().unwrap());
    note.rows.iter().map(row).collect()
}

#[test]
fn each_value_of_a_column_is_a_group() {
    let panel = four();
    let model = fit(&panel, &by("kind"));
    let groups = groups_of(model.as_ref());
    let named: Vec<(&str, &str)> = groups
        .iter()
        .map(|(name, series, _)| (name.as_str(), series.as_str()))
        .collect();
    assert_eq!(named, [("large", "2"), ("small", "2")]);
    let files = model.files().unwrap();
    for (at, (_, _, share)) in groups.iter().enumerate() {
        let name = format!("group.{}.safetensors", at + 1);
        assert_eq!(files.iter().any(|file| file.name == name), *share > 0.0);
    }
    let alone = fit(&panel, &alone(2));
    let (first, wanted) = (&files[0], &alone.files().unwrap()[0]);
    assert_eq!(first, wanted, "the network of all is the one that is trained alone");
    let windows = [0, 1, 2, 3].map(|entity| Window { entity, now: 120 });
    let forecast = model.forecast(&panel, &windows).unwrap();
    assert_eq!(forecast, load(&files).forecast(&panel, &windows).unwrap());
}

/// One network of all.
fn alone(epochs: i64) -> Way {
    Way::of(1).saying("epochs", Parameter::Integer(epochs))
}

#[test]
fn forecast_is_blended_as_the_shares_say() {
    let panel = four();
    let (whole, own) = (fit(&panel, &alone(2)), fit(&panel, &alone(1)));
    let mut files = whole.files().unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&files[1].bytes).unwrap();
    let division = serde_json::json!({"column": {"column": "kind", "values": ["large", "small"]}});
    config["groups"] = serde_json::json!({"division": division, "hidden": 8, "shares": [0.25, 0.0]});
    files[1].bytes = serde_json::to_vec(&config).unwrap();
    let mut of_group = own.files().unwrap().remove(0);
    of_group.name = "group.1.safetensors".to_owned();
    files.push(of_group);
    let windows = [0, 1, 2, 3].map(|entity| Window { entity, now: 120 });
    let found = load(&files).forecast(&panel, &windows).unwrap();
    let (whole, own) = (
        whole.forecast(&panel, &windows).unwrap(),
        own.forecast(&panel, &windows).unwrap(),
    );
    let each = found.values.len() / 4;
    for (at, value) in found.values.iter().enumerate() {
        // Those of even numbers are large.
        let share = if (at / each).is_multiple_of(2) { 0.25 } else { 0.0 };
        let wanted = whole.values[at] * (1.0 - share) + own.values[at] * share;
        assert!((value - wanted).abs() < 1e-4, "{at}: {value} {wanted}");
    }
    // What explains a forecast are shares still.
    for row in &found.explanation.attention {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn blend_is_never_worse_on_validation_than_the_network_of_all() {
    let model = fit(&four(), &by("cluster(2)"));
    let note = &model.notes()[0];
    for row in &note.rows {
        let number = |at: usize| row[at].parse::<f64>().unwrap();
        assert!(number(7) <= number(4).min(number(5)), "{row:?}");
    }
    // Of all groups together, the loss of the network of all is that of its own validation.
    let number = |row: &Vec<String>, at: usize| row[at].parse::<f64>().unwrap();
    let windows: f64 = note.rows.iter().map(|row| number(row, 3)).sum();
    let loss = note.rows.iter().map(|row| number(row, 3) * number(row, 4)).sum::<f64>() / windows;
    let own = model.history().iter().take(2).map(|report| report.measured[0].value);
    let best = own.fold(f64::INFINITY, f64::min);
    assert!((loss - best).abs() < 1e-4 * best, "{loss} {best}");
    let series: usize = note.rows.iter().map(|row| row[1].parse::<usize>().unwrap()).sum();
    assert_eq!(series, 4);
}

#[test]
fn new_series_goes_to_the_nearest_cluster_and_a_new_value_to_the_network_of_all() {
    let (known, more) = (four(), panel_of(6, false));
    // Hosts 4 and 5 are new, of levels above all others.
    let windows = [3, 4, 5].map(|entity| Window { entity, now: 60 });
    for what in ["cluster(2)", "kind"] {
        let model = fit(&known, &by(what));
        let found = model.forecast(&more, &windows).unwrap();
        assert!(found.values.iter().all(|value| value.is_finite()));
        // What lies after now changes nothing.
        let mut cut = more.clone();
        if let learning::Values::Numbers(values) = &mut cut.variables.observed[0].values {
            for entity in 0..6 {
                let from = more.row(entity, 61).unwrap();
                let (rows, _) = more.series(entity);
                values[from..rows.end].fill(1e6);
            }
        }
        assert_eq!(model.forecast(&cut, &windows).unwrap().values, found.values, "{what}");
    }
    let mut renamed = known.clone();
    if let learning::Values::Codes(codes) = &mut renamed.variables.fixed[0].values {
        codes.names = vec!["huge".to_owned(), "tiny".to_owned()];
    }
    let (grouped, alone) = (fit(&known, &by("kind")), fit(&known, &alone(2)));
    let own = grouped.forecast(&renamed, &windows[..1]).unwrap();
    assert_eq!(own.values, alone.forecast(&renamed, &windows[..1]).unwrap().values);
}

#[test]
fn any_number_of_threads_makes_the_same_groups() {
    let panel = four();
    let (one, many) = (
        fit(&panel, &by("cluster(2)")),
        fit(
            &panel,
            &Way {
                threads: 3,
                ..by("cluster(2)")
            },
        ),
    );
    assert_eq!(
        (one.files().unwrap(), one.notes()),
        (many.files().unwrap(), many.notes())
    );
}

#[test]
fn groups_are_gone_on_from() {
    // 24 steps an epoch of all, 12 of each group.
    check_resumed(&four(), &by("kind"), &[3, 48, 60, 73]);
}

#[test]
fn what_cannot_be_divided_is_refused() {
    let refused = |panel: &Panel, what: &str| {
        let error = fit_with(panel, &by(what)).0.err().unwrap();
        std::error::Error::source(&error).unwrap().to_string()
    };
    let panel = panel();
    let cases = [
        (refused(&panel, "cluster(3)"), "found cluster(3) of 2 series"),
        (
            refused(&panel, "phase"),
            "a static categorical column of 2 to 64 values, found `phase`",
        ),
        (refused(&panel_of(1, false), "kind"), "found `kind`, which has 1"),
    ];
    for (found, wanted) in cases {
        assert!(found.contains(wanted), "{found}\nwanted {wanted}");
    }
}
