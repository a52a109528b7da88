"""The command `churn`. Exit codes: 0 done, 1 a gate said no, 2 bad usage or input."""

import sys
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from churn_platform.definition_report import compare_with, print_comparison
from churn_platform.demo import SIMULATED, demo_home, provide
from churn_platform.doctor import examine
from churn_platform.errors import ChurnError, UsageError
from churn_platform.evaluate import evaluate_home, print_evaluation, write_scores
from churn_platform.late_report import print_late_rows, report_late_rows
from churn_platform.launch import RunOutcome, open_instance, serve_ui
from churn_platform.lifecycle import LifecycleOutcome, adopt, run_lifecycle
from churn_platform.onboarding.initialise import initialise
from churn_platform.onboarding.report import next_command, print_columns, print_trial
from churn_platform.orchestration.gathering import POSTGRES, fetch, own_files, pull_rows
from churn_platform.orchestration.model_reports import update_acceptance
from churn_platform.orchestration.promotion import judge_candidate, require_scorable
from churn_platform.orchestration.shop import Shop
from churn_platform.reports.data_readiness import read_report
from churn_platform.restatement import print_restatement, restate_file
from churn_platform.settings import Home, environment
from churn_platform.summary import print_readiness, print_summary
from churn_platform.tune import print_tuning, tune_home
from churn_platform.warehouse.connection import open_database
from churn_platform.warehouse.lock import WriterLock

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
# Into a file or a pipe, tables get room enough not to wrap.
console = Console(width=None if sys.stdout.isatty() else 110)
complaints = Console(stderr=True)

HomeOption = Annotated[Path | None, typer.Option(help="Folder of the shop; default $CHURN_HOME, else data/demo.")]
ByOption = Annotated[str, typer.Option("--by", help="Who decides.")]
NoteOption = Annotated[str, typer.Option("--note", help="Why; kept in model_registry.")]


def main() -> None:
    """Run a command; an error of the user's is told in words, not as a trace."""
    try:
        app()
    except ChurnError as error:
        complaints.print(f"[bold red]{type(error).__name__}:[/] ", end="")
        complaints.print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(error.exit_code) from error


