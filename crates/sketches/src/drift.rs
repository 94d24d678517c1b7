//! How far two columns are apart: four measures, each from the same few counts, each with its source and its bound.
//!
//! Values are put into bins: numbers by the deciles of the baseline, so that each bin holds a tenth of it; texts and truth values each into
//! their own, at most the hundred that are most frequent in the baseline, the rest together. NULLs are a bin of their own where either side
//! has any. With p and q the shares of a bin on both sides:
//!
//! ```text
//! PSI               Σ (q - p) · ln(q / p), shares below 0.0001 taken as that        0 … ∞      population stability index
//! Jensen-Shannon    √(½ Σ p · log2(p / m) + ½ Σ q · log2(q / m)), m = (p + q) / 2   0 … 1      a distance
//! Kolmogorov-Smirnov  the largest |F(x) - G(x)| over all x, NULLs left out          0 … 1      numbers and times only
//! chi-square        Σ (seen - expected)² / expected over both sides and all bins    0 … ∞      Cramér's V is its size, 0 … 1
//! ```
//!
//! A column has drifted when a measure exceeds its threshold and chance does not explain it: the p-value of chi-square is at most
//! `significance`. The second half matters for few rows only, where the measures are noise. Kolmogorov-Smirnov is exact up to 16,383 values
//! a side and off by at most `error` beyond; the other measures are of bins whose counts may be off by twice the quantiles' error.
//!
//! Source: Siddiqi 2006 (PSI); Lin 1991; Smirnov 1948; Pearson 1900; Cramér 1946.

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::column::{NumberSummary, TextSummary};
use crate::quantiles::Quantiles;

/// A share below this counts as this in PSI, which would be infinite otherwise.
const LEAST_SHARE: f64 = 1e-4;
/// Bins for numbers.
const NUMBER_BINS: u32 = 10;
/// Bins for texts, without the rest.
const TEXT_BINS: usize = 100;

/// From where on a column has drifted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thresholds {
    /// Of PSI.
    pub psi: f64,
    /// Of the Kolmogorov-Smirnov statistic.
    pub ks: f64,
    /// Of the Jensen-Shannon distance.
    pub js: f64,
    /// Of Cramér's V.
    pub cramers_v: f64,
    /// What chance may explain: the largest p-value of chi-square at which a column has drifted.
    pub significance: f64,
}

impl Default for Thresholds {
    /// What is commonly called a shift that matters.
    fn default() -> Self {
        Self {
            psi: 0.2,
            ks: 0.1,
            js: 0.1,
            cramers_v: 0.1,
            significance: 0.01,
        }
    }
}

/// The Kolmogorov-Smirnov statistic of two samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KolmogorovSmirnov {
    /// The largest distance between the distributions.
    pub statistic: f64,
    /// By how much the statistic may be off.
    pub error: f64,
    /// The probability of so large a distance by chance, by the limiting distribution.
    pub p: f64,
}

/// Pearson's test that both sides are drawn from one distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChiSquare {
    /// The statistic.
    pub statistic: f64,
    /// Bins that are not empty, less one.
    pub degrees_of_freedom: u64,
    /// The probability of so large a statistic by chance.
    pub p: f64,
    /// `√(statistic / values)`: its size, whatever the number of values.
    pub cramers_v: f64,
}

/// How many values of each side are in each bin, bin by bin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BinCounts {
    bins: Vec<(u64, u64)>,
}

/// How far two columns are apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measures {
    /// The population stability index.
    pub psi: f64,
    /// The Jensen-Shannon distance, to base 2.
    pub js: f64,
    /// Pearson's chi-square.
    pub chi_square: ChiSquare,
    /// Kolmogorov and Smirnov's statistic, of numbers and times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ks: Option<KolmogorovSmirnov>,
}

/// A measure that exceeds its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exceeded {
    /// PSI.
    Psi,
    /// Kolmogorov-Smirnov.
    Ks,
    /// Jensen-Shannon.
    Js,
    /// Cramér's V.
    CramersV,
}

impl Exceeded {
    /// The measure's name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Psi => "PSI",
            Self::Ks => "KS",
            Self::Js => "JS",
            Self::CramersV => "Cramér's V",
        }
    }
}

impl BinCounts {
    /// Counts that are known, baseline first.
    #[must_use]
    pub fn new(bins: Vec<(u64, u64)>) -> Self {
        Self { bins }
    }

    /// Numbers or times, in bins by the deciles of the first, and both sides' NULLs.
    #[must_use]
    pub fn of_numbers(a: &NumberSummary, b: &NumberSummary, nulls: (u64, u64)) -> Self {
        let edge = |decile| a.quantiles.quantile(f64::from(decile) / f64::from(NUMBER_BINS));
        let mut edges: Vec<u64> = (1..NUMBER_BINS).filter_map(edge).collect();
        edges.dedup();
        let ends = |of: &Quantiles| {
            edges
                .iter()
                .map(|edge| of.rank(*edge))
                .chain([of.count()])
                .collect::<Vec<_>>()
        };
        let mut before = (0, 0);
        let mut bins = Vec::new();
        for up_to in ends(&a.quantiles).into_iter().zip(ends(&b.quantiles)) {
            bins.push((up_to.0 - before.0, up_to.1 - before.1));
            before = up_to;
        }
        bins.push(nulls);
        Self { bins }
    }

