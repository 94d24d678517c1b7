"""Drift between two parts of a dataset, measured by SciPy: compare_parts.py FOLDER BASELINE CANDIDATE REPORT.json

Bins by the deciles of the baseline, categories each on its own, NULLs as a bin: every measure of `platform dataset compare --json` is computed
again from the Parquet files.
"""

import json
import pathlib
import sys

import numpy
import pyarrow.parquet
import scipy.spatial.distance
import scipy.special
import scipy.stats

FOLDER, BASELINE, CANDIDATE, REPORT = sys.argv[1:5]


def read(part):
    return pyarrow.parquet.read_table(pathlib.Path(FOLDER) / part)


def counts(a, b, is_categorical):
    """Values of both sides in bins; numbers and times by the deciles of the first."""
    nulls = (a.null_count, b.null_count)
    a, b = a.drop_null(), b.drop_null()
    if is_categorical:
        a, b = a.to_pylist(), b.to_pylist()
        values = sorted(set(a) | set(b))
        return [(a.count(value), b.count(value)) for value in values] + [nulls], None
    a, b = numpy.sort(a.to_numpy()), numpy.sort(b.to_numpy())
    edges = numpy.unique(numpy.quantile(a, numpy.arange(1, 10) / 10, method="inverted_cdf")) if len(a) else []
    up_to = [[int(numpy.searchsorted(side, edge, side="right")) for edge in edges] + [len(side)] for side in (a, b)]
    bins = list(zip(*[numpy.diff([0, *side]).tolist() for side in up_to]))
    statistic = scipy.stats.ks_2samp(a, b, method="asymp").statistic if len(a) and len(b) else None
    return bins + [nulls], (statistic, len(a), len(b))


def near(name, found, wanted, slack=1e-9):
    assert abs(found - wanted) <= slack * (1 + abs(wanted)), f"{name}: found {found}, SciPy says {wanted}"


def check(column, a, b):
    bins, ks = counts(a, b, "ks" not in column)
    bins = numpy.array([each for each in bins if sum(each) > 0])
    p, q = bins[:, 0] / bins[:, 0].sum(), bins[:, 1] / bins[:, 1].sum()
    floored = numpy.maximum(p, 1e-4), numpy.maximum(q, 1e-4)
    name = column["column"]
    near(f"{name} PSI", column["psi"], float(((floored[1] - floored[0]) * numpy.log(floored[1] / floored[0])).sum()))
    distance = scipy.spatial.distance.jensenshannon(p, q, base=2)
    near(f"{name} JS", column["js"], 0.0 if numpy.isnan(distance) else float(distance), 1e-7)
    if len(bins) > 1:
        test = scipy.stats.chi2_contingency(bins.T, correction=False)
        near(f"{name} chi-square", column["chi_square"]["statistic"], test.statistic)
        near(f"{name} p", column["chi_square"]["p"], test.pvalue)
        assert column["chi_square"]["degrees_of_freedom"] == test.dof
    if ks and ks[0] is not None:
        assert column["ks"]["error"] == 0, f"{name}: small samples are exact"
        near(f"{name} KS", column["ks"]["statistic"], ks[0])
        effective = numpy.sqrt(ks[1] * ks[2] / (ks[1] + ks[2]))
        near(f"{name} KS p", column["ks"]["p"], float(scipy.special.kolmogorov(effective * ks[0])))


def main():
    report = json.loads(pathlib.Path(REPORT).read_text())
    a, b = read(BASELINE), read(CANDIDATE)
    assert report["columns"], "no column was compared"
    for column in report["columns"]:
        check(column, a[column["column"]].combine_chunks(), b[column["column"]].combine_chunks())
    print(f"{len(report['columns'])} columns: every measure is SciPy's")


main()
