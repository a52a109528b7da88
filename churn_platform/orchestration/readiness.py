"""The figures of a home that tell whether its data can carry a model, and the report on them."""

from collections.abc import Mapping

import dagster as dg
import duckdb
import polars as pl

from churn_platform.core.data_readiness import RULES, Examples, Figures, Gap, Limits, RuleVerdict, judge
from churn_platform.core.readiness_figures import gaps
from churn_platform.errors import UsageError
from churn_platform.lake.mapping import read_mapping
from churn_platform.orchestration.shop import Shop
from churn_platform.reports.data_readiness import WORDS, Report, Week, every_week, write_report
from churn_platform.warehouse.connection import table_exists


def figures_of(shop: Shop, connection: duckdb.DuckDBPyConnection) -> Figures:
    """Observe: from event_weeks, the labels at the training snapshots, the ledger and the mapping."""
    weeks = connection.table("event_weeks").pl()
    mapped = set(read_mapping(shop.home.mapping_file).columns)
    landed = list(shop.ledger.landed().values())
    records = sum(file.rows + file.quarantined for file in landed)

    def quarantined(*reasons: str) -> int:
        return sum(file.reasons.get(reason, 0) for file in landed for reason in reasons)

    required = [
        Gap("event_time", "rows", quarantined("missing event_time", "unreadable event_time"), records),
        Gap("event_type", "rows", quarantined("missing event_type"), records),
    ]
    return Figures(
        first_day=shop.history.first_day,
        watermark=shop.history.watermark,
        folds=len(shop.plan.folds),
        churned=_examples(shop, connection, churned=True),
        retained=_examples(shop, connection, churned=False),
        activity_types=tuple(shop.definition.churn.activity),
        event_types=tuple(sorted(weeks["event_type"].unique())),
        last_activity=weeks["last_activity_date"].max(),  # type: ignore[arg-type]  # a DATE column
        records=records,
        landed=sum(file.rows for file in landed),
        staged=int(weeks["events"].sum()),
        without_user=quarantined("missing user_id"),
        too_early=quarantined("event_time too early"),
        in_future=quarantined("event_time in the future"),
        at_midnight=int(weeks["at_midnight"].sum()),
        gaps=(*required, *gaps(weeks, mapped)),
    )


def judge_data(shop: Shop, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The rows of data_readiness."""
    limits = Limits(**shop.definition.readiness.model_dump())
    return pl.DataFrame(judge(figures_of(shop, connection), shop.windows, limits))


def verdicts_of(connection: duckdb.DuckDBPyConnection) -> list[RuleVerdict]:
    """The published verdicts, in the order of RULES.

    Raises:
        UsageError: the table has not been built.
    """
    if not table_exists(connection, "data_readiness"):
        raise UsageError("Nothing has been judged yet. Materialise data_readiness, or run the job full_refresh.")
    rows = connection.table("data_readiness").pl().select("rule", "verdict", "observed", "threshold", "advice")
    found = {row["rule"]: RuleVerdict(**row) for row in rows.iter_rows(named=True)}
    return [found[rule] for rule in RULES]


def report_on(shop: Shop, connection: duckdb.DuckDBPyConnection) -> Mapping[str, dg.MetadataValue]:
    """Write the report on the published verdicts into reports/; return what the UI shows beside the table."""
    weeks = connection.sql(
        "SELECT week_start, sum(events)::BIGINT, sum(activities)::BIGINT FROM event_weeks GROUP BY week_start"
    ).fetchall()
    report = Report(
        source=read_mapping(shop.home.mapping_file).source.name,
        first_day=shop.history.first_day,
        last_day=shop.history.watermark,
        definition_version=shop.definition.version,
        made_at=shop.now(),
        verdicts=verdicts_of(connection),
        weeks=every_week([Week(*week) for week in weeks]),
    )
    page = write_report(report, shop.home.reports)
    return {"report": dg.MetadataValue.path(page), "verdict": dg.MetadataValue.text(WORDS[report.verdict])}


def _examples(shop: Shop, connection: duckdb.DuckDBPyConnection, *, churned: bool) -> Examples:
    counted = connection.execute(
        "SELECT count(*), count(DISTINCT user_id) FROM churn_labels"
        " WHERE churned = $churned AND definition_version = $version AND list_contains($snapshots, snapshot_date)",
        {"churned": churned, "version": shop.definition.version, "snapshots": list(shop.plan.labelled)},
    ).fetchall()
    return Examples(*counted[0])
