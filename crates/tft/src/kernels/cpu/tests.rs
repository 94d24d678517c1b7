//! Exponentials and products with the vectors of every level that this machine has, against their naive twins. What is made of them is
//! tested as a whole network (`model::tests::processor`).

use super::elementary::{exp, sigmoid, tanh};
use super::product::{Begin, Into, Left, Right, Size, exchange, product};
use super::simd::{Level, Simd, Work, run};
use crate::random::{mix, unit};

fn random(count: usize, key: u64) -> Vec<f32> {
    (0..count as u64)
        .map(|at| (2.0 * unit(mix(key, at)) - 1.0) as f32)
        .collect()
}

fn exchanged(values: &[f32], columns: usize) -> Vec<f32> {
    let (rows, mut to) = (values.len() / columns, vec![0.0; values.len()]);
    // SAFETY: both have as many numbers.
    unsafe { exchange((values.as_ptr(), columns), [rows, columns], (to.as_mut_ptr(), rows)) };
    to
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
        unsafe { product::<V>(self.size, a, b, Begin::Kept, c) }
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
                let a = if is_transposed { exchanged(&a, depth) } else { a.clone() };
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
