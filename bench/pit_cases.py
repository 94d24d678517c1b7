"""What is joined in `make bench-pit`: the tables, the cases, and how fast each has to be."""

import dataclasses

THOUSAND, MILLION = 1_000, 1_000_000


@dataclasses.dataclass(frozen=True)
class Tables:
    """A spine and groups, drawn once; several cases may share them."""

    spine: int
    groups: int
    rows: int
    features: int
    entities: int = 100 * THOUSAND
    keys: str = "integers"
    narrow: tuple = ()

    def scaled(self, scale):
        """The same with every count of rows and entities divided."""
        less = {name: max(1, getattr(self, name) // scale) for name in ("spine", "rows", "entities")}
        return dataclasses.replace(self, **less)

    def names(self):
        return ["entity_id", "part_id"] if self.keys == "composite" else ["entity_id"]

    def columns(self, group):
        return [f"g{group}_f{feature}" for feature in range(self.features)]

    def spines(self):
        return ("spine", *self.narrow)


@dataclasses.dataclass(frozen=True)
class Case:
    """Which tables, which of their spines, and how. `must` and `goal` are of `measure`: `ratio`, the fastest peer's time divided by
    ours; `rows`, rows of the spine a second; `growth`, our time divided by that of `full`, which may be at most `must`."""

    what: str
    tables: str
    spine: str = "spine"
    max_age: str = ""
    memory: str = ""
    peers: tuple = ("duckdb", "polars")
    measure: str = "ratio"
    must: float = 0
    goal: float = 0

    def view(self):
        return "pit" if self.spine == "spine" else self.spine


TABLES = {
    "full": Tables(2 * MILLION, 3, 10 * MILLION, 5, narrow=("recent", "few")),
    "skew": Tables(2 * MILLION, 3, 10 * MILLION, 5, keys="zipf"),
    "strings": Tables(2 * MILLION, 3, 10 * MILLION, 5, keys="strings"),
    "composite": Tables(2 * MILLION, 3, 10 * MILLION, 5, keys="composite"),
    "wide": Tables(200 * THOUSAND, 40, 200 * THOUSAND, 25, entities=10 * THOUSAND),
    "feast": Tables(40 * THOUSAND, 1, 100 * THOUSAND, 5, entities=200),
    "big": Tables(10 * MILLION, 3, 10 * MILLION, 5),
    "growth": Tables(8 * MILLION, 3, 40 * MILLION, 5),
}
CASES = {
    "full": Case("two million rows, three groups of ten million", "full", must=1.3, goal=1.7),
    "recent": Case("the last two of ninety days, `max_age` 1h", "full", "recent", max_age="1h", must=4, goal=10),
    "few": Case("the spine has one entity in a hundred", "full", "few", must=3, goal=8),
    "skew": Case("keys by Zipf's law, exponent 1.2", "skew", must=1.3, goal=2),
    "strings": Case("keys are strings of 16 bytes", "strings", must=1.3, goal=2),
    "composite": Case("keys are two columns", "composite", must=1.3, goal=2),
    "wide": Case("forty groups of 25 features", "wide", must=2, goal=4),
    "tight": Case("`full` in 512 MB", "full", memory="512MB", peers=("duckdb",), must=1, goal=2),
    "feast": Case("beside Feast on its DuckDB offline store", "feast", peers=("feast",), must=50, goal=100),
    "big": Case("a spine of ten million rows", "big", peers=(), measure="rows", must=400 * THOUSAND, goal=800 * THOUSAND),
    "growth": Case("`full` with four times the rows", "growth", peers=(), measure="growth", must=4.4),
}
