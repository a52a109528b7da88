"""What a refresh has brought, in the terminal."""

import sys
from pathlib import Path

import duckdb
import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from churn_platform.core.bgnbd_scorer import BGNBD
from churn_platform.core.data_readiness import Level
from churn_platform.core.evaluation import CHAMPION, LOGISTIC, RECENCY_RULE, RHYTHM_RULE, RICH_LOGISTIC
from churn_platform.registry.registry import ModelRegistry
from churn_platform.reports.challenger import PAGE as CHALLENGER_PAGE
from churn_platform.reports.data_readiness import PAGE, RECORD, WORDS, Report, read_report
from churn_platform.settings import Home
from churn_platform.warehouse.connection import open_database

NAMES = {
    CHAMPION: "churn model",
    BGNBD: "BG/NBD",
    LOGISTIC: "logistic regression, plain windows",
    RICH_LOGISTIC: "logistic regression, all features",
    RECENCY_RULE: "recency rule",
    RHYTHM_RULE: "recency ÷ own rhythm",
}

STYLES: dict[Level, str] = {"pass": "green", "warn": "bold yellow", "fail": "bold red"}


def print_summary(home: Home, console: Console) -> None:
    """Print customers, churn rate, out-of-time AUC beside each baseline, list and value, from the published file."""
    with open_database(home.published_file, read_only=True) as connection:
        console.print(_population(connection, home))
        console.print(_evaluation(connection))
        console.print(_campaign(connection, home))
    console.print(_where(home))


def print_readiness(report: Report, home: Home, console: Console) -> None:
    """Print the verdict on the data, rule by rule, with what to do under what was observed."""
    style = STYLES[report.verdict]
    console.print(f"[{style}]{WORDS[report.verdict]}[/]: data from {report.first_day} to {report.last_day}")
    table = Table("rule", "verdict", "observed", "required", show_lines=True)
    for found in report.verdicts:
        level = STYLES[found.verdict]
        observed = Text(found.observed).append(f"\n→ {found.advice}" if found.advice else "", level)
        table.add_row(Text(found.rule), Text(found.verdict, level), observed, Text(found.threshold))
    console.print(table)
    console.print(f"As a page: {_short(home.reports / PAGE)}", markup=False, highlight=False, soft_wrap=True)


def _readiness(home: Home) -> str:
    report = read_report(home.reports)
    noted = ", ".join(found.rule for found in report.verdicts if found.verdict != "pass")
    return f"{WORDS[report.verdict]}{f' ({noted})' if noted else ''}: {_short(home.reports / PAGE)}"


def _population(connection: duckdb.DuckDBPyConnection, home: Home) -> Table:
    snapshot, users, churn, by, version = connection.sql(
        "SELECT max(snapshot_date), count(*), avg(churn_probability), max(scored_by), max(model_version)"
        " FROM churn_scores_latest"
    ).fetchall()[0]
    observed = connection.sql(
        "SELECT fold, value FROM model_evaluation WHERE metric = 'churn_rate' AND population = 'eligible'"
        " ORDER BY fold DESC LIMIT 1"
    ).fetchall()
    table = _facts("Scores")
    table.add_row("snapshot", f"{snapshot} (everything before its midnight)")
    table.add_row("eligible customers", f"{users:,}")
    table.add_row("expected churn rate", f"{churn:.1%} within {home.definition().churn.horizon_days} days")
    for fold, rate in observed:
        table.add_row("observed churn rate", f"{rate:.1%} of those eligible on {fold}")
    table.add_row("scored by", f"{by} {version}")
    registry = ModelRegistry(home.registry_file)
    if (candidate := registry.candidate()) != registry.champion():
        table.add_row("challenger", f"{candidate}, {_in_the_shadow(connection, home)}")
    return table


def _in_the_shadow(connection: duckdb.DuckDBPyConnection, home: Home) -> str:
    found = connection.sql(
        "SELECT rank_correlation, band_change_share FROM challenger_comparison"
        " WHERE snapshot_date = (SELECT max(snapshot_date) FROM churn_scores)"
    ).fetchall()
    if not found:
        return "not scored in the shadow: churn doctor says why"
    correlation, changes = found[0]
    alike = "" if correlation is None else f"rank correlation {correlation:.2f}, "
    return f"in the shadow: {alike}{changes:.0%} in another band; {_short(home.reports / CHALLENGER_PAGE)}"


def _evaluation(connection: duckdb.DuckDBPyConnection) -> Table | str:
    rows = connection.sql(
        "SELECT fold, model, value, lower, upper FROM model_evaluation WHERE metric = 'auc' AND population = 'eligible'"
        " AND model_version = (SELECT arg_max(model_version, event_id) FROM model_registry WHERE event = 'candidate')"
    ).pl()
    if rows.is_empty():
        return "No model has been evaluated: the history is too short for an out-of-time test."
    table = Table(title="Out-of-time AUC [95 % interval]", title_justify="left")
    folds = sorted(rows["fold"].unique().to_list(), reverse=True)
    table.add_column("model", no_wrap=True)
    for fold in folds:
        table.add_column(f"fold {fold}", justify="right", no_wrap=True)
    for model, name in NAMES.items():
        table.add_row(name, *(_interval(rows.filter(model=model, fold=fold)) for fold in folds))
    return table


def _interval(row: pl.DataFrame) -> str:
    if row.is_empty():
        return "–"
    found = row.row(0, named=True)
    return f"{found['value']:.3f} [{found['lower']:.3f}, {found['upper']:.3f}]"


def _campaign(connection: duckdb.DuckDBPyConnection, home: Home) -> Table:
    list_id, treated, held, profit, at_risk = connection.sql(
        "SELECT list_id, count(*) FILTER (WHERE arm = 'treat'), count(*) FILTER (WHERE arm = 'holdout'),"
        " coalesce(sum(expected_profit) FILTER (WHERE arm = 'treat'), 0), coalesce(sum(value_at_risk), 0)"
        " FROM retention_campaign"
        " WHERE snapshot_date = (SELECT max(snapshot_date) FROM retention_campaign) GROUP BY list_id"
    ).fetchall()[0]
    currency = home.definition().currency
    table = _facts("Campaign")
    table.add_row("list", list_id)
    table.add_row("to contact", f"{treated:,}, and {held:,} held out at random")
    table.add_row("expected profit", f"{profit:,.0f} {currency} of the contacts")
    table.add_row("value at risk", f"{at_risk:,.0f} {currency} over all customers scored")
    return table


def _where(home: Home) -> Table:
    table = _facts("Where to look")
    churn = _short(Path(sys.executable).with_name("churn"))
    table.add_row("ask", f'{churn} query "SELECT * FROM churn_scores_latest LIMIT 5" --home {_short(home.root)}')
    table.add_row("published file", _short(home.published_file))
    table.add_row("campaign list", f"{_short(home.campaigns)}/<list>/campaign_list.csv")
    if (home.reports / RECORD).exists():
        table.add_row("data readiness", _readiness(home))
    reports = home.reports / "models" / str(ModelRegistry(home.registry_file).champion())
    if reports.is_dir():
        table.add_row("model reports", f"{_short(reports)}/presentation.html, acceptance.html")
    table.add_row("asset graph", f"make ui CHURN_HOME={_short(home.root)}")
    if home.definition().auto_accept:
        table.add_row(
            "sign-off", "auto_accept = true: a model that meets the targets scores without sign-off (churn.toml)"
        )
    return table


def _facts(title: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
