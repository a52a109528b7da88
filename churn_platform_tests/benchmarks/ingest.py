"""`make bench-ingest`: landing a file in the lake, beside a bare DuckDB copy of the same file in the same run.

Both run in processes of their own, are timed after their imports (pandas among them, which DuckDB loads at its first
parameter), and take turns. Making the files is not timed.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from churn_platform.settings import REPOSITORY
from churn_platform_tests.benchmarks.files import source_file

FOLDER = REPOSITORY / "build" / "bench-ingest"
SIZES = (1, 10, 50)
FORMATS = ("parquet", "csv")
REPEATS = {1: 5, 10: 3, 50: 1}

PLATFORM = """
import sys, time
from datetime import UTC, datetime
import pandas
from churn_platform_tests.benchmarks.processes import peak_gib
from churn_platform.lake.ingest import ingest
from churn_platform.lake.mapping import read_mapping
from churn_platform.settings import REPOSITORY, Home
mapping = read_mapping(REPOSITORY / "churn_platform" / "datasets" / "simulated_shop.toml")
home = Home(Path(sys.argv[2])).create()
began = time.perf_counter()
report = ingest(Path(sys.argv[1]), "history", mapping, home, "UTC", datetime.now(UTC))
print(time.perf_counter() - began, peak_gib(), report.rows)
"""
BARE = """
import sys, time
import duckdb, pandas
from churn_platform_tests.benchmarks.processes import peak_gib
source, target = sys.argv[1:]
reader = "read_parquet" if source.endswith(".parquet") else "read_csv"
connection = duckdb.connect(config={"partitioned_write_max_open_files": "600"})
connection.execute("SET enable_progress_bar = false")
began = time.perf_counter()
rows = connection.execute(
    f"COPY (SELECT *, CAST(occurred_at AS DATE) AS known_date FROM {reader}('{source}'))"
    f" TO '{target}' (FORMAT parquet, PARTITION_BY (known_date))"
).fetchall()[0][0]
print(time.perf_counter() - began, peak_gib(), rows)
"""


@dataclass(frozen=True)
class Figures:
    """Seconds, peak resident memory in GiB and rows written, of one process."""

    seconds: float
    peak_gib: float
    rows: int


@dataclass(frozen=True)
class Comparison:
    """One file, landed and copied in turn: medians over the turns, peaks over all; `ratio` is of the seconds, pair by
    pair."""

    million_events: int
    file_format: str
    rows_per_second: float
    seconds: float
    peak_gib: float
    bare_seconds: float
    bare_peak_gib: float
    ratio: float


def measured(program: str, source: Path, target: Path) -> Figures:
    """Run one side in a process of its own; what it wrote is removed again."""
    shutil.rmtree(target, ignore_errors=True)
    ended = subprocess.run(
        [sys.executable, "-c", program, str(source), str(target)],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    shutil.rmtree(target, ignore_errors=True)
    seconds, peak, rows = ended.stdout.split()[-3:]
    return Figures(float(seconds), float(peak), int(rows))


def compare(million_events: int, file_format: str, folder: Path, turns: int) -> Comparison:
    """Land and copy one file in turn."""
    source, target = source_file(million_events, file_format, folder), folder / "written"
    pairs = [(measured(PLATFORM, source, target), measured(BARE, source, target)) for _ in range(turns)]
    ours, bare = zip(*pairs, strict=True)
    seconds = median(found.seconds for found in ours)
    return Comparison(
        million_events=million_events,
        file_format=file_format,
        rows_per_second=ours[0].rows / seconds,
        seconds=seconds,
        peak_gib=max(found.peak_gib for found in ours),
        bare_seconds=median(found.seconds for found in bare),
        bare_peak_gib=max(found.peak_gib for found in bare),
        ratio=median(own.seconds / other.seconds for own, other in pairs),
    )


def comparisons(sizes: list[int], folder: Path) -> Iterator[Comparison]:
    for size in sizes:
        for file_format in FORMATS:
            yield compare(size, file_format, folder, REPEATS.get(size, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[*SIZES], help="millions of events")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files and bench-ingest.json go")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    table = Table(title="Ingest beside a bare DuckDB COPY … PARTITION_BY of the same file")
    for heading in ("events", "format", "rows/s", "seconds", "peak GiB", "bare seconds", "bare peak GiB", "ratio"):
        table.add_column(heading, justify="right")
    found = []
    for one in comparisons(given.sizes, given.folder):
        found.append(asdict(one))
        table.add_row(
            f"{one.million_events} M",
            one.file_format,
            f"{one.rows_per_second:,.0f}",
            f"{one.seconds:.1f}",
            f"{one.peak_gib:.1f}",
            f"{one.bare_seconds:.1f}",
            f"{one.bare_peak_gib:.1f}",
            f"{one.ratio:.2f}",
        )
    Console(width=110).print(table)
    (given.folder / "bench-ingest.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
