"""What the reports on a model are made from: its files, its evaluation, its features, its history."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from pydantic import TypeAdapter

from churn_platform.core.acceptance import Verdict
from churn_platform.core.binning import bin_of, equal_count_edges
from churn_platform.core.churn_model import ChurnModel
from churn_platform.core.contributions import Contributions
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.tuning import Tuning
from churn_platform.lake.mapping import read_mapping
from churn_platform.orchestration.feature_tables import described_features
from churn_platform.orchestration.reason_catalogue import reason_catalogue
from churn_platform.orchestration.shop import Shop
from churn_platform.reports.model_report import (
    ACCEPTANCE,
    PRESENTATION,
    FeaturePart,
    ModelReport,
    Windows,
    read_record,
    write_acceptance,
    write_presentation,
)
from churn_platform.warehouse.frames import read_frame
from churn_platform.whole_file import written_whole

FOLDS = "folds.parquet"
# Exact contributions are slow (core/gradient_boosting.py), and their means need no more.
_SAMPLED_CUSTOMERS = 1_000
_EFFECTS, _EFFECT_BINS = 6, 12


def report_folder(shop: Shop, version: str) -> Path:
    """Where the reports on a model lie."""
    return shop.home.reports / "models" / version


def keep_predictions(shop: Shop, version: str, predictions: pl.DataFrame) -> None:
    """Keep the out-of-time predictions of a model: fold, user_id, is_eligible, churned, probability."""
    folder = report_folder(shop, version)
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / FOLDS) as draft:
        predictions.write_parquet(draft)


def has_predictions(shop: Shop, version: str) -> bool:
    """Whether `keep_predictions` was called for the model."""
    return (report_folder(shop, version) / FOLDS).exists()


def read_predictions(shop: Shop, version: str) -> pl.DataFrame:
    """What `keep_predictions` kept."""
    return pl.read_parquet(report_folder(shop, version) / FOLDS)


def write_model_reports(shop: Shop, version: str, verdicts: list[Verdict]) -> dict[str, Path]:
    """Write presentation and acceptance of the newest candidate into reports/models/<version>/; name → path.

    Once a model is signed, its presentation and what was signed stay as they are.

    Raises:
        InputError: the model's files are damaged.
        UsageError: there is no such model.
    """
    folder, language = report_folder(shop, version), shop.definition.reports.language
    record = read_record(folder)
    if record is None or not shop.registry.has(version, "accepted"):
        with shop.warehouse() as connection:
            report = _report(shop, connection, version, verdicts)
        write_presentation(report, folder, language)
        record = report.record()
    return {
        PRESENTATION: folder / PRESENTATION,
        ACCEPTANCE: write_acceptance(record, _history(shop, version), folder, language),
    }


def update_acceptance(shop: Shop, version: str | None, verdicts: list[Verdict] | None = None) -> Path | None:
    """Write the acceptance of a model anew after a signature or a rollback; `verdicts` are those signed.

    None for a model without reports, such as one of an earlier version of the platform.
    """
    record = read_record(report_folder(shop, version)) if version else None
    if version is None or record is None:
        return None
    if verdicts is not None:
        record = replace(record, verdicts=verdicts, judged_at=shop.now())
    folder, language = report_folder(shop, version), shop.definition.reports.language
    return write_acceptance(record, _history(shop, version), folder, language)


def _history(shop: Shop, version: str) -> list[dict[str, object]]:
    return [row for row in shop.registry.events().iter_rows(named=True) if row["model_version"] == version]


def _report(shop: Shop, connection: duckdb.DuckDBPyConnection, version: str, verdicts: list[Verdict]) -> ModelReport:
    model, manifest = ChurnModel.load(shop.models.load(version)), shop.models.manifest(version)
    of_version = "WHERE model_version = $version ORDER BY fold DESC"
    evaluation, segments = (
        read_frame(connection, f"FROM {table} {of_version}", {"version": version})
        for table in ("model_evaluation", "model_evaluation_by_segment")
    )
    predictions = read_predictions(shop, version).filter("is_eligible")
    days = sorted(predictions["fold"].unique().to_list(), reverse=True)
    sample = _sample(shop, connection, days[0])
    contributions = model.contributions(sample)
    parts = _parts(contributions)
    quality = connection.execute("SELECT count(*) FILTER (coverage = 0), count(*) FROM feature_quality").fetchall()[0]
    churn = shop.definition.churn
    return ModelReport(
        version=version,
        source=read_mapping(shop.home.mapping_file).source.name,
        definition_version=str(manifest["definition_version"]),
        windows=Windows(churn.activity, churn.lookback_days, churn.lead_days, churn.horizon_days),
        training=model.report,
        # manifests of earlier versions have neither: all rows, and the defaults
        available_rows=manifest["training"].get("available_rows", model.report.rows),
        parameters=BoostingParameters(**manifest.get("parameters", {})),
        tuning=TypeAdapter(Tuning | None).validate_python(manifest.get("tuning")),
        evaluation=evaluation,
        segments=segments,
        folds={day.isoformat(): predictions.filter(fold=day) for day in days},
        features=parts,
        effects=_effects(parts, contributions, sample),
        seasonal=model.season.year_before(shop.plan.newest) is not None,
        absent=int(quality[0]),
        feature_count=int(quality[1]),
        verdicts=verdicts,
        made_at=shop.now(),
    )


def _sample(shop: Shop, connection: duckdb.DuckDBPyConnection, fold: date) -> pl.DataFrame:
    """Customers of the fold, evenly spaced in the order of their ids."""
    users = shop.training_frame(connection).filter(snapshot_date=fold)
    return users.gather_every(max(1, users.height // _SAMPLED_CUSTOMERS))


def _parts(contributions: Contributions) -> list[FeaturePart]:
    importance = np.abs(contributions.values - contributions.values.mean(axis=0)).mean(axis=0)
    order = np.argsort(-importance, kind="stable")
    names = [contributions.features[at] for at in order.tolist()]
    return [described_part(name, float(importance[at])) for name, at in zip(names, order.tolist(), strict=True)]


def described_part(name: str, importance: float) -> FeaturePart:
    """A feature, or other part of the model, as the reports tell it in either language."""
    english, chinese = (reason_catalogue(language).templates[name] for language in ("en", "zh"))
    table, column = described_features().get(name, ("", None))
    return FeaturePart(
        name,
        english.family.code,
        table,
        column.meaning_in("en") if column else english.text,
        importance,
        family_zh=chinese.family.name,
        meaning_zh=column.meaning_in("zh") if column else chinese.text,
        actionable=english.family.actionable,
    )


def _effects(parts: list[FeaturePart], contributions: Contributions, sample: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Of the strongest features: mean part of the score (effect) by the median of a bin of values (value)."""
    effects: dict[str, pl.DataFrame] = {}
    for part in parts:
        if part.feature not in sample.columns or len(effects) == _EFFECTS:
            continue
        values = sample.get_column(part.feature).cast(pl.Float64).fill_null(float("nan")).to_numpy()
        bins = bin_of(values, equal_count_edges(values, _EFFECT_BINS))
        moved = contributions.values[:, contributions.features.index(part.feature)]
        frame = pl.DataFrame({"bin": bins, "value": values, "effect": moved}).filter(pl.col("value").is_not_nan())
        effects[part.feature] = (
            frame.group_by("bin", maintain_order=True)
            .agg(pl.col("value").median(), pl.col("effect").mean())
            .sort("bin")
        ).drop("bin")
    return effects
