//! Panels of random rows, and which windows they have.

use crate::data::{Block, Panel, Rows, Shape, Window, windows};
use crate::random::{mix, unit};

/// Rows of three entities with gaps, missing values and a short series.
pub fn rows(seed: u64) -> Rows {
    let mut draws = (0..).map(|counter| unit(mix(seed, counter)));
    let mut draw = move || draws.next().unwrap();
    let mut rows = Rows {
        entities: Vec::new(),
        steps: Vec::new(),
        names: ["a", "b", "c"].map(str::to_owned).to_vec(),
        fixed: Block {
            continuous: vec![vec![1.0, f32::NAN, 3.0]],
            categorical: vec![vec![1, 2, 3]],
        },
        known: Block::default(),
        observed: Block::default(),
    };
    for (entity, length) in [(0, 30), (1, 3), (2, 25)] {
        for step in 0..length {
            if step == 0 || draw() > 0.15 {
                rows.entities.push(entity);
                rows.steps.push(step + 10 * i64::from(entity));
            }
        }
    }
    let count = rows.steps.len();
    let mut floats = |missing: f64| -> Vec<f32> {
        (0..count)
            .map(|_| {
                if draw() < missing {
                    f32::NAN
                } else {
                    (10.0 * draw()) as f32
                }
            })
            .collect()
    };
    rows.known.continuous = vec![floats(0.0)];
    rows.observed.continuous = vec![floats(0.1), floats(0.1), floats(0.3)];
    rows.known.categorical = vec![(0..count).map(|row| (row % 5) as u32).collect()];
    rows.observed.categorical = vec![(0..count).map(|row| (row % 3) as u32).collect()];
    rows
}

#[test]
fn rows_are_put_onto_the_grid_and_gaps_are_missing() {
    let panel = Panel::new(Rows {
        entities: vec![0, 0, 1],
        steps: vec![5, 8, 2],
        names: vec!["a".to_owned(), "b".to_owned()],
        fixed: Block::default(),
        known: Block {
            continuous: Vec::new(),
            categorical: vec![vec![4, 5, 6]],
        },
        observed: Block {
            continuous: vec![vec![1.0, 2.0, 3.0]],
            categorical: Vec::new(),
        },
    })
    .unwrap();
    assert_eq!((panel.series(0), panel.series(1)), ((0..4, 5), (4..5, 2)));
    let values = &panel.observed().continuous[0];
    assert_eq!((values[0], values[3], values[4]), (1.0, 2.0, 3.0));
    assert!(values[1].is_nan() && values[2].is_nan());
    assert_eq!(panel.known().categorical[0], [4, 0, 0, 5, 6]);
}

#[test]
fn rows_out_of_order_are_refused() {
    let of = |entities: &[u32], steps: &[i64]| {
        Panel::new(Rows {
            entities: entities.to_vec(),
            steps: steps.to_vec(),
            names: vec!["a".to_owned(), "b".to_owned()],
            fixed: Block::default(),
            known: Block::default(),
            observed: Block {
                continuous: vec![vec![0.0; steps.len()]],
                categorical: Vec::new(),
            },
        })
    };
    assert!(of(&[0, 1], &[1, 1]).is_ok());
    for (entities, steps) in [
        (&[0, 0], [2, 1]),
        (&[0, 0], [1, 1]),
        (&[1, 0], [1, 2]),
        (&[0, 2], [1, 2]),
    ] {
        assert!(of(entities, &steps).is_err(), "{entities:?} {steps:?}");
    }
}

#[test]
fn windows_are_those_whose_steps_ahead_lie_within() {
    let panel = Panel::new(rows(1)).unwrap();
    let shape = Shape { context: 4, horizon: 3 };
    for ahead in [0..100, 12..20, 25..40, 0..4] {
        for stride in [1, 2] {
            // Every row that could be now, asked one by one.
            let mut wanted = Vec::new();
            for entity in 0..3 {
                let (series, first) = panel.series(entity);
                let is_window = |now: &usize| {
                    let next = first + (now - series.start) as i64 + 1;
                    next >= ahead.start && next + 3 <= ahead.end && now + 3 < series.end
                };
                let nows = series.clone().filter(is_window).step_by(stride);
                wanted.extend(nows.map(|now| Window {
                    entity: entity as u32,
                    now: now as u32,
                }));
            }
            match windows(&panel, shape, &ahead, stride) {
                Ok(found) => assert_eq!(found, wanted, "{ahead:?}"),
                Err(_) => assert!(wanted.is_empty(), "{ahead:?}"),
            }
        }
    }
}
