"""The two reports on a model: how it was made and tested (presentation), and whether it is accepted (acceptance)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import polars as pl

from churn_platform.core.acceptance import Verdict
from churn_platform.core.churn_model import TrainingReport
from churn_platform.core.evaluation import CHAMPION
from churn_platform.reports.page import render_page
from churn_platform.reports.words import Language, words
from churn_platform.whole_file import written_whole

PRESENTATION, ACCEPTANCE = "presentation.html", "acceptance.html"
SHOWN_METRICS = ("auc", "pr_auc", "ks", "top_decile_lift", "recall_at_capacity", "log_loss", "brier", "ece")
STABILITY = ("auc", "in_sample_auc", "ece", "psi", "coverage")


@dataclass(frozen=True)
class FeaturePart:
    """A feature and its mean absolute part of the score, in log-odds."""

    feature: str
    family: str
    table: str
    meaning: str
    importance: float


@dataclass(frozen=True)
class Windows:
    """The product definition in days."""

    activity: Sequence[str]
    lookback: int
    lead: int
    horizon: int


@dataclass(frozen=True)
class ModelReport:
    """All that the reports tell of one model.

    Attributes:
        evaluation: the rows of model_evaluation of this version.
        folds: date of the fold → its customers with churned and probability (the model's), newest first.
        features: the strongest first.
        effects: feature → frame with columns value and effect.
        seasonal: whether the newest scores were moved by the season.
        absent, feature_count: features without any value in this source, of all.
        history: events of the registry about this version, oldest first: event, actor, occurred_at, reason.
        made_at: UTC.
    """

    version: str
    source: str
    definition_version: str
    windows: Windows
    training: TrainingReport
    evaluation: pl.DataFrame
    folds: Mapping[str, pl.DataFrame]
    features: Sequence[FeaturePart]
    effects: Mapping[str, pl.DataFrame]
    seasonal: bool
    absent: int
    feature_count: int
    verdicts: Sequence[Verdict]
    history: Sequence[Mapping[str, object]]
    is_champion: bool
    made_at: datetime

    @property
    def met(self) -> bool:
        return all(verdict.met for verdict in self.verdicts)

    @property
    def accepted(self) -> bool:
        return any(event["event"] == "accepted" for event in self.history)

    @cached_property
    def dates(self) -> list[date]:
        """The folds, newest first."""
        return sorted(self.evaluation["fold"].unique().to_list(), reverse=True)

    @cached_property
    def models(self) -> list[str]:
        """The champion's own name first, then the baselines in the order of the evaluation."""
        found = self.evaluation["model"].unique(maintain_order=True).to_list()
        return sorted(found, key=lambda name: name != CHAMPION)

    @cached_property
    def _cells(self) -> dict[tuple[date, str, str], tuple[float, float | None, float | None]]:
        rows = self.evaluation.select("fold", "model", "metric", "value", "lower", "upper").iter_rows()
        return {(fold, model, metric): (value, lower, upper) for fold, model, metric, value, lower, upper in rows}

    def cell(self, fold: date, model: str, metric: str) -> str:
        """A figure with its interval where it has one; empty where it was not measured."""
        found = self._cells.get((fold, model, metric))
        if found is None:
            return ""
        value, lower, upper = found
        return f"{value:.3f}" if lower is None else f"{value:.3f} [{lower:.3f}, {upper:.3f}]"

    def number(self, fold: date, metric: str) -> float:
        """A figure of the model itself; 0 where it was not measured."""
        return self._cells.get((fold, CHAMPION, metric), (0.0, None, None))[0]


def write_reports(report: ModelReport, folder: Path, language: Language) -> dict[str, Path]:
    """Write both pages, each whole or not at all; name → path."""
    pages = {PRESENTATION: _presentation(report, language), ACCEPTANCE: _acceptance(report, language)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in pages.items():
        with written_whole(folder / name) as draft:
            draft.write_text(page, encoding="utf-8")
    return {name: folder / name for name in pages}


def _presentation(report: ModelReport, language: Language) -> str:
    from churn_platform.reports.charts import effect_chart, evaluation_charts  # noqa: PLC0415 - altair takes a second

    told = words(language)
    return render_page(
        f"model_{PRESENTATION}",
        report=report,
        t=told,
        champion=CHAMPION,
        metrics=SHOWN_METRICS,
        charts=evaluation_charts(report.folds, told),
        effects={name: effect_chart(effect, name, told) for name, effect in report.effects.items()},
        limits=_limits(report, told),
        strongest=max((part.importance for part in report.features), default=1.0) or 1.0,
    )


def _acceptance(report: ModelReport, language: Language) -> str:
    told = words(language)
    status = "accepted" if report.accepted else "waiting" if report.met else "missed"
    return render_page(
        f"model_{ACCEPTANCE}",
        report=report,
        t=told,
        champion=CHAMPION,
        level={"accepted": "pass", "waiting": "warn", "missed": "fail"}[status],
        status={"accepted": told["status_signed"], "waiting": told["status_waiting"], "missed": told["status_missed"]}[
            status
        ],
        metrics=STABILITY,
        limits=_limits(report, told),
    )


def _limits(report: ModelReport, told: Mapping[str, str]) -> list[str]:
    """What a reader must know before trusting the figures."""
    better = [
        fold.isoformat() for fold in report.dates if report.number(fold, "auc") > report.number(fold, "in_sample_auc")
    ]
    found = []
    if len(report.dates) < 3:
        found.append(told["limit_folds"].format(count=len(report.dates)))
    if not report.seasonal:
        found.append(told["limit_season"])
    if report.absent:
        found.append(told["limit_absent"].format(count=report.absent, all=report.feature_count))
    if better:
        found.append(told["limit_unusual"].format(folds=", ".join(better)))
    return [*found, told["limit_cause"]]