@app.command()
def init(
    files: Annotated[list[str], typer.Argument(help="Your files of events, a folder, or a pattern.")],
    home: Annotated[
        Path | None, typer.Option(help="Where mapping.toml and churn.toml go; default $CHURN_HOME, else this folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Look at your files and write mapping.toml and churn.toml: which column is what, and what churn means here."""
    folder = home or environment().home
    written = initialise(files, folder or Path.cwd(), environment().current_time(), force=force, tell=console.print)
    print_columns(written.proposal, console)
    print_trial(written.trial, written.windows, console)
    command = next_command(files, written, folder)
    console.print(f"Written: {written.mapping} and {written.definition}\nNext: {command}", markup=False, soft_wrap=True)


@app.command()
def run(
    source: Annotated[
        list[str],
        typer.Option(
            help="A file of events (CSV, JSON Lines, Parquet, Excel), a folder, a pattern such as 'exports/*.csv.gz', "
            "an s3:// or https:// address, or postgres for the table of the mapping; may be repeated."
        ),
    ],
    mapping: Annotated[Path, typer.Option(help="mapping.toml: source columns to canonical events.")],
    definition: Annotated[
        Path | None, typer.Option(help="churn.toml: what churn means; default: the home's own.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Take your own events through the whole lifecycle: lake, warehouse, features, model, scores, campaign list."""
    shop_home = _home(home)
    adopt(shop_home, mapping, definition)
    _report(shop_home, run_lifecycle(shop_home, source))


@app.command()
def pull(
    source: Annotated[
        list[str] | None,
        typer.Option(help="s3:// or https:// address, or postgres; may be repeated. Default postgres."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Fetch what is new from a remote source into landing/, as a live delivery; the sensor takes it from there."""
    shop_home, sources = _home(home), source or [POSTGRES]
    if own := own_files(sources):
        raise UsageError(f"{own[0]} lies on this machine. Copy it into {shop_home.landing}, or use churn run.")
    files = fetch(shop_home, sources, "live")
    if POSTGRES in sources:
        report = pull_rows(shop_home, "live")
        files += report.files
        console.print(report.told, markup=False, highlight=False)
    for file in files:
        console.print(str(file.path), markup=False, highlight=False, soft_wrap=True)
    if not files:
        console.print("Nothing new.")


@app.command()
def demo(
    dataset: Annotated[str, typer.Option(help="simulated-shop or online-retail-ii.")] = SIMULATED,
    home: HomeOption = None,
) -> None:
    """Run the whole lifecycle on a data set that comes with the project."""
    shop_home = Home(home or demo_home(dataset))
    _report(shop_home, _run_dataset(dataset, shop_home))


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option(help="Folder for scores.parquet and bgnbd.parquet.")],
    dataset: Annotated[
        str | None, typer.Option(help="Load this one first: simulated-shop or online-retail-ii.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Print how the model and every baseline do out of time, and write the scores of all folds for rescoring."""
    shop_home = Home(home or demo_home(dataset)) if dataset else _home(home)
    if dataset:
        outcome = _run_dataset(dataset, shop_home)
        if outcome.main.failures:
            _report(shop_home, outcome)
    folds = evaluate_home(shop_home)
    print_evaluation(folds, console)
    for file in write_scores(folds, out):
        console.print(str(file), markup=False, highlight=False, soft_wrap=True)


@app.command()
def tune(
    minutes: Annotated[
        float, typer.Option(min=0.01, help="At most so long; the same command goes on where it stopped.")
    ] = 10.0,
    trials: Annotated[int, typer.Option(min=1, help="So many trials in all, those of earlier calls included.")] = 50,
    home: HomeOption = None,
) -> None:
    """Search for better parameters of the trees, on dates before every test; the next training takes them if better."""
    outcome = tune_home(
        _home(home), trials=trials, minutes=minutes, log=lambda told: console.print(told, soft_wrap=True)
    )
    print_tuning(outcome, console)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="A SELECT over the published tables.")], home: HomeOption = None
) -> None:
    """Ask the published file; it is opened read-only and never locks a refresh out."""
    file = _published(_home(home))
    with open_database(file, read_only=True) as connection:
        try:
            found = connection.execute(sql)
            names = [column[0] for column in found.description or []]
            rows = found.fetchall()
        except duckdb.Error as error:
            tables = ", ".join(str(row[0]) for row in connection.execute("SHOW TABLES").fetchall())
            raise UsageError(f"{error}\nTables: {tables}.") from error
    table = Table(*names)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print(table)


@app.command()
def ui(home: HomeOption = None, port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000) -> None:
    """Serve the Dagster UI with its daemon; Ctrl-C stops both."""
    serve_ui(_home(home), port)


@app.command()
def restate(
    file: Annotated[Path, typer.Argument(help="The corrected file.")],
    replaces: Annotated[str, typer.Option(help="Name or fingerprint of the landed file whose rows it replaces.")],
    by: ByOption,
    note: Annotated[str, typer.Option("--note", help="Why; kept in the ledger of the lake.")],
    home: HomeOption = None,
) -> None:
    """Replace a landed file by a corrected one, as if that had arrived then, and refresh everything after it."""
    outcome = restate_file(_home(home), file, replaces, by=by, note=note, log=complaints.print)
    print_restatement(outcome, console)
    for run in outcome.runs:
        _print_failures(run)
    raise typer.Exit(0 if all(run.succeeded and not run.red_checks for run in outcome.runs) else 1)


@app.command()
def late(home: HomeOption = None) -> None:
    """Say which past scores would have differed because of rows that came late, and by how much; changes nothing."""
    print_late_rows(*report_late_rows(_home(home)), console)


@app.command()
def compare(definition: Annotated[Path, typer.Argument(help="Another churn.toml.")], home: HomeOption = None) -> None:
    """Say what another product definition would change: who is eligible, who counts as churned; changes nothing."""
    print_comparison(compare_with(_home(home), definition), console)


@app.command()
def doctor(home: HomeOption = None) -> None:
    """Look at configuration, runs, files, lake, champion and published file; exit code 1 if something is to do."""
    shop_home = _home(home)
    with open_instance(shop_home) as instance:
        findings = examine(shop_home, instance)
    table = Table("", "looked at", "found", "what to do")
    for finding in findings:
        table.add_row("!" if finding.advice else "✓", finding.what, finding.found, finding.advice)
    console.print(table)
    raise typer.Exit(1 if any(finding.advice for finding in findings) else 0)


@app.command()
def readiness(home: HomeOption = None) -> None:
    """Tell whether the data can carry a model, by the last full refresh; exit code 1 if a rule fails."""
    shop_home = _home(home)
    report = read_report(shop_home.reports)
    print_readiness(report, shop_home, console)
    raise typer.Exit(1 if report.verdict == "fail" else 0)


@app.command()
def promote(model: str, by: ByOption, note: NoteOption, home: HomeOption = None) -> None:
    """Sign a candidate off: from the next refresh on it scores.

    Refused if it misses a target of churn.toml, was trained for another definition, or its files have changed.
    """
    shop = Shop(home_folder=str(_home(home).root))
    with open_instance(shop.home), WriterLock(shop.home.lock_file) as lock:
        lock.acquire(f"churn promote {model}")
        require_scorable(shop, model)
        if model == shop.registry.champion():  # a command that was killed after its signature ends here
            signed = update_acceptance(shop, model)
            console.print(f"{model} is the champion already; nothing was recorded.")
            _print_acceptance(signed)
            return
        verdicts = judge_candidate(shop, model)
        missed = [verdict for verdict in verdicts if not verdict.met]
        if missed:
            told = "; ".join(f"{verdict.name} is {verdict.observed}, required {verdict.required}" for verdict in missed)
            raise UsageError(
                f"{model} misses its targets: {told}. Train a better one, or change [targets] in churn.toml."
            )
        shop.registry.promote(model, actor=by, at=shop.now(), reason=note)
        signed = update_acceptance(shop, model, verdicts)
    console.print(f"{model} is champion. Run the job daily_refresh (or churn run) to score with it.")
    _print_acceptance(signed)


@app.command()
def rollback(model: str, by: ByOption, note: NoteOption, home: HomeOption = None) -> None:
    """Take the champion MODEL back; the one before it scores again from the next refresh on."""
    shop = Shop(home_folder=str(_home(home).root))
    with open_instance(shop.home), WriterLock(shop.home.lock_file) as lock:
        lock.acquire(f"churn rollback {model}")
        restored = shop.registry.roll_back(model, actor=by, at=shop.now(), reason=note)
        update_acceptance(shop, model)
    what = (
        f"{restored} is champion again" if restored else "There is no champion now; the next rung of the ladder scores"
    )
    console.print(f"{what}. Run the job daily_refresh (or churn run) to score with it.")
    if restored:
        _tell_whether_it_can_score(shop, restored)


def _tell_whether_it_can_score(shop: Shop, model: str) -> None:
    try:
        require_scorable(shop, model)
    except ChurnError as error:
        console.print(f"But {model} cannot score: {error}", markup=False, highlight=False, soft_wrap=True)


def _print_acceptance(signed: Path | None) -> None:
    if signed:
        console.print(f"The signed acceptance: {signed}", markup=False, highlight=False, soft_wrap=True)


def _run_dataset(dataset: str, home: Home) -> LifecycleOutcome:
    offered = provide(dataset, home)
    adopt(home, offered.mapping, None if home.definition_file.exists() else offered.definition)
    return run_lifecycle(home, [str(offered.source)])


def _home(home: Path | None) -> Home:
    return Home(home or environment().shop_home())


def _published(home: Home) -> Path:
    if not home.published_file.exists():
        raise UsageError(
            f"{home.root} has no published file yet. Run 'make demo' or 'churn run' first, or name another --home."
        )
    return home.published_file


def _print_failures(run: RunOutcome) -> None:
    for step, told in run.failures.items():
        complaints.print(f"[bold red]{step} failed:[/] ", end="")
        complaints.print(told, markup=False, highlight=False, soft_wrap=True)
    for check in run.red_checks:
        complaints.print(f"[bold yellow]check not met:[/] {check}")


def _report(home: Home, outcome: LifecycleOutcome) -> None:
    for note in outcome.notes:
        console.print(note, markup=False, highlight=False)
    for run in filter(None, (outcome.main, outcome.fallback)):
        _print_failures(run)
    if outcome.scored_by is None:
        complaints.print("Nothing was published; the file of the last good run is unchanged.")
    else:
        print_summary(home, console)
    if outcome.scored_by not in (None, "model"):
        complaints.print(f"[bold yellow]These scores come from the {outcome.scored_by}, not from a model.[/]")
    raise typer.Exit(outcome.exit_code)
