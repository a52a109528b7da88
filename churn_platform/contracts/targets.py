"""The targets of churn.toml as rules on the table model_evaluation.

Each target has one query, which gives a single row: `observed`, null where nothing was measured, and `shown`, the same
as text. Its rule's bad rows are that row where it misses the target or is null.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from churn_platform.contracts.quoting import literal
from churn_platform.contracts.rules import Rule, Scope
from churn_platform.core.acceptance import TARGETS, Goals
from churn_platform.core.evaluation import CHAMPION, ELIGIBLE

EVALUATION = "model_evaluation"

# target → (metric, aggregate over the folds)
_AGGREGATES = {
    "minimum_folds": ("auc", "nullif(count(DISTINCT fold), 0)"),
    "minimum_auc": ("auc", "avg(value)"),
    "maximum_auc": ("auc", "max(value)"),
    "not_better_than_in_sample": ("auc_surplus", "max(lower)"),
    "minimum_ks": ("ks", "avg(value)"),
    "minimum_recall_at_capacity": ("recall_at_capacity", "avg(value)"),
    "minimum_coverage": ("coverage", "min(value)"),
    "maximum_ece": ("ece", "avg(value)"),
    "maximum_psi": ("psi", "max(value)"),
}


@dataclass(frozen=True)
class Target:
    """One target of one candidate.

    `rule` is broken where it is missed; `observed_sql` selects `observed` and `shown` from model_evaluation; `required`
    and `unmeasured` are for people.
    """

    rule: Rule
    observed_sql: str
    required: str
    unmeasured: str


def targets_of(goals: Goals, version: str) -> list[Target]:
    """One target per entry of TARGETS, in its order, for the candidate of that version.

    A baseline's `auc_gain` is the candidate's AUC less its own, paired over users.
    """
    return [_against_baselines(goals, version) if name == "beats_baselines" else _own(name, goals, version)
            for name in TARGETS]  # fmt: skip


def _own(name: str, goals: Goals, version: str) -> Target:
    metric, aggregate = _AGGREGATES[name]
    written = "%d" if name == "minimum_folds" else "%.4f"
    measured = f"{_rows(version, metric)} AND model = {literal(CHAMPION)}"
    if name == "not_better_than_in_sample":
        because = goals.better_out_of_time_because
        missed = "false" if because else "observed > 0"
        required = f"≤ 0, or explained: {because or 'as better_out_of_time_because in [targets] of churn.toml'}"
    else:
        least, asked = name.startswith("minimum"), asdict(goals)[name]
        missed = f"observed {'<' if least else '>'} {literal(asked)}"
        required = f"{'≥' if least else '≤'} {asked}"
    return _target(
        name,
        lambda scope: (
            f"SELECT {aggregate} AS observed, printf('{written}', {aggregate}) AS shown FROM {scope.audited} {measured}"
        ),
        f"observed IS NULL OR {missed}",
        required=required,
        unmeasured="not measured yet: run churn run",
    )


def _against_baselines(goals: Goals, version: str) -> Target:
    """Observed is the upper end of the gain over the strongest baseline."""
    gains = f"{_rows(version, 'auc_gain')} GROUP BY model"
    listed = "string_agg(printf('%+.4f over %s', gain, model), '; ' ORDER BY model)"
    return _target(
        "beats_baselines",
        lambda scope: (
            f"SELECT min(upper) AS observed, {listed} AS shown FROM"
            f" (SELECT model, avg(value) AS gain, avg(upper) AS upper FROM {scope.audited} {gains})"
        ),
        "observed IS NULL OR observed < 0" if goals.beats_baselines else "false",
        required="not below any baseline" if goals.beats_baselines else "not asked for",
        unmeasured="no baseline was evaluated",
    )


def _rows(version: str, metric: str) -> str:
    asked = {"model_version": version, "population": ELIGIBLE, "metric": metric}
    return "WHERE " + " AND ".join(f"{column} = {literal(value)}" for column, value in asked.items())


def _target(name: str, observed: Callable[[Scope], str], bad: str, *, required: str, unmeasured: str) -> Target:
    rule = Rule(
        name=name,
        kind="row",
        severity="critical",
        columns=("value",),
        description=TARGETS[name],
        bad_rows_sql=lambda scope: f"SELECT * FROM ({observed(scope)}) AS measured WHERE {bad}",
    )
    return Target(rule, observed(Scope(EVALUATION)), required, unmeasured)
