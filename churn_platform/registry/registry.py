"""The history of the models: which was trained, accepted, made champion, rolled back, by whom and why."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl

from churn_platform.errors import UsageError, suggest
from churn_platform.lake.journal import Journal

Event = Literal["candidate", "accepted", "champion", "rolled_back"]

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "event_id": pl.Int64,
    "model_version": pl.String,
    "event": pl.String,
    "actor": pl.String,
    "occurred_at": pl.Datetime("us"),
    "reason": pl.String,
    "champion_after": pl.String,
}


class ModelRegistry:
    """`models/registry.jsonl`, append-only: one line changes the champion, so a kill leaves the old or the new one."""

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)

    def record(self, version: str, event: Event, *, actor: str, at: datetime, reason: str) -> None:
        """Append one event; `at` carries its offset."""
        self._journal.append(
            {"model_version": version, "event": event, "actor": actor, "occurred_at": at.isoformat(), "reason": reason}
        )

    def events(self) -> pl.DataFrame:
        """Grain event_id (1-based, in order of writing), with the columns of the table model_registry; times in UTC."""
        rows = [
            {**record, "event_id": number, "occurred_at": _in_utc(record["occurred_at"]), "champion_after": champion}
            for number, (record, champion) in enumerate(self._with_champion(), start=1)
        ]
        return pl.DataFrame(rows, schema=SCHEMA)

    def champion(self) -> str | None:
        """The version that scores; None before the first promotion or after the last rollback."""
        history = self._with_champion()
        return history[-1][1] if history else None

    def champion_at(self, moment: datetime) -> str | None:
        """The champion at `moment`, which carries its offset; an event counts from its own microsecond on.

        Where the clock was set back between two events, the order of writing decides, as it does for `champion`.
        """
        champions = [
            champion
            for record, champion in self._with_champion()
            if datetime.fromisoformat(record["occurred_at"]) <= moment
        ]
        return champions[-1] if champions else None

    def candidate(self) -> str | None:
        """The version that was trained last."""
        versions = self._versions("candidate")
        return versions[-1] if versions else None

    def has(self, version: str, event: Event) -> bool:
        return version in self._versions(event)

    def decided(self, version: str) -> bool:
        """Whether `version` was made champion since it last became a candidate, be it rolled back or not."""
        events = [record["event"] for record in self._journal.records() if record["model_version"] == version]
        return "champion" in events[len(events) - events[::-1].index("candidate") :] if "candidate" in events else False

    def promote(self, version: str, *, actor: str, at: datetime, reason: str) -> None:
        """Accept a candidate, unless it already is, and make it champion.

        Raises:
            UsageError: no candidate has that version, or it is champion already.
        """
        candidates = self._versions("candidate")
        if version not in candidates:
            raise UsageError(f"There is no candidate '{version}'.{suggest(version, candidates)}")
        if version == self.champion():
            raise UsageError(f"'{version}' is the champion already.")
        if not self.has(version, "accepted"):
            self.record(version, "accepted", actor=actor, at=at, reason=reason)
        self.record(version, "champion", actor=actor, at=at, reason=reason)

    def roll_back(self, version: str, *, actor: str, at: datetime, reason: str) -> str | None:
        """Take the champion `version` back; the one before it is champion again and is returned.

        Raises:
            UsageError: `version` is not the champion.
        """
        champion = self.champion()
        if version != champion:
            raise UsageError(
                f"'{version}' is not the champion, {champion or 'there is none'}. Only the champion can be rolled back."
            )
        self.record(version, "rolled_back", actor=actor, at=at, reason=reason)
        return self.champion()

    def _with_champion(self) -> list[tuple[dict[str, Any], str | None]]:
        """Every event, oldest first, with the champion after it: the latest one made that was not rolled back."""
        history: list[tuple[dict[str, Any], str | None]] = []
        line: list[str] = []
        for record in self._journal.records():
            if record["event"] == "champion":
                line.append(record["model_version"])
            elif record["event"] == "rolled_back" and line and line[-1] == record["model_version"]:
                line.pop()
            history.append((record, line[-1] if line else None))
        return history

    def _versions(self, event: Event) -> list[str]:
        return [record["model_version"] for record in self._journal.records() if record["event"] == event]


def _in_utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
