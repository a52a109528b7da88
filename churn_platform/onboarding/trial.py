"""The proposed mapping, tried on the whole files: landed in a throw-away lake, by the code that will land them."""

from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from churn_platform.core.return_times import ReturnRow, return_times
from churn_platform.lake.ingest import FileReport, ingest
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import Mapping
from churn_platform.lake.reader import create_raw_events_view
from churn_platform.onboarding.scratch import scratch_connection, scratch_folder
from churn_platform.settings import Home

SQL: Final = Path(__file__).with_name("sql")
TIMEZONE: Final = "UTC"


@dataclass(frozen=True)
class Trial:
    """What became of all records.

    Attributes:
        rows, quarantined: records that land, and that do not.
        reasons: quarantined records by reason.
        customers: with at least one activity.
        first_day, last_day: of the events (UTC).
        returns: the return-times table of the activity.
        shared_ids: event ids under which records that differ land: only one of each would count.
    """

    rows: int
    quarantined: int
    reasons: MappingType[str, int]
    customers: int
    first_day: date
    last_day: date
    returns: Sequence[ReturnRow]
    shared_ids: int

    @property
    def history_days(self) -> int:
        """Days from the first to the last event, both included."""
        return (self.last_day - self.first_day).days + 1

    @property
    def followed_days(self) -> int:
        """Up to how many days of silence the returns are counted: the last row of the table."""
        return self.returns[-1].days if self.returns else 0

    @property
    def quarantined_share(self) -> float:
        """Share of all records that do not land."""
        return self.quarantined / (self.rows + self.quarantined)


def try_out(
    files: Sequence[Path],
    mapping: Mapping,
    activity: Sequence[str],
    folder: Path,
    now: datetime,
    tell: Callable[[str], None],
) -> Trial:
    """Land the files in a throw-away home and look at what landed.

    Args:
        files: in the order in which they are to land.
        activity: the event types that show that a customer is alive.
        folder: where there is room for a copy of the data; nothing of it stays, nor of an earlier try that was killed.
        tell: called with a line before each file.

    Raises:
        InputError: a file cannot be read at all, or no row of it can land.
    """
    tolerant = mapping.model_copy(update={"source": mapping.source.model_copy(update={"max_rejected_share": 1.0})})
    with scratch_folder(folder) as place:
        home = Home(place).create()
        reports = []
        for file in files:
            tell(f"Trying the mapping on {file.name} …")
            report = ingest(file, "history", tolerant, home, TIMEZONE, now)
            reports += [report] if report.status == "landed" else []
        return _summarised(home, reports, activity)


def _summarised(home: Home, reports: Sequence[FileReport], activity: Sequence[str]) -> Trial:
    reasons: Counter[str] = Counter()
    for report in reports:
        reasons.update(report.reasons)
    with scratch_connection(home.lake / "spill") as connection:
        create_raw_events_view(connection, Ledger(home).fragments())
        bounds = "SELECT CAST(min(event_time) AS DATE), CAST(max(event_time) AS DATE) FROM raw_events"
        first, last = connection.execute(bounds).fetchall()[0]
        connection.execute("SET VARIABLE last_day = ?", [last])
        connection.execute("SET VARIABLE activity = ?", [list(activity)])
        shared = connection.execute((SQL / "shared_ids.sql").read_text("utf-8")).fetchall()[0][0]
        silences = connection.sql((SQL / "silences.sql").read_text("utf-8")).pl()
    ended = silences.filter("ended")["days"].to_numpy()
    still_open = silences.filter(~silences["ended"])["days"].to_numpy()
    return Trial(
        rows=sum(report.rows for report in reports),
        quarantined=sum(report.quarantined for report in reports),
        reasons=dict(reasons.most_common()),
        customers=len(still_open),
        first_day=first,
        last_day=last,
        returns=return_times(ended, still_open),
        shared_ids=shared,
    )
