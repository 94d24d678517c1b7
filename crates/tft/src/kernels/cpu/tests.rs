//! Every kernel with the vectors of every level that this machine has, against its naive twin.

#![expect(clippy::unwrap_used, reason = "tests may")]

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};

use super::elementary::{exp, sigmoid, tanh};
use super::product::{Into, Left, Right, Size, accumulate, transposed};
use super::simd::{Level, Simd, Work, run};
use super::{attention_backward, attention_forward, lstm_backward, lstm_forward, residual_backward, residual_forward};
use crate::kernels::attention::{self, AttentionInputs};
use crate::kernels::lstm::{self, LstmInputs, LstmWeights};
use crate::kernels::residual::{self, GroupedWeights, ResidualInputs};
use crate::model::{Draws, Pass};
use crate::random::{mix, unit};

fn random(count: usize, key: u64) -> Vec<f32> {
    (0..count as u64)
        .map(|at| (2.0 * unit(mix(key, at)) - 1.0) as f32)
        .collect()
}

struct Elementary<'a> {
    input: &'a [f32],
}

impl Work for Elementary<'_> {
    type Output = Vec<[f32; 3]>;
    #[inline(always)]
    unsafe fn run<V: Simd>(self) -> Vec<[f32; 3]> {
        let mut found = Vec::new();
        for chunk in self.input.chunks_exact(V::LANES) {
            let mut values = [vec![0.0_f32; V::LANES], vec![0.0; V::LANES], vec![0.0; V::LANES]];
            // SAFETY: a chunk has as many numbers as the vector; the machine is the caller's promise.
            unsafe {
                let x = V::load(chunk.as_ptr());
                exp(x).store(values[0].as_mut_ptr());
                sigmoid(x).store(values[1].as_mut_ptr());
                tanh(x).store(values[2].as_mut_ptr());
            }
            found.extend((0..V::LANES).map(|lane| [values[0][lane], values[1][lane], values[2][lane]]));
        }
        found
    }
}

#[test]
fn exponentials_are_as_exact_as_promised() {
    let input: Vec<f32> = (0..160_000).map(|at| (at as f32 - 80_000.0) / 1_000.0).collect();
    for level in Level::all() {
        let found = run(level, Elementary { input: &input });
        for (x, [exp, sigmoid, tanh]) in input.iter().zip(found) {
            let x = f64::from(*x);
            assert!(
                (f64::from(exp) / x.exp() - 1.0).abs() < 3e-7,
                "{level:?} exp {x}: {exp}"
            );
            assert!(
                (f64::from(sigmoid) - 1.0 / (1.0 + (-x).exp())).abs() < 3e-7,
                "{level:?} sigmoid {x}: {sigmoid}"
            );
            assert!((f64::from(tanh) - x.tanh()).abs() < 5e-7, "{level:?} tanh {x}: {tanh}");
        }
    }
}

struct Product<'a> {
    size: Size,
    a: &'a [f32],
    is_transposed: bool,
    b: &'a [f32],
    c: &'a mut [f32],
}

impl Work for Product<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Size { rows, columns, depth } = self.size;
        let start = self.a.as_ptr();
        let a = if self.is_transposed {
            Left {
                start,
                row: 1,
                column: rows,
            }
        } else {
            Left {
                start,
                row: depth,
                column: 1,
            }
        };
        let (b, c) = (
            Right {
                start: self.b.as_ptr(),
                row: columns,
            },
            Into {
                start: self.c.as_mut_ptr(),
                row: columns,
            },
        );
        // SAFETY: the matrices have these sizes; the machine is the caller's promise.
        unsafe { accumulate::<V>(self.size, a, b, c) }
    }
}

#[test]
fn products_of_any_size_are_those_of_three_loops() {
    for level in Level::all() {
        for (rows, columns, depth) in [
            (1, 1, 1),
            (8, 32, 7),
            (16, 128, 32),
            (13, 45, 5),
            (3, 17, 9),
            (21, 70, 1),
        ] {
            let (a, b) = (random(rows * depth, 1), random(depth * columns, 2));
            let mut wanted = random(rows * columns, 3);
            let start = wanted.clone();
            for row in 0..rows {
                for column in 0..columns {
                    let sum: f32 = (0..depth).map(|k| a[row * depth + k] * b[k * columns + column]).sum();
                    wanted[row * columns + column] += sum;
                }
            }
            for is_transposed in [false, true] {
                let a = if is_transposed {
                    transposed(&a, depth)
                } else {
                    a.clone()
                };
                let mut found = start.clone();
                let size = Size { rows, columns, depth };
                run(
                    level,
                    Product {
                        size,
                        a: &a,
                        is_transposed,
                        b: &b,
                        c: &mut found,
                    },
                );
                for (found, wanted) in found.iter().zip(&wanted) {
                    assert!(
                        (found - wanted).abs() < 1e-5,
                        "{level:?} {rows} {columns} {depth}: {found} {wanted}"
                    );
                }
            }
        }
    }
}

