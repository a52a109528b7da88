"""What a gate found, rule by rule. Plain data: neither the warehouse nor Dagster is needed to read it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from churn_platform.contracts.contract import Contract, Severity
from churn_platform.contracts.rules import derive_rules

Status = Literal["passed", "failed", "not_run"]
KeyValue = str | int | float | bool | None


@dataclass(frozen=True)
class RuleResult:
    """One rule on one write.

    `failing_keys` holds the grain columns of at most 20 failing rows; `query` finds all failing rows, in the quarantine
    file (empty where no row failed); `reason` says why a rule failed or could not run (empty where it passed).
    """

    name: str
    severity: Severity
    status: Status
    observed: str = ""
    failing_rows: int = 0
    failing_keys: list[dict[str, KeyValue]] = field(default_factory=list)
    query: str = ""
    reason: str = ""

    @property
    def stops(self) -> bool:
        """True where this result keeps the table from being published."""
        return self.severity == "critical" and self.status != "passed"


@dataclass(frozen=True)
class GateResult:
    """One write of one table: the number of audited rows, the rules, and the file of the failing rows, if any; and how
    long building and auditing the rows took."""

    table: str
    results: list[RuleResult]
    row_count: int
    quarantine: Path | None = None
    build_seconds: float = 0.0
    audit_seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """True where every critical rule ran and passed: the rows are published."""
        return not any(result.stops for result in self.results)

    @property
    def summary(self) -> str:
        """One sentence for a person: what stopped the table, or that nothing did."""
        stopping = [result for result in self.results if result.stops]
        if not stopping:
            return f"{self.table}: {len(self.results)} rules, nothing stops the {self.row_count} rows."
        found = "; ".join(f"{result.name}: {result.reason}" for result in stopping)
        where = f" Failing rows: {self.quarantine}." if self.quarantine else ""
        return f"{self.table} was not published, its last good version stays. {found}.{where}"


def not_run(contract: Contract, reason: str) -> GateResult:
    """The result of a write that ended before its rules could run, such as a build that raised: every rule not_run."""
    results = [RuleResult(rule.name, rule.severity, "not_run", reason=reason) for rule in derive_rules(contract)]
    return GateResult(contract.table, results, row_count=0)
