"""The report on the survival view: who stays active until when, by risk band, and how well that was told before."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import polars as pl

from churn_platform.core.reason_words import Language
from churn_platform.core.survival import DAYS
from churn_platform.core.survival_evaluation import METRICS, MODELS, SURVIVAL_VIEW
from churn_platform.reports.page import render_page, write_file
from churn_platform.reports.words import words

PAGE = "survival.html"
BANDS = ("low", "medium", "high", "critical")


@dataclass(frozen=True)
class SurvivalReport:
    """What the page shows.

    Attributes:
        forecast: the rows of survival_forecast, with risk_band.
        evaluation: the rows of survival_evaluation; None before the first evaluation.
        predictions: fold, horizon_days, churned and probability of each customer tested; None likewise.
        made_at: UTC.
    """

    source: str
    snapshot: date
    forecast: pl.DataFrame
    evaluation: pl.DataFrame | None
    predictions: pl.DataFrame | None
    made_at: datetime

    @cached_property
    def curves(self) -> pl.DataFrame:
        """Grain (risk_band, days): customers, and the mean of active; null where unknown."""
        columns = {f"active_{days}d": days for days in DAYS}
        return (
            self.forecast.unpivot(list(columns), index=["user_id", "risk_band"], value_name="active")
            .with_columns(days=pl.col("variable").replace_strict(columns, return_dtype=pl.Int32))
            .group_by("risk_band", "days")
            .agg(pl.col("active").mean(), customers=pl.len())
            .sort(pl.col("risk_band").cast(pl.Enum(BANDS)), "days")
        )

    @property
    def bands(self) -> list[tuple[str, int, list[float | None]]]:
        """(band, customers, mean P(active) at each of the DAYS), the lowest risk first."""
        grouped = self.curves.partition_by("risk_band", maintain_order=True)
        return [(rows["risk_band"][0], rows["customers"][0], rows["active"].to_list()) for rows in grouped]

    @property
    def reason(self) -> str | None:
        """Why a horizon is unknown or the same for everybody; the same for all customers."""
        return self.forecast["reason"][0] if self.forecast.height else None

    @property
    def tests(self) -> list[tuple[date, int]]:
        """(fold, horizon) that were tested, the newest fold first."""
        if self.evaluation is None:
            return []
        found = self.evaluation.select("fold", "horizon_days").unique()
        return sorted(found.iter_rows(), key=lambda test: (-test[0].toordinal(), test[1]))

    @cached_property
    def _cells(self) -> dict[tuple[object, ...], tuple[float, float | None, float | None]]:
        if self.evaluation is None:
            return {}
        rows = self.evaluation.select("fold", "horizon_days", "model", "metric", "value", "lower", "upper").iter_rows()
        return {key: (value, lower, upper) for *parts, value, lower, upper in rows for key in [tuple(parts)]}

    def number(self, fold: date, horizon: int, metric: str) -> float:
        """A figure of the view itself."""
        return self._cells[fold, horizon, SURVIVAL_VIEW, metric][0]

    def cell(self, fold: date, horizon: int, model: str, metric: str) -> str:
        """A figure with its interval."""
        value, lower, upper = self._cells[fold, horizon, model, metric]
        return f"{value:.3f} [{lower:.3f}, {upper:.3f}]"


def write_report(report: SurvivalReport, folder: Path, language: Language) -> Path:
    """Write the page, whole or not at all; return its path."""
    return write_file(folder / PAGE, render(report, language).encode())


def render(report: SurvivalReport, language: Language) -> str:
    """The page: one file that asks nothing of the network."""
    from churn_platform.reports.charts import survival_charts  # noqa: PLC0415 - altair takes a second

    told = words(language)
    return render_page(
        PAGE,
        report=report,
        t=told,
        days=DAYS,
        models=MODELS,
        metrics=[metric for metric in METRICS if metric != "log_loss"],
        charts=survival_charts(report.curves, report.predictions, told),
    )
