//! k-means: points in groups, each point in that of the nearest centre, each centre the mean of its points.
//!
//! ```text
//!     ··  x ·              x: centres. The first are drawn (k-means++): far points are likelier.
//!      ·      · x ·        Then, in turn: points to the nearest centre, centres to the mean of their points.
//! ```
//!
//! Cost: points x centres x dimensions a round, at most `ROUNDS` of them. Own code, because sums are made in the order of the points: the
//! same groups for any number of threads. Points that are all the same make one group, however many are asked for; a centre that loses its
//! points is left out. Sources: Lloyd, *Least squares quantization in PCM*, 1982; Arthur & Vassilvitskii, *k-means++: the advantages of
//! careful seeding*, 2007.

use crate::random::{below, mix, unit};

/// Rounds at most.
const ROUNDS: usize = 100;

/// Points in groups.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clustered {
    /// The centre of each group, in the order of each one's first point.
    pub centres: Vec<Vec<f64>>,
    /// The group of each point.
    pub of_points: Vec<usize>,
}

/// Groups points into at most so many groups.
pub(super) fn cluster(points: &[Vec<f64>], most: usize, seed: u64) -> Clustered {
    let mut centres = first_centres(points, most, seed);
    let mut of_points: Vec<usize> = Vec::new();
    for _ in 0..ROUNDS {
        let now: Vec<usize> = points.iter().map(|point| nearest(&centres, point)).collect();
        if now == of_points {
            break;
        }
        of_points = now;
        for (group, centre) in centres.iter_mut().enumerate() {
            let own = points.iter().zip(&of_points).filter(|(_, of)| **of == group);
            if let Some(mean) = mean(own.map(|(point, _)| point)) {
                *centre = mean;
            }
        }
    }
    in_order(centres, &of_points)
}

/// The nearest centre; of equally near ones the first.
pub(super) fn nearest(centres: &[Vec<f64>], point: &[f64]) -> usize {
    let far = centres.iter().map(|centre| distance(centre, point)).enumerate();
    far.min_by(|one, other| one.1.total_cmp(&other.1))
        .map_or(0, |(at, _)| at)
}

/// The squared distance.
fn distance(one: &[f64], other: &[f64]) -> f64 {
    one.iter()
        .zip(other)
        .map(|(one, other)| (one - other) * (one - other))
        .sum()
}

/// Points, drawn as often as their squared distance from those drawn before says.
fn first_centres(points: &[Vec<f64>], most: usize, seed: u64) -> Vec<Vec<f64>> {
    let first = below(mix(seed, 0), points.len() as u64) as usize;
    let mut centres: Vec<Vec<f64>> = points.get(first).into_iter().cloned().collect();
    let mut far = vec![f64::INFINITY; points.len()];
    while centres.len() < most {
        let Some(last) = centres.last() else { break };
        for (far, point) in far.iter_mut().zip(points) {
            *far = far.min(distance(last, point));
        }
        let drawn = unit(mix(seed, centres.len() as u64)) * far.iter().sum::<f64>();
        let Some(next) = drawn_from(&far, drawn) else { break };
        centres.extend(points.get(next).cloned());
    }
    centres
}

/// The first place up to which the sum is more than `drawn`; the last that counts, where rounding leaves none; `None`: none counts.
fn drawn_from(far: &[f64], drawn: f64) -> Option<usize> {
    let mut sum = 0.0;
    let mut last = None;
    for (place, far) in far.iter().enumerate().filter(|(_, far)| **far > 0.0) {
        sum += far;
        last = Some(place);
        if sum > drawn {
            break;
        }
    }
    last
}

fn mean<'a>(points: impl Iterator<Item = &'a Vec<f64>>) -> Option<Vec<f64>> {
    let mut count = 0_u64;
    let mut sums: Vec<f64> = Vec::new();
    for point in points {
        sums.resize(point.len(), 0.0);
        sums.iter_mut().zip(point).for_each(|(sum, number)| *sum += number);
        count += 1;
    }
    (count > 0).then(|| sums.iter().map(|sum| sum / count as f64).collect())
}

