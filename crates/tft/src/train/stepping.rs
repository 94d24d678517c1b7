//! Optimisers on the flat buffer in memory, with clipping by the norm of the whole gradient: one pass for the norm, one for the step.
//!
//! ```text
//!     g ← g · min(1, clip / ‖g‖)
//!     AdamW      m ← β₁ m + (1 - β₁) g     v ← β₂ v + (1 - β₂) g²     p ← p (1 - rate · decay) - rate · m̂ / (√v̂ + ε)
//!     Lion       p ← p (1 - rate · decay) - rate · sign(β₁ m + (1 - β₁) g)     m ← β₂ m + (1 - β₂) g
//!     Adafactor  v of a matrix as (mean of rows) ⊗ (mean of columns) / mean     p ← p (1 - rate · decay) - rate · u / max(1, rms(u))
//!                with u = g / √v, and v ← β v + (1 - β) (g² + ε), β = 1 - t^-0.8
//! ```
//!
//! Cost: AdamW remembers two numbers a parameter, Lion one, Adafactor a row and a column for each matrix.
//! Sources: Kingma & Ba, *Adam*, 2015; Loshchilov & Hutter, *Decoupled weight decay regularization*, 2019; Chen et al., *Symbolic discovery
//! of optimization algorithms*, 2023 (Lion); Shazeer & Stern, *Adafactor*, 2018 (without its relative step sizes: the rate is the rate).

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use super::optimiser::{AdafactorSettings, AdamWSettings, LionSettings, Optimiser};

/// Numbers that a thread works on at once; part of what norms are added up in.
const STRETCH: usize = 4096;

/// An optimiser and what it remembers.
#[derive(Debug, Clone)]
pub struct Stepping {
    optimiser: Optimiser,
    /// The shape of each parameter, in order.
    shapes: Vec<Vec<usize>>,
    /// AdamW's and Lion's m.
    pub first_moment: Vec<f32>,
    /// AdamW's v; Adafactor's rows and columns, or v, of each parameter.
    pub second_moment: Vec<f32>,
    /// Steps done.
    pub steps: u64,
}

/// A matrix's rows and columns, all leading dimensions taken for rows; `None`: not a matrix.
fn factors(shape: &[usize]) -> Option<(usize, usize)> {
    match shape {
        [leading @ .., columns] if leading.iter().product::<usize>() > 1 && *columns > 1 => {
            Some((leading.iter().product(), *columns))
        }
        _ => None,
    }
}

impl Stepping {
    /// Which remembers nothing yet, for parameters of these shapes.
    #[must_use]
    pub fn new(optimiser: Optimiser, shapes: Vec<Vec<usize>>) -> Self {
        let length: usize = shapes.iter().map(|shape| shape.iter().product::<usize>()).sum();
        let factored =
            |shape: &Vec<usize>| factors(shape).map_or(shape.iter().product(), |(rows, columns)| rows + columns);
        let (first, second) = match optimiser {
            Optimiser::AdamW(_) => (length, length),
            Optimiser::Lion(_) => (length, 0),
            Optimiser::Adafactor(_) => (0, shapes.iter().map(factored).sum()),
        };
        Self {
            optimiser,
            shapes,
            first_moment: vec![0.0; first],
            second_moment: vec![0.0; second],
            steps: 0,
        }
    }

