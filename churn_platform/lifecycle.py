"""A user's files through the whole lifecycle, from the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import NoReturn

from churn_platform.defs.automation import TRAINING_STEPS
from churn_platform.errors import InputError, UsageError
from churn_platform.lake.landing import LandingFile, place, reject, waiting
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import read_mapping
from churn_platform.lake.source_file import fingerprint_of
from churn_platform.launch import RunOutcome, open_instance, run_job
from churn_platform.orchestration.arrivals import SETTLE_SECONDS, batch, expect, without_headers
from churn_platform.orchestration.gathering import POSTGRES, fetch, own_files, pull_rows
from churn_platform.settings import Home, environment, read_definition
from churn_platform.warehouse.connection import open_database
from churn_platform.whole_file import written_whole

DEFAULT_DEFINITION = Path(__file__).parent / "datasets" / "default_churn.toml"


@dataclass(frozen=True)
class LifecycleOutcome:
    """The run of everything; and where its model stage failed, the run that scored without a new model."""

    main: RunOutcome
    fallback: RunOutcome | None
    scored_by: str | None
    notes: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """0: everything passed and the champion scored; 1: a gate, a target or a rung of the ladder said no."""
        passed = self.main.succeeded and not self.main.red_checks and self.scored_by == "model"
        return 0 if passed else 1


def adopt(home: Home, mapping: Path, definition: Path | None) -> None:
    """Take a user's mapping and product definition into the home, once they have been read without an error.

    Raises:
        UsageError: the home holds another source.
        InputError: the mapping is wrong.
    """
    offered = read_mapping(mapping)
    sources = Ledger(home).sources()
    if home.mapping_file.exists():
        sources = [*sources, read_mapping(home.mapping_file).source.name]
    other = sorted({name for name in sources if name != offered.source.name})
    if other:
        raise UsageError(
            f"{home.root} holds the source '{other[0]}', not '{offered.source.name}': one home, one shop. "
            "Choose another folder with --home."
        )
    if definition is not None:
        read_definition(definition)
    home.create()
    _copy(mapping, home.mapping_file)
    if definition is not None:
        _copy(definition, home.definition_file)
    elif not home.definition_file.exists():
        _copy(DEFAULT_DEFINITION, home.definition_file)


def run_lifecycle(home: Home, sources: Sequence[str]) -> LifecycleOutcome:
    """Load what the sources name as history and run everything; files that landed before are not read again.

    Args:
        sources: files, folders, patterns, addresses (s3://, https://), or "postgres" for the mapping's relation.

    Raises:
        InputError: a source is not there, or a file cannot be read as the mapping declares. Nothing of it has landed;
            the user's own file stays where it was, a fetched one is in landing/rejected/.
    """
    now, ledger = environment().current_time(), Ledger(home)
    own = without_headers(home, [LandingFile(file, "history") for file in own_files(sources)], now, _fail)
    if read_mapping(home.mapping_file).join is None:  # else what is fetched may bring their headers
        _expect_each(home, own, now)
    pulled = pull_rows(home, "history") if POSTGRES in sources else None
    fetched = fetch(home, sources, "history") + (pulled.files if pulled else [])
    fetched = without_headers(home, fetched, now, _fail_fetched)
    _expect_each(home, own, now)
    _expect_fetched(home, fetched, now)
    fingerprints = [fingerprint_of(file.path) for file in [*own, *fetched]]
    with open_instance(home):
        files = fetched + place([file.path for file in own if not ledger.is_landed(fingerprint_of(file.path))], home)
        files += _others_waiting(home, files, now)
        first, last = expect(home, files, now) if files else _newest_day(ledger)
    main, fallback = refresh_all(home, first, last)
    _raise_refusals(home, fingerprints)
    published = (fallback or main).succeeded
    notes = [pulled.told] if pulled else []
    if left := len(waiting(home, SETTLE_SECONDS)):
        notes.append(f"{left} more file(s) wait in {home.landing}: the sensor takes them, or the next churn run.")
    return LifecycleOutcome(main, fallback, _scored_by(home) if published else None, notes)


def refresh_all(home: Home, first: date, last: date) -> tuple[RunOutcome, RunOutcome | None]:
    """Run everything; where only its model stage failed, also the refresh that scores without a new model."""
    main = run_job(home, "full_refresh", first, last)
    if not main.failures or not main.failures.keys() <= TRAINING_STEPS:
        return main, None
    last_day = Ledger(home).days()[-1]
    return main, run_job(home, "daily_refresh", last_day, last_day)


def _expect_fetched(home: Home, files: Sequence[LandingFile], now: datetime) -> None:
    for file in files:
        try:
            expect(home, [file], now)
        except InputError as error:
            _fail_fetched(file, error)


def _expect_each(home: Home, files: Sequence[LandingFile], now: datetime) -> None:
    for file in files:
        expect(home, [file], now)


def _fail(_file: LandingFile, error: InputError) -> NoReturn:
    raise error


def _fail_fetched(file: LandingFile, error: InputError) -> NoReturn:
    raise InputError(f"{error}\nThe fetched file is {reject(file, error)}.") from error


def _newest_day(ledger: Ledger) -> tuple[date, date]:
    days = ledger.days()
    if not days:
        raise InputError("The sources hold no rows, and nothing has landed before. Expected at least one event.")
    return days[-1], days[-1]


def _others_waiting(home: Home, placed: Sequence[LandingFile], now: datetime) -> list[LandingFile]:
    """A batch of what somebody else dropped into landing/; a bad file is moved aside and holds nobody up."""
    good = []
    for file in batch(without_headers(home, waiting(home, SETTLE_SECONDS), now, reject)):
        if file in placed:
            continue
        try:
            expect(home, [file], now)
        except InputError as error:
            reject(file, error)
        else:
            good.append(file)
    return good


def _raise_refusals(home: Home, fingerprints: Sequence[str]) -> None:
    """A file whose rows could not land is the user's input gone wrong, whatever the rest of the run did."""
    reasons = Ledger(home).refusals()
    refused = [reasons[fingerprint] for fingerprint in fingerprints if fingerprint in reasons]
    if refused:
        raise InputError("\n".join(refused))


def _scored_by(home: Home) -> str:
    with open_database(home.published_file, read_only=True) as connection:
        return str(connection.sql("SELECT max(scored_by) FROM churn_scores_latest").fetchall()[0][0])


def _copy(source: Path, target: Path) -> None:
    content = source.read_bytes()
    if not target.exists() or target.read_bytes() != content:
        with written_whole(target) as draft:
            draft.write_bytes(content)
