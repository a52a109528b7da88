"""Which arrival days the files in landing/ will fill; a run must name its partitions before it starts."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import accumulate

from churn_platform.errors import InputError
from churn_platform.lake.ingest import ingest, look
from churn_platform.lake.landing import LandingFile, accept, waiting
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import read_mapping
from churn_platform.lake.source_file import fingerprint_of
from churn_platform.settings import Home

# A file in landing/ counts as complete once nobody has written or renamed it for so long.
SETTLE_SECONDS = 5.0
# What one run takes of the deliveries that wait, so that a backlog is neither one endless run nor one run a file.
BATCH_FILES = 50
BATCH_BYTES = 1024**3
# Tag of a run that takes one file in landing/ and no other: its path below landing/.
ONLY_FILE = "churn/only_file"
NO_FILE = ""


def complete(home: Home, only: str | None = None) -> list[LandingFile]:
    """All files that have settled and those that a launcher has looked at as they are.

    Args:
        only: the value of the run's tag ONLY_FILE: that file alone, or none for NO_FILE.
    """
    if only is not None:
        return [file for file in waiting(home) if str(file.path.relative_to(home.landing)) == only]
    expected, settled = Ledger(home).expectations(), {file.path for file in waiting(home, SETTLE_SECONDS)}
    return [file for file in waiting(home) if file.path in settled or fingerprint_of(file.path) in expected]


def batch(files: Sequence[LandingFile]) -> list[LandingFile]:
    """The files that one run takes, in the order given: history whole, of the deliveries the first that fit.

    A history load is one run over a range, however many its files are. Of the deliveries at most BATCH_FILES, and no
    more than BATCH_BYTES unless the first alone is larger.
    """
    history = [file for file in files if file.mode == "history"]
    deliveries = [file for file in files if file.mode == "live"][:BATCH_FILES]
    sizes = list(accumulate(file.path.stat().st_size for file in deliveries))
    fitting = sum(size <= BATCH_BYTES for size in sizes)
    return history + deliveries[: max(fitting, 1)]


def without_headers(
    home: Home,
    files: Sequence[LandingFile],
    now: datetime,
    refuse: Callable[[LandingFile, InputError], object],
) -> list[LandingFile]:
    """The files that hold events. Those that hold headers are taken into the lake first, whatever their names.

    A header file that lies in landing/ moves to landing/accepted/; a user's own stays where it is.

    Args:
        refuse: what to do with a header file that cannot be kept.

    Raises:
        InputError: mapping.toml is wrong.
    """
    mapping, timezone = read_mapping(home.mapping_file), home.definition().timezone
    for file in files:
        if not mapping.holds_headers(file.path.name):
            continue
        try:
            ingest(file.path, file.mode, mapping, home, timezone, now)
        except InputError as error:
            refuse(file, error)
        else:
            if file.path.resolve().is_relative_to(home.landing):
                accept(file)
    return [file for file in files if not mapping.holds_headers(file.path.name)]


def expect(home: Home, files: Sequence[LandingFile], now: datetime) -> tuple[date, date]:
    """Look at each file once, note in the ledger when it arrived and which days it holds, and return the range of all.

    Raises:
        InputError: a file cannot be read as the mapping declares; its arrival is noted, no days are.
    """
    ledger, mapping, timezone = Ledger(home), read_mapping(home.mapping_file), home.definition().timezone
    days: list[date] = []
    for file in files:
        fingerprint = fingerprint_of(file.path)
        known = ledger.expected(fingerprint)
        if known is None:
            arrival = ledger.arrival(fingerprint, file.path.name, file.mode, now)
            found = look(file.path, file.mode, mapping, home, timezone, arrival.arrived_at)
            known = (found.first, found.last)
            ledger.expect(fingerprint, *known)
        days += known
    return min(days), max(days)