fn flex<const D: usize>(shape: [usize; D], key: u64) -> Tensor<Flex, D> {
    let values = random(shape.iter().product(), key);
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

fn check<const D: usize>(what: &str, found: Tensor<Flex, D>, wanted: Tensor<Flex, D>) {
    assert_eq!(found.dims(), wanted.dims(), "{what}");
    let [found, wanted]: [Vec<f32>; 2] = [found, wanted].map(|tensor| tensor.into_data().to_vec().unwrap());
    let largest = wanted.iter().fold(1.0_f32, |largest, number| largest.max(number.abs()));
    for (at, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        assert!((found - wanted).abs() < 1e-5 * largest, "{what} {at}: {found} {wanted}");
    }
}

#[test]
fn recurrence_is_that_of_plain_operations() {
    for (batch, steps, width, context) in [
        (1, 1, 4, 1),
        (3, 7, 5, 4),
        (17, 6, 32, 4),
        (40, 5, 24, 5),
        (2, 4, 48, 0),
    ] {
        let weights = |key: u64| LstmWeights {
            input: flex([width, 4 * width], key),
            hidden: flex([width, 4 * width], key + 1),
            bias: flex([4 * width], key + 2),
        };
        let present = flex([batch, steps], 20).greater_elem(-0.4).float();
        for steps_present in [None, Some(present)] {
            let inputs = LstmInputs {
                input: flex([batch, steps, width], 1),
                encoder: weights(2),
                decoder: weights(5),
                hidden: flex([batch, width], 8),
                cell: flex([batch, width], 9),
                steps_present,
                context,
            };
            let (found, wanted) = (lstm_forward(&inputs).unwrap(), lstm::forward(&inputs));
            check("hidden", found.hidden.clone(), wanted.hidden.clone());
            check("cells", found.cells.clone(), wanted.cells.clone());
            check("before", found.before.clone(), wanted.before.clone());
            let gradient = flex([batch, steps, width], 10);
            let found = lstm_backward(&inputs, &found, &gradient).unwrap();
            let wanted = lstm::backward(&inputs, &wanted, gradient);
            check("of input", found.input, wanted.input);
            check("of first hidden", found.hidden, wanted.hidden);
            check("of first cell", found.cell, wanted.cell);
            for (found, wanted) in [(found.encoder, wanted.encoder), (found.decoder, wanted.decoder)] {
                check("of input weights", found.input, wanted.input);
                check("of hidden weights", found.hidden, wanted.hidden);
                check("of bias", found.bias, wanted.bias);
            }
        }
    }
}

#[test]
fn residual_is_that_of_plain_operations() {
    for (groups, rows, width) in [(1, 1, 4), (3, 70, 5), (2, 129, 32), (1, 2100, 8), (5, 64, 24)] {
        let layer = |outputs: usize, key: u64| GroupedWeights {
            weight: flex([groups, width, outputs], key),
            bias: flex([groups, outputs], key + 1),
        };
        for has_second in [true, false] {
            for pass in [Pass::Predict, Pass::Train(Draws::of_step(1, 2))] {
                let inputs = ResidualInputs {
                    input: flex([groups, rows, width], 1) * 3.0,
                    skip: flex([groups, rows, width], 2),
                    second: has_second.then(|| layer(width, 3)),
                    gate: layer(2 * width, 5),
                    scale: flex([groups, width], 7),
                    shift: flex([groups, width], 8),
                    dropping: pass.dropping(0.25),
                };
                check("output", residual_forward(&inputs).unwrap(), residual::forward(&inputs));
                let gradient = flex([groups, rows, width], 9);
                let found = residual_backward(&inputs, &gradient).unwrap();
                let wanted = residual::backward(&inputs, gradient);
                check("of input", found.input, wanted.input);
                check("of skip", found.skip, wanted.skip);
                check("of gate", found.gate.weight, wanted.gate.weight);
                check("of gate's bias", found.gate.bias, wanted.gate.bias);
                check("of scale", found.scale, wanted.scale);
                check("of shift", found.shift, wanted.shift);
                if let (Some(found), Some(wanted)) = (found.second, wanted.second) {
                    check("of second", found.weight, wanted.weight);
                    check("of second's bias", found.bias, wanted.bias);
                }
            }
        }
    }
}

#[test]
fn attention_is_that_of_plain_operations() {
    for (batch, horizon, steps, width, heads) in [
        (1, 1, 1, 4, 1),
        (3, 5, 12, 6, 2),
        (2, 20, 53, 32, 8),
        (2, 16, 64, 40, 4),
    ] {
        let present = flex([batch, steps], 20).greater_elem(-0.4).float();
        // The steps that ask are present.
        let asking = Tensor::ones([batch, horizon], &Default::default());
        let present = present.slice_assign([0..batch, steps - horizon..steps], asking);
        for steps_present in [None, Some(present)] {
            let inputs = AttentionInputs {
                query: flex([batch, horizon, width], 1) * 3.0,
                key: flex([batch, steps, width], 2) * 3.0,
                heads,
                steps_present,
            };
            check(
                "weights",
                attention_forward(&inputs).unwrap(),
                attention::forward(&inputs),
            );
            let gradient = flex([batch, horizon, steps], 3);
            let found = attention_backward(&inputs, &gradient).unwrap();
            let wanted = attention::backward(&inputs, gradient);
            check("of query", found.query, wanted.query);
            check("of key", found.key, wanted.key);
        }
    }
}