/// Groups by their first point; those without any left out.
fn in_order(centres: Vec<Vec<f64>>, of_points: &[usize]) -> Clustered {
    let mut order: Vec<usize> = Vec::new();
    for group in of_points {
        if !order.contains(group) {
            order.push(*group);
        }
    }
    let place = |group: &usize| order.iter().position(|of| of == group).unwrap_or_default();
    Clustered {
        of_points: of_points.iter().map(place).collect(),
        centres: order.iter().filter_map(|group| centres.get(*group)).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]

    use proptest::prelude::*;

    use super::*;

    /// The same, every distance computed anew whenever it is asked for.
    fn naive(points: &[Vec<f64>], most: usize, seed: u64) -> Vec<usize> {
        let square = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let least = |chosen: &[Vec<f64>], point: &[f64]| {
            chosen
                .iter()
                .map(|centre| square(centre, point))
                .fold(f64::INFINITY, f64::min)
        };
        let mut centres = vec![points[below(mix(seed, 0), points.len() as u64) as usize].clone()];
        while centres.len() < most {
            let far: Vec<f64> = points.iter().map(|point| least(&centres, point)).collect();
            let all: f64 = far.iter().sum();
            if all == 0.0 {
                break;
            }
            let drawn = unit(mix(seed, centres.len() as u64)) * all;
            let up_to = |place: usize| far[..=place].iter().sum::<f64>();
            let next = (0..points.len()).find(|place| up_to(*place) > drawn && far[*place] > 0.0);
            let last = (0..points.len()).rev().find(|place| far[*place] > 0.0).unwrap();
            centres.push(points[next.unwrap_or(last)].clone());
        }
        let groups = |centres: &[Vec<f64>]| -> Vec<usize> {
            let group = |point: &Vec<f64>| {
                (0..centres.len())
                    .rev()
                    .min_by(|one, other| {
                        let order = square(&centres[*one], point).total_cmp(&square(&centres[*other], point));
                        order.then(one.cmp(other))
                    })
                    .unwrap()
            };
            points.iter().map(group).collect()
        };
        for _ in 0..ROUNDS {
            let before = groups(&centres);
            for (group, centre) in centres.iter_mut().enumerate() {
                let own: Vec<&Vec<f64>> = (0..points.len())
                    .filter(|at| before[*at] == group)
                    .map(|at| &points[at])
                    .collect();
                if !own.is_empty() {
                    let mean = |at: usize| own.iter().map(|point| point[at]).sum::<f64>() / own.len() as f64;
                    *centre = (0..centre.len()).map(mean).collect();
                }
            }
            if groups(&centres) == before {
                break;
            }
        }
        groups(&centres)
    }

    proptest! {
        #[test]
        fn groups_are_those_of_the_naive_way(
            points in prop::collection::vec(prop::collection::vec((-8_i32..8).prop_map(f64::from), 2), 1..40),
            most in 1_usize..6,
            seed in 0_u64..1000,
        ) {
            let found = cluster(&points, most, seed);
            let wanted = naive(&points, most, seed);
            for one in 0..points.len() {
                for other in 0..one {
                    prop_assert_eq!(found.of_points[one] == found.of_points[other], wanted[one] == wanted[other]);
                }
            }
            for (point, group) in points.iter().zip(&found.of_points) {
                let near = &found.centres[nearest(&found.centres, point)];
                prop_assert!(distance(near, point) >= distance(&found.centres[*group], point) - 1e-9);
            }
        }
    }

    #[test]
    fn far_apart_heaps_are_found_and_numbered_by_their_first_point() {
        let points: Vec<Vec<f64>> = [9.0, 0.0, 9.1, 0.1, 5.0, 0.2]
            .iter()
            .map(|number| vec![*number])
            .collect();
        let found = cluster(&points, 3, 7);
        assert_eq!(found.of_points, [0, 1, 0, 1, 2, 1]);
        assert_eq!(found.centres[2], [5.0]);
        let same = cluster(&[vec![1.0], vec![1.0]], 2, 7);
        assert_eq!((same.centres.len(), same.of_points), (1, vec![0, 0]));
        assert!(cluster(&[], 2, 7).centres.is_empty());
    }
}