    /// Steps; gives the gradient's norm before it was clipped.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &[f32], rate: f64, clip: Option<f64>) -> f64 {
        let squares = |part: &[f32]| {
            part.iter()
                .map(|number| f64::from(*number) * f64::from(*number))
                .sum::<f64>()
        };
        let sums: Vec<f64> = gradient.par_chunks(STRETCH).map(squares).collect();
        let norm = sums.iter().sum::<f64>().sqrt();
        let factor = clip.map_or(1.0, |clip| (clip / norm.max(1e-30)).min(1.0)) as f32;
        self.steps += 1;
        match self.optimiser {
            Optimiser::AdamW(settings) => self.adam(settings, parameters, (gradient, factor), rate),
            Optimiser::Lion(settings) => self.lion(settings, parameters, (gradient, factor), rate),
            Optimiser::Adafactor(settings) => self.adafactor(settings, parameters, (gradient, factor), rate),
        }
        norm
    }

    fn adam(&mut self, settings: AdamWSettings, parameters: &mut [f32], (gradient, factor): (&[f32], f32), rate: f64) {
        let elapsed = self.steps.min(1 << 30) as i32;
        let [beta_1, beta_2] = [settings.beta_1, settings.beta_2].map(|beta| beta as f32);
        let (rest_1, rest_2) = ((1.0 - settings.beta_1) as f32, (1.0 - settings.beta_2) as f32);
        let correction = (1.0 / (1.0 - settings.beta_2.powi(elapsed))) as f32;
        let step = (rate / (1.0 - settings.beta_1.powi(elapsed))) as f32;
        let (kept, epsilon) = ((1.0 - rate * settings.weight_decay) as f32, settings.epsilon as f32);
        let parts = parameters.par_chunks_mut(STRETCH).zip(gradient.par_chunks(STRETCH));
        let moments = self
            .first_moment
            .par_chunks_mut(STRETCH)
            .zip(self.second_moment.par_chunks_mut(STRETCH));
        parts
            .zip(moments)
            .for_each(|((parameters, gradient), (first, second))| {
                for (((parameter, number), m), v) in parameters.iter_mut().zip(gradient).zip(first).zip(second) {
                    let g = number * factor;
                    *m = *m * beta_1 + g * rest_1;
                    *v = *v * beta_2 + g * g * rest_2;
                    *parameter = *parameter * kept - *m / ((*v * correction).sqrt() + epsilon) * step;
                }
            });
    }

    fn lion(&mut self, settings: LionSettings, parameters: &mut [f32], (gradient, factor): (&[f32], f32), rate: f64) {
        let [beta_1, beta_2] = [settings.beta_1, settings.beta_2].map(|beta| beta as f32);
        let (kept, step) = ((1.0 - rate * settings.weight_decay) as f32, rate as f32);
        let parts = parameters.par_chunks_mut(STRETCH).zip(gradient.par_chunks(STRETCH));
        parts
            .zip(self.first_moment.par_chunks_mut(STRETCH))
            .for_each(|((parameters, gradient), moment)| {
                for ((parameter, number), m) in parameters.iter_mut().zip(gradient).zip(moment) {
                    let g = number * factor;
                    let direction = *m * beta_1 + g * (1.0 - beta_1);
                    let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
                    *parameter = *parameter * kept - sign * step;
                    *m = *m * beta_2 + g * (1.0 - beta_2);
                }
            });
    }

    fn adafactor(
        &mut self,
        settings: AdafactorSettings,
        parameters: &mut [f32],
        (gradient, factor): (&[f32], f32),
        rate: f64,
    ) {
        let beta = 1.0 - (self.steps as f64).powf(-settings.decay_exponent);
        let step = AdafactorStep {
            beta: beta as f32,
            epsilon: settings.epsilon as f32,
            kept: (1.0 - rate * settings.weight_decay) as f32,
            rate: rate as f32,
            threshold: settings.threshold as f32,
            factor,
        };
        let (mut parameters, mut gradient, mut memory) = (parameters, gradient, self.second_moment.as_mut_slice());
        let mut work = Vec::new();
        for shape in &self.shapes {
            let length = shape.iter().product();
            let remembered = factors(shape).map_or(length, |(rows, columns)| rows + columns);
            let (Some(values), Some(numbers), Some(moment)) = (
                parameters.split_off_mut(..length),
                gradient.split_off(..length),
                memory.split_off_mut(..remembered),
            ) else {
                return;
            };
            work.push((factors(shape), values, numbers, moment));
        }
        work.par_iter_mut()
            .for_each(|(factors, values, numbers, moment)| step.of(*factors, values, numbers, moment));
    }
}

/// Numbers of a step of Adafactor.
#[derive(Clone, Copy)]
struct AdafactorStep {
    beta: f32,
    epsilon: f32,
    kept: f32,
    rate: f32,
    threshold: f32,
    factor: f32,
}

impl AdafactorStep {
    /// One parameter.
    fn of(self, factors: Option<(usize, usize)>, values: &mut [f32], gradient: &[f32], moment: &mut [f32]) {
        let g = |number: &f32| number * self.factor;
        let square = |number: &f32| g(number) * g(number) + self.epsilon;
        let blend = |old: &mut f32, new: f32| *old = *old * self.beta + new * (1.0 - self.beta);
        let mut update: Vec<f32> = gradient.iter().map(g).collect();
        match factors {
            None => {
                for ((moment, number), update) in moment.iter_mut().zip(gradient).zip(&mut update) {
                    blend(moment, square(number));
                    *update /= moment.sqrt();
                }
            }
            Some((rows, columns)) => {
                let (of_rows, of_columns) = moment.split_at_mut(rows.min(moment.len()));
                let mut sums = vec![0.0_f32; columns];
                for (moment, row) in of_rows.iter_mut().zip(gradient.chunks_exact(columns)) {
                    let mut total = 0.0;
                    for (sum, number) in sums.iter_mut().zip(row) {
                        *sum += square(number);
                        total += square(number);
                    }
                    blend(moment, total / columns as f32);
                }
                of_columns
                    .iter_mut()
                    .zip(&sums)
                    .for_each(|(moment, sum)| blend(moment, sum / rows as f32));
                let mean = of_rows.iter().sum::<f32>() / rows as f32;
                for (row, update) in of_rows.iter().zip(update.chunks_exact_mut(columns)) {
                    for (column, update) in of_columns.iter().zip(update) {
                        // In this order: the product of two small means would be none.
                        *update /= (row / mean * column).sqrt();
                    }
                }
            }
        }
        let squares: f32 = update.iter().map(|number| number * number).sum();
        let size = (squares / update.len().max(1) as f32).sqrt();
        let step = self.rate / (size / self.threshold).max(1.0);
        for (value, update) in values.iter_mut().zip(&update) {
            *value = *value * self.kept - update * step;
        }
    }
}

/// Moves an average of weights towards the weights by a share of what is between.
pub(super) fn blend(average: &mut [f32], parameters: &[f32], share: f32) {
    let parts = average
        .par_iter_mut()
        .with_min_len(STRETCH)
        .zip(parameters.par_iter().with_min_len(STRETCH));
    parts.for_each(|(average, parameter)| *average += (parameter - *average) * share);
}
