"""Is this home in order? What an operator would look at first, in one list."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from dagster import DagsterInstance

from churn_platform.errors import ChurnError
from churn_platform.lake.landing import ERROR_ENDING, waiting
from churn_platform.lake.ledger import Ledger
from churn_platform.lake.mapping import read_mapping
from churn_platform.orchestration.challenger import find_challenger
from churn_platform.orchestration.dead_runs import fail_dead_runs
from churn_platform.orchestration.shop import Shop
from churn_platform.registry.registry import ModelRegistry
from churn_platform.registry.store import ModelStore
from churn_platform.settings import Home, read_definition

# A delivery declares all days before it complete; no shop sells nothing for so long.
SILENT_DAYS = 3


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `advice` is empty where it is in order."""

    what: str
    found: str
    advice: str = ""


def examine(home: Home, instance: DagsterInstance) -> list[Finding]:
    """Look at configuration, runs, files, lake, models and published file; dead runs are marked as failed first."""
    dead = fail_dead_runs(instance, home)
    return [
        _readable("churn.toml", lambda: read_definition(home.definition_file)),
        _readable("mapping.toml", lambda: read_mapping(home.mapping_file)),
        Finding("dead runs", f"{len(dead)} marked as failed", "Run daily_refresh again." if dead else ""),
        _landing(home),
        _lake(home),
        _champion(home),
        _challenger(home),
        _published(home),
    ]


def _readable(what: str, read: Callable[[], object]) -> Finding:
    try:
        read()
    except ChurnError as error:
        return Finding(what, "cannot be read", str(error))
    return Finding(what, "can be read")


def _landing(home: Home) -> Finding:
    errors = sorted(home.rejected.glob(f"*{ERROR_ENDING}"))
    refused = [path.name for path in errors if path.with_name(path.name.removesuffix(ERROR_ENDING)).exists()]
    found = f"{len(waiting(home))} file(s) wait, {len(refused)} were rejected"
    return Finding("landing", found, f"Read {home.rejected}: {', '.join(refused)}." if refused else "")


def _lake(home: Home) -> Finding:
    ledger = Ledger(home)
    missing = [path for path in ledger.fragments() if not path.is_file()]
    landed, watermark = ledger.landed().values(), ledger.watermark()
    found = f"{len(landed)} file(s) landed, complete to {watermark or 'no day yet'}"
    if missing:
        return Finding("lake", found, f"{len(missing)} fragments are missing, the first is {missing[0]}. Restore them.")
    newest = max((file.last_event_day for file in landed), default=None)
    silent = (watermark - newest).days if watermark and newest else 0
    if silent >= SILENT_DAYS:
        told = (
            f"The newest event is of {newest}, {silent} days before. Deliver what is missing: silence reads as churn."
        )
        return Finding("lake", found, told)
    return Finding("lake", found)


def _champion(home: Home) -> Finding:
    champion = ModelRegistry(home.registry_file).champion()
    if champion is None:
        return Finding("champion", "none", "BG/NBD or the recency rule scores. Sign a candidate off: churn promote.")
    try:
        ModelStore(home.models).load(champion)
    except ChurnError as error:
        return Finding("champion", champion, str(error))
    return Finding("champion", f"{champion}, its files are whole")


def _challenger(home: Home) -> Finding:
    try:
        found = find_challenger(Shop(home_folder=str(home.root)))
    except ChurnError:
        return Finding("challenger", "not known until churn.toml can be read")
    if found is None:
        return Finding("challenger", "none")
    if found.model is None:
        return Finding("challenger", found.version, f"It is not scored in the shadow: {found.why}")
    return Finding("challenger", f"{found.version} scores in the shadow, its files are whole")


def _published(home: Home) -> Finding:
    if not home.published_file.exists():
        return Finding("published file", "none yet", "Run 'make demo' or 'churn run'.")
    made = datetime.fromtimestamp(home.published_file.stat().st_mtime, UTC)
    return Finding("published file", f"made {made:%Y-%m-%d %H:%M} UTC")
