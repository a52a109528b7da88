"""The two reports on a model: how it was made and tested (presentation), and whether it is accepted (acceptance)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, partial
from pathlib import Path
from statistics import fmean

import polars as pl
from pydantic import TypeAdapter

from churn_platform.core.acceptance import Verdict
from churn_platform.core.churn_model import TrainingReport
from churn_platform.core.evaluation import ALL, CHAMPION, ELIGIBLE
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.held_out import FITTED_METRICS
from churn_platform.core.ranked_users import best_by
from churn_platform.core.reason_words import Language
from churn_platform.core.tuning import SPACE, Tuning
from churn_platform.reports.page import render_page, write_file
from churn_platform.reports.words import in_words, words

PRESENTATION, ACCEPTANCE, RECORD = "presentation.html", "acceptance.html", "acceptance.json"
_MOST_IN_ACCEPTANCE = 10
SHOWN_METRICS = (
    "auc", "pr_auc", "ks", "top_decile_lift", "bottom_decile_lift", "recall_at_capacity", "precision_at_capacity",
    "emp", "log_loss", "brier", "ece", "calibration_slope", "calibration_intercept",
)  # fmt: skip
# From what the model knows best to what it knows least.
SIDE_BY_SIDE = ("in_sample_auc", "out_of_sample_auc", "auc", "auc_surplus")
SIDES = {"in_sample": "in_sample_", "out_of_sample": "out_of_sample_", "out_of_time": ""}  # → prefix of a metric
ON_EVERYONE = (
    "users",
    "churn_rate",
    "coverage",
    "auc",
    "pr_auc",
    "ks",
    "log_loss",
    "brier",
    "ece",
    "calibration_slope",
)
IN_SEGMENTS = ("users", "churn_rate", "mean_probability", "auc", "ece")
STABILITY = ("auc", "in_sample_auc", "out_of_sample_auc", "auc_surplus", "ece", "psi", "coverage")


# Value, and the interval where there is one.
_Figure = tuple[float, float | None, float | None]


@dataclass(frozen=True)
class FeaturePart:
    """A feature and its mean absolute part of the score, in log-odds.

    The last three are not in the records of earlier versions; such a one is told in English.
    """

    feature: str
    family: str
    table: str
    meaning: str
    importance: float
    family_zh: str = ""
    meaning_zh: str = ""
    actionable: bool | None = None

    def family_in(self, language: Language) -> str:
        return (self.family_zh if language == "zh" else "") or self.family

    def meaning_in(self, language: Language) -> str:
        return (self.meaning_zh if language == "zh" else "") or self.meaning


@dataclass(frozen=True)
class Windows:
    """The product definition in days."""

    activity: Sequence[str]
    lookback: int
    lead: int
    horizon: int


@dataclass(frozen=True)
class AcceptanceRecord:
    """What the acceptance of a model was judged on; kept, so that a signature never changes what was signed.

    Attributes:
        folds: dates, newest first.
        stability: metric → its figure at each fold.
        features: the strongest, as in the presentation.
        better_out_of_time: folds at which the model did better than on its own training rows.
        best_baseline: by its mean AUC; empty where none was compared, and in records of earlier versions.
        not_clearly_better: folds at which the interval of the model's gain in AUC over that one reaches down to 0.
        seasonal, absent, feature_count: as in ModelReport.
        judged_at: UTC.
    """

    version: str
    source: str
    definition_version: str
    first_snapshot: date
    last_snapshot: date
    rows: int
    folds: list[date]
    stability: dict[str, list[str]]
    verdicts: list[Verdict]
    features: list[FeaturePart]
    better_out_of_time: list[date]
    seasonal: bool
    absent: int
    feature_count: int
    judged_at: datetime
    best_baseline: str = ""
    not_clearly_better: Sequence[date] = ()

    @property
    def met(self) -> bool:
        return all(verdict.met for verdict in self.verdicts)


@dataclass(frozen=True)
class ModelReport:
    """All that the reports tell of one model.

    Attributes:
        available_rows: training rows before customers were left out for training.maximum_rows.
        parameters: of the trees.
        tuning: how `churn tune` found them; None for the defaults.
        evaluation, segments: the rows of model_evaluation and model_evaluation_by_segment of this version.
        folds: date of the fold → its eligible customers with churned and probability (the model's), newest first.
        features: the strongest first.
        effects: feature → frame with columns value and effect.
        seasonal: whether the newest scores were moved by the season.
        absent, feature_count: features without any value in this source, of all.
        made_at: UTC.
    """

    version: str
    source: str
    definition_version: str
    windows: Windows
    training: TrainingReport
    available_rows: int
    parameters: BoostingParameters
    tuning: Tuning | None
    evaluation: pl.DataFrame
    segments: pl.DataFrame
    folds: Mapping[str, pl.DataFrame]
    features: Sequence[FeaturePart]
    effects: Mapping[str, pl.DataFrame]
    seasonal: bool
    absent: int
    feature_count: int
    verdicts: list[Verdict]
    made_at: datetime

    @cached_property
    def dates(self) -> list[date]:
        """The folds, newest first."""
        return sorted(self.evaluation["fold"].unique().to_list(), reverse=True)

    @property
    def tunable(self) -> dict[str, float]:
        """Those of the parameters that a search may change."""
        return {name: getattr(self.parameters, name) for name in SPACE}

    @cached_property
    def models(self) -> list[str]:
        """The champion's own name first, then the baselines in the order of the evaluation."""
        found = self.evaluation["model"].unique(maintain_order=True).to_list()
        return sorted(found, key=lambda name: name != CHAMPION)

    @cached_property
    def _cells(self) -> dict[tuple[date, str, str, str], _Figure]:
        rows = self.evaluation.select("fold", "population", "model", "metric", "value", "lower", "upper").iter_rows()
        return {tuple(key): figure for *key, value, lower, upper in rows for figure in [(value, lower, upper)]}

    @cached_property
    def _segment_cells(self) -> dict[tuple[date, str, str], _Figure]:
        rows = self.segments.select("fold", "segment", "metric", "value", "lower", "upper").iter_rows()
        return {tuple(key): figure for *key, value, lower, upper in rows for figure in [(value, lower, upper)]}

    @cached_property
    def segment_names(self) -> list[str]:
        """In the order in which a customer may pass through them."""
        found = set(self.segments["segment"].to_list())
        return [name for name in ("prospect", "new", "one_time", "active", "slowing", "lost") if name in found]

    def cell(self, fold: date, model: str, metric: str, population: str = ELIGIBLE) -> str:
        """A figure with its interval where it has one; empty where it was not measured."""
        return _shown(metric, self._cells.get((fold, population, model, metric)))

    def best_baseline(self, metric: str) -> str | None:
        """The baseline with the best mean over the folds; None where no gain over it was measured."""

        def compared(model: str) -> bool:
            return all((fold, ELIGIBLE, model, f"{metric}_gain") in self._cells for fold in self.dates)

        means = {
            model: fmean(self._cells[fold, ELIGIBLE, model, metric][0] for fold in self.dates)
            for model in self.models
            if model != CHAMPION and compared(model)
        }
        return best_by(metric, means) if means else None

    def cell_of_all(self, fold: date, metric: str) -> str:
        """A figure of the model on all customers of the fold, eligible or not."""
        return self.cell(fold, CHAMPION, metric, ALL)

    def cell_of_segment(self, fold: date, segment: str, metric: str) -> str:
        """A figure of the model on the customers of a segment."""
        return _shown(metric, self._segment_cells.get((fold, segment, metric)))

    def number(self, fold: date, metric: str) -> float:
        """A figure of the model itself; 0 where it was not measured."""
        return self._cells.get((fold, ELIGIBLE, CHAMPION, metric), (0.0, None, None))[0]

    def mean(self, metric: str) -> str:
        """The mean over the folds of a figure of the model itself; empty where a fold lacks it, since means of other
        folds are not to be compared."""
        found = [self._cells.get((fold, ELIGIBLE, CHAMPION, metric)) for fold in self.dates]
        measured = [figure[0] for figure in found if figure]
        return _shown(metric, (fmean(measured), None, None)) if len(measured) == len(found) else ""

    def not_clearly_better(self, baseline: str) -> list[date]:
        """The folds at which the interval of the model's gain in AUC over a baseline does not lie above 0."""
        gains = {fold: self._cells.get((fold, ELIGIBLE, baseline, "auc_gain")) for fold in self.dates}
        return [fold for fold, gain in gains.items() if gain and (gain[1] is None or gain[1] <= 0)]

    def record(self) -> AcceptanceRecord:
        """What the acceptance tells of it."""
        best = self.best_baseline("auc") or ""
        return AcceptanceRecord(
            version=self.version,
            source=self.source,
            definition_version=self.definition_version,
            first_snapshot=self.training.first_snapshot,
            last_snapshot=self.training.last_snapshot,
            rows=self.training.rows,
            folds=self.dates,
            stability={metric: [self.cell(fold, CHAMPION, metric) for fold in self.dates] for metric in STABILITY},
            verdicts=self.verdicts,
            features=list(self.features[:_MOST_IN_ACCEPTANCE]),
            better_out_of_time=[
                fold for fold in self.dates if self.number(fold, "auc") > self.number(fold, "in_sample_auc")
            ],
            seasonal=self.seasonal,
            absent=self.absent,
            feature_count=self.feature_count,
            judged_at=self.made_at,
            best_baseline=best,
            not_clearly_better=self.not_clearly_better(best),
        )


def write_presentation(report: ModelReport, folder: Path, language: Language) -> Path:
    """Write the presentation, whole or not at all; return its path."""
    from churn_platform.reports.charts import effect_chart, evaluation_charts  # noqa: PLC0415 - altair takes a second

    told = words(language)
    folder.mkdir(parents=True, exist_ok=True)
    page = render_page(
        f"model_{PRESENTATION}",
        report=report,
        language=language,
        t=told,
        losses={_mixture(name, told): loss for name, loss in report.training.losses.items()},
        champion=CHAMPION,
        metrics=SHOWN_METRICS,
        side_by_side=SIDE_BY_SIDE,
        sides=SIDES,
        on_every_side=("auc", *FITTED_METRICS),
        on_everyone=ON_EVERYONE,
        in_segments=IN_SEGMENTS,
        charts=evaluation_charts(report.folds, told),
        effects={name: effect_chart(effect, name, told) for name, effect in report.effects.items()},
        limits=_limits(report.record(), told),
        strongest=max((part.importance for part in report.features), default=1.0) or 1.0,
    )
    return write_file(folder / PRESENTATION, page.encode())


def write_acceptance(
    record: AcceptanceRecord, history: Sequence[Mapping[str, object]], folder: Path, language: Language
) -> Path:
    """Keep the record and write the acceptance, each whole or not at all; return the page's path.

    Args:
        history: events of the registry about this version, oldest first: event, actor, occurred_at, reason.
    """
    told = words(language)
    folder.mkdir(parents=True, exist_ok=True)
    level, status = _status(record, [str(event["event"]) for event in history])
    signed = status == "status_signed"
    write_file(folder / RECORD, TypeAdapter(AcceptanceRecord).dump_json(record, indent=1))
    page = render_page(
        f"model_{ACCEPTANCE}",
        record=record,
        history=history,
        language=language,
        t=told,
        said=partial(in_words, told=told),
        level=level,
        status=told[status],
        signed=signed,
        sign_off=_sign_off(history if signed else [], told),
        limits=_limits(record, told),
    )
    return write_file(folder / ACCEPTANCE, page.encode())


def read_record(folder: Path) -> AcceptanceRecord | None:
    """The record that `write_acceptance` kept; None where there is none."""
    file = folder / RECORD
    return TypeAdapter(AcceptanceRecord).validate_json(file.read_bytes()) if file.exists() else None


def _mixture(name: str, told: Mapping[str, str]) -> str:
    """What a part of TrainingReport.losses is called, such as 'boosted+logistic'."""
    return " + ".join(told["logistic_part" if part == "logistic" else part] for part in name.split("+"))


def _shown(metric: str, figure: _Figure | None) -> str:
    if figure is None:
        return ""
    value, lower, upper = figure
    if metric == "users":
        return f"{value:,.0f}"
    return f"{value:.3f}" if lower is None else f"{value:.3f} [{lower:.3f}, {upper:.3f}]"


def _status(record: AcceptanceRecord, events: Sequence[str]) -> tuple[str, str]:
    decided = [event for event in events if event in ("accepted", "champion", "rolled_back")]
    if decided and decided[-1] == "rolled_back":
        return "warn", "status_rolled_back"
    if decided:
        return "pass", "status_signed"
    return ("warn", "status_waiting") if record.met else ("fail", "status_missed")


def _sign_off(history: Sequence[Mapping[str, object]], told: Mapping[str, str]) -> dict[str, str]:
    """Line of the sign-off block → what is written on it: who signed last and when; a hand signs on paper."""
    name = day = ""
    for event in history:
        if event["event"] in ("accepted", "champion"):
            name = told["platform"] if event["actor"] == "platform" else str(event["actor"])
            day = f"{event['occurred_at']:%Y-%m-%d}"
    return {told["name"]: name, told["date"]: day, told["signature"]: ""}


def _limits(record: AcceptanceRecord, told: Mapping[str, str]) -> list[str]:
    """What a reader must know before trusting the figures."""
    found = []
    if len(record.folds) < 3:
        found.append(told["limit_folds"].format(count=len(record.folds)))
    if not record.seasonal:
        found.append(told["limit_season"])
    if record.absent:
        found.append(told["limit_absent"].format(count=record.absent, all=record.feature_count))
    if record.not_clearly_better:
        folds = ", ".join(map(str, record.not_clearly_better))
        found.append(told["limit_baseline"].format(baseline=told[record.best_baseline], folds=folds))
    if record.better_out_of_time:
        found.append(told["limit_unusual"].format(folds=", ".join(map(str, record.better_out_of_time))))
    return [*found, told["limit_cause"]]