    /// Texts, each in its own bin, and both sides' NULLs.
    #[must_use]
    pub fn of_texts(a: &TextSummary, b: &TextSummary, nulls: (u64, u64)) -> Self {
        let top = a.frequent.top(TEXT_BINS);
        let mut bins: Vec<(u64, u64)> = top
            .iter()
            .map(|text| (text.count, b.frequent.count_of(text.key)))
            .collect();
        let named = bins.iter().fold((0, 0), |sum, bin| (sum.0 + bin.0, sum.1 + bin.1));
        bins.push((a.count.saturating_sub(named.0), b.count.saturating_sub(named.1)));
        bins.push(nulls);
        Self { bins }
    }

    fn totals(&self) -> (u64, u64) {
        self.bins.iter().fold((0, 0), |sum, bin| (sum.0 + bin.0, sum.1 + bin.1))
    }

    /// The shares of both sides in the bins that are not empty.
    fn shares(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (a, b) = self.totals();
        let filled = self.bins.iter().filter(|bin| bin.0 + bin.1 > 0);
        filled.map(move |bin| (bin.0 as f64 / a as f64, bin.1 as f64 / b as f64))
    }

    /// The population stability index.
    #[must_use]
    pub fn psi(&self) -> f64 {
        let shares = self.shares().map(|(p, q)| (p.max(LEAST_SHARE), q.max(LEAST_SHARE)));
        shares.map(|(p, q)| (q - p) * (q / p).ln()).sum()
    }

    /// The Jensen-Shannon distance, to base 2.
    #[must_use]
    pub fn jensen_shannon(&self) -> f64 {
        let term = |share: f64, middle: f64| {
            if share > 0.0 {
                share * (share / middle).log2()
            } else {
                0.0
            }
        };
        let terms = self
            .shares()
            .map(|(p, q)| term(p, (p + q) / 2.0) + term(q, (p + q) / 2.0));
        (0.5 * terms.sum::<f64>()).max(0.0).sqrt()
    }

    /// Pearson's chi-square, without a correction for continuity.
    #[must_use]
    pub fn chi_square(&self) -> ChiSquare {
        let (a, b) = self.totals();
        let (a, b) = (a as f64, b as f64);
        let all = a + b;
        let mut filled = 0_u64;
        let mut statistic = 0.0;
        for bin in self.bins.iter().filter(|bin| bin.0 + bin.1 > 0) {
            let both = (bin.0 + bin.1) as f64;
            for (seen, side) in [(bin.0 as f64, a), (bin.1 as f64, b)] {
                let expected = both * side / all;
                statistic += (seen - expected) * (seen - expected) / expected;
            }
            filled += 1;
        }
        let degrees_of_freedom = filled.saturating_sub(1);
        let distribution = ChiSquared::new(degrees_of_freedom as f64);
        ChiSquare {
            statistic,
            degrees_of_freedom,
            p: distribution.map_or(1.0, |distribution| distribution.sf(statistic)),
            cramers_v: (statistic / all).sqrt(),
        }
    }
}

/// The Kolmogorov-Smirnov statistic of two samples; `None` where one has no values.
#[must_use]
pub fn kolmogorov_smirnov(a: &Quantiles, b: &Quantiles) -> Option<KolmogorovSmirnov> {
    let (m, n) = (a.count() as f64, b.count() as f64);
    if m == 0.0 || n == 0.0 {
        return None;
    }
    let apart = |key: u64| (a.rank(key) as f64 / m - b.rank(key) as f64 / n).abs();
    let statistic = a.keys().chain(b.keys()).map(apart).fold(0.0, f64::max);
    Some(KolmogorovSmirnov {
        statistic,
        error: a.error() as f64 / m + b.error() as f64 / n,
        p: kolmogorov((m * n / (m + n)).sqrt() * statistic),
    })
}

/// The survival function of the Kolmogorov distribution; whichever of its two series converges at once.
fn kolmogorov(x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x < 1.0 {
        let scale = (2.0 * std::f64::consts::PI).sqrt() / x;
        let term = |k: i32| (-f64::from(2 * k - 1).powi(2) * std::f64::consts::PI.powi(2) / (8.0 * x * x)).exp();
        return (1.0 - scale * (1..=8).map(term).sum::<f64>()).clamp(0.0, 1.0);
    }
    let term = |k: i32| if k % 2 == 1 { 2.0 } else { -2.0 } * (-2.0 * f64::from(k * k) * x * x).exp();
    (1..=8).map(term).sum::<f64>().clamp(0.0, 1.0)
}

impl Measures {
    /// All measures; `None` where one side has no rows.
    #[must_use]
    pub fn of(bins: &BinCounts, ks: Option<KolmogorovSmirnov>) -> Option<Self> {
        let (a, b) = bins.totals();
        (a > 0 && b > 0).then(|| Self {
            psi: bins.psi(),
            js: bins.jensen_shannon(),
            chi_square: bins.chi_square(),
            ks,
        })
    }

    /// The measures that exceed their thresholds, unless chance explains them.
    #[must_use]
    pub fn exceeded(&self, thresholds: &Thresholds) -> Vec<Exceeded> {
        if self.chi_square.p > thresholds.significance {
            return Vec::new();
        }
        let ks = self.ks.map_or(0.0, |ks| ks.statistic);
        let all = [
            (Exceeded::Psi, self.psi, thresholds.psi),
            (Exceeded::Ks, ks, thresholds.ks),
            (Exceeded::Js, self.js, thresholds.js),
            (Exceeded::CramersV, self.chi_square.cramers_v, thresholds.cramers_v),
        ];
        all.into_iter()
            .filter(|(_, value, limit)| value > limit)
            .map(|(which, ..)| which)
            .collect()
    }
}

#[cfg(test)]
mod tests;
