//! Windows a second of training and of forecasting, and peak memory: `cargo bench -p tft --bench training -- [CASE…] [STEPS]`.
//!
//! Every case runs in a process of its own, so that its memory is its own. A line of JSON a case, for `bench/tft/run.py`.
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::time::Instant;

use burn::backend::{Autodiff, Flex};
use tft::data::{Block, Gathering, Panel, Rows, Scalers, Scaling, Shape, windows};
use tft::model::{Architecture, Outputs, TemporalFusionTransformer, VariableSet};
use tft::predict::{Asking, forecast};
use tft::train::{Control, Material, Moment, Settings, fit};

/// What is measured: the panel's shape is that of the peers' (hour and weekday known, an entity as the only static variable).
struct Case {
    name: &'static str,
    context: usize,
    horizon: usize,
    width: usize,
    heads: usize,
    targets: usize,
}

const CASES: [Case; 5] = [
    Case::new("168_24_h32", (168, 24), 32, 4, 1),
    Case::new("288_96_h32", (288, 96), 32, 8, 1),
    Case::new("288_96_h32_t4", (288, 96), 32, 8, 4),
    Case::new("168_24_h160", (168, 24), 160, 4, 1),
    Case::new("one_window", (288, 96), 32, 8, 4),
];

const BATCH: usize = 64;
const ENTITIES: usize = 100;
const STEPS_OF_AN_ENTITY: usize = 2_000;

impl Case {
    const fn new(
        name: &'static str,
        (context, horizon): (usize, usize),
        width: usize,
        heads: usize,
        targets: usize,
    ) -> Self {
        Self {
            name,
            context,
            horizon,
            width,
            heads,
            targets,
        }
    }
    fn architecture(&self) -> Architecture {
        let names = |count: usize| (0..count).map(|at| at.to_string()).collect();
        Architecture {
            fixed: VariableSet {
                continuous: Vec::new(),
                categorical: names(1),
                table_rows: vec![ENTITIES + 1],
            },
            known: VariableSet {
                continuous: names(2),
                ..VariableSet::default()
            },
            observed: VariableSet {
                continuous: names(self.targets),
                ..VariableSet::default()
            },
            targets: self.targets,
            context: self.context,
            horizon: self.horizon,
            width: self.width,
            heads: self.heads,
            dropout: 0.1,
            outputs: Outputs::Quantiles(vec![0.1, 0.5, 0.9]),
        }
    }
}

/// Waves with noise.
fn panel(targets: usize) -> Panel {
    let cells = || (0..ENTITIES).flat_map(|entity| (0..STEPS_OF_AN_ENTITY).map(move |step| (entity, step)));
    let value = |entity: usize, step: usize, target: usize| {
        let noise = ((entity * 7919 + step * 104_729 + target * 1_299_709) % 1000) as f32 / 1000.0;
        (step as f32 / 12.0 + entity as f32 + target as f32).sin() + noise
    };
    Panel::new(Rows {
        entities: cells().map(|(entity, _)| entity as u32).collect(),
        steps: cells().map(|(_, step)| step as i64).collect(),
        names: (0..ENTITIES).map(|entity| entity.to_string()).collect(),
        fixed: Block {
            continuous: Vec::new(),
            categorical: vec![(1..=ENTITIES as u32).collect()],
        },
        known: Block {
            continuous: vec![
                cells().map(|(_, step)| (step % 24) as f32).collect(),
                cells().map(|(_, step)| (step / 24 % 7) as f32).collect(),
            ],
            categorical: Vec::new(),
        },
        observed: Block {
            continuous: (0..targets)
                .map(|target| cells().map(|(entity, step)| value(entity, step, target)).collect())
                .collect(),
            categorical: Vec::new(),
        },
    })
    .unwrap()
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|word| word.parse().ok())
        .unwrap_or(0.0);
    kibibytes * 1024.0 / 1e6
}

fn train(case: &Case, steps: u64) {
    let panel = panel(case.targets);
    let (architecture, shape) = (
        case.architecture(),
        Shape {
            context: case.context,
            horizon: case.horizon,
        },
    );
    let last = STEPS_OF_AN_ENTITY as i64;
    let scalers = Scalers::fit(&panel, last, Scaling::Entity);
    let windows = windows(&panel, shape, &(0..last), 1).unwrap();
    let settings = Settings {
        batch_size: BATCH,
        epochs: 1_000,
        ..Settings::default()
    };
    let material = Material {
        architecture: &architecture,
        settings: &settings,
        gathering: Gathering::new(&panel, &scalers, shape, case.targets),
        train: &windows,
        validation: &[],
        data_identity: "waves",
        seed: 1,
        loading_threads: 1,
        checkpoint: None,
    };
    let (mut last, mut seconds) = (Instant::now(), Vec::new());
    let mut clock = |moment: Moment<'_>| {
        let Moment::Step { step, .. } = moment else {
            return Control::Continue;
        };
        if step > 3 {
            seconds.push(last.elapsed().as_secs_f64());
        }
        last = Instant::now();
        if step >= steps {
            Control::Stop
        } else {
            Control::Continue
        }
    };
    fit::<Autodiff<Flex>>(&material, None, &Default::default(), &mut clock).unwrap();
    let step = median(seconds);
    println!(
        r#"{{"case":"{}","milliseconds":{:.2},"windows_a_second":{:.1},"peak_megabytes":{:.0}}}"#,
        case.name,
        step * 1e3,
        BATCH as f64 / step,
        peak_megabytes()
    );
}

fn predict(case: &Case, name: &str, count: usize, threads: usize) {
    let panel = panel(case.targets);
    let (architecture, shape) = (
        case.architecture(),
        Shape {
            context: case.context,
            horizon: case.horizon,
        },
    );
    let last = STEPS_OF_AN_ENTITY as i64;
    let scalers = Scalers::fit(&panel, last, Scaling::Entity);
    let windows: Vec<_> = windows(&panel, shape, &(0..last), 7)
        .unwrap()
        .into_iter()
        .take(count)
        .collect();
    let network = TemporalFusionTransformer::<Flex>::new(&architecture, 1, &Default::default()).unwrap();
    let gathering = Gathering::new(&panel, &scalers, shape, case.targets);
    let asking = Asking {
        gathering: &gathering,
        windows: &windows,
        outputs: &architecture.outputs,
        batch: BATCH,
        threads: 0,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let rounds = if count == 1 { 50 } else { 3 };
    let mut seconds = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        pool.install(|| forecast::<Flex>(&network, &asking, &Default::default()))
            .unwrap();
        seconds.push(start.elapsed().as_secs_f64());
    }
    let once = median(seconds);
    println!(
        r#"{{"case":"{name}","milliseconds":{:.3},"windows_a_second":{:.1},"peak_megabytes":{:.0}}}"#,
        once * 1e3,
        count as f64 / once,
        peak_megabytes()
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let steps = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(23);
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| argument.parse::<u64>().is_err())
        .collect();
    match wanted.as_slice() {
        [name] => {
            let case = CASES.iter().find(|case| case.name == name.as_str());
            match case {
                Some(case) if case.name == "one_window" => {
                    predict(case, "one_window", 1, 1);
                    predict(case, "many_windows", 2_000, 2);
                }
                Some(case) => train(case, steps),
                None => println!("no case `{name}`"),
            }
        }
        _ => {
            for case in CASES
                .iter()
                .filter(|case| wanted.is_empty() || wanted.iter().any(|name| *name == case.name))
            {
                let program = std::env::current_exe().unwrap();
                std::process::Command::new(program)
                    .args([case.name, &steps.to_string()])
                    .status()
                    .unwrap();
            }
        }
    }
}
