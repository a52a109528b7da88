"""`churn tune`: searches for better parameters of the trees than the defaults, on dates before every test."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.snapshots import require_folds
from churn_platform.core.tuning import SPACE, Tuning, TuningData, searchable_rows
from churn_platform.errors import UsageError
from churn_platform.launch import open_instance
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.tuned import searched_key
from churn_platform.registry.tuning import TuningStore
from churn_platform.settings import Home
from churn_platform.warehouse.connection import table_exists
from churn_platform.warehouse.lock import WriterLock

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

STUDY_NAME = "trees"
SEED = 20_260_101
# A trial beside the two trainings that confirm the best: what must fit into the rest of the time.
_TO_COME = 3

Loss = Callable[[BoostingParameters], float]


@dataclass(frozen=True)
class TuneOutcome:
    """What the command tells: the result, its file, and how many trials this call has added."""

    found: Tuning
    file: Path
    added: int


def tune_home(home: Home, *, trials: int, minutes: float, log: Callable[[str], None]) -> TuneOutcome:
    """Search until there are so many trials in all, or the time of this call is over, and keep the best.

    The home is locked only while its rows are read: a refresh may run meanwhile. A search that was killed, or that has
    ended, goes on where it stopped.

    Raises:
        UsageError: nothing has been built in the home yet.
        NotEnoughData: the history before the earliest fold is too short to validate on.
        HomeBusy: another process writes to the home, or searches on the same rows.
    """
    began = time.monotonic()
    shop = Shop(home_folder=str(home.root))
    if not home.warehouse_file.exists():
        raise UsageError(f"Nothing has been built in {home.root} yet. Run 'make demo' or 'churn run' for it first.")
    with open_instance(home), WriterLock(home.lock_file) as lock:
        lock.acquire("churn tune")
        require_folds(shop.plan, shop.history, shop.windows)
        with shop.warehouse() as connection:
            if not table_exists(connection, "training_set"):
                raise UsageError(f"{home.root} has no training set yet. Run full_refresh, or churn run, first.")
            rows = searchable_rows(shop.training_frame(connection), shop.plan, window_days=shop.protocol.window_days)
    data = TuningData.of(rows, shop.features, window_days=shop.protocol.window_days)
    key, store = searched_key(shop, rows), TuningStore(home.models)
    with WriterLock(store.lock_file(key)) as lock:
        lock.acquire("churn tune")
        deadline = began + 60 * minutes
        added, tried = search(data.loss, store.study_file(key), trials=trials, deadline=deadline, log=log)
        found = _confirmed(data, tried)
        return TuneOutcome(found, store.save(key, found), added)


def search(
    loss: Loss, study_file: Path, *, trials: int, deadline: float, log: Callable[[str], None]
) -> tuple[int, list[tuple[BoostingParameters, float]]]:
    """Try the defaults first, then what a TPE sampler proposes, until there are `trials` trials or time is up.

    What a trial tries depends on those completed before it alone, so that a study which was killed and taken up again
    equals one that was not.

    Args:
        study_file: an SQLite file of Optuna's; made if it is not there.
        deadline: of `time.monotonic`; no trial begins that would probably end after it, but for the first of a study.

    Returns:
        How many trials were added, and all completed ones with their loss, in their order.
    """
    import optuna  # noqa: PLC0415 - takes half a second that no other command needs

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{study_file}")
    try:
        study = optuna.create_study(storage=storage, study_name=STUDY_NAME, load_if_exists=True)
        _give_up_killed(study)
        added, longest = 0, 0.0
        done = _completed(study)
        while len(done) < trials:
            if done and time.monotonic() + _TO_COME * longest > deadline:
                log(f"Time is up after {len(done)} of {trials} trials; the same command goes on from there.")
                break
            started = time.monotonic()
            parameters, value = _try_next(study, loss, len(done))
            longest = max(longest, time.monotonic() - started)
            done, added = _completed(study), added + 1
            best = min(trial.value for trial in done if trial.value is not None)
            log(f"Trial {len(done)} of {trials}: {value:.5f}, the best so far {best:.5f}. {_in_words(parameters)}")
        return added, [(_parameters(trial.params), float(trial.value or 0.0)) for trial in done]
    finally:
        storage.remove_session()
        storage.engine.dispose()


def print_tuning(outcome: TuneOutcome, console: Console) -> None:
    """The defaults beside the best, what validation says of them, and what comes of it."""
    found, default = outcome.found, BoostingParameters()
    table = Table("parameter of the trees", "default", "best of the search")
    for name in SPACE:
        table.add_row(name, f"{getattr(default, name):.4g}", f"{getattr(found.parameters, name):.4g}")
    table.add_row("loss, searching half", f"{found.default_loss:.5f}", f"{found.loss:.5f}")
    console.print(table)
    console.print(
        f"{found.trials} trials, {outcome.added} of them now, on {found.rows:,} rows; judged at"
        f" {found.first_validation} to {found.last_validation}, before every fold.\n"
        f"The other half of the customers: {found.gain:+.5f} nats better than the defaults,"
        f" standard error {found.standard_error:.5f}.",
        highlight=False,
    )
    console.print(
        "Better beyond the noise: the next training takes them (run full_refresh, or churn run)."
        if found.adopted
        else "Not better beyond the noise: the defaults stay."
    )
    console.print(str(outcome.file), markup=False, highlight=False, soft_wrap=True)


def _confirmed(data: TuningData, tried: list[tuple[BoostingParameters, float]]) -> Tuning:
    parameters, loss = min(tried, key=lambda trial: trial[1])
    gain, error = data.gain(parameters)
    return Tuning(
        parameters=parameters,
        trials=len(tried),
        rows=len(data.churned),
        first_validation=data.search.first_validation,
        last_validation=data.search.last_validation,
        default_loss=tried[0][1],
        loss=loss,
        gain=gain,
        standard_error=error,
    )


def _try_next(study: "Study", loss: Loss, completed: int) -> tuple[BoostingParameters, float]:
    import optuna  # noqa: PLC0415 - as above

    if not completed:
        default = BoostingParameters()
        value = loss(default)
        params = {name: getattr(default, name) for name in SPACE}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=_distributions(), value=value))
        return default, value
    study.sampler = optuna.samplers.TPESampler(seed=SEED + completed)
    trial = study.ask(_distributions())
    parameters = _parameters(trial.params)
    value = loss(parameters)
    study.tell(trial, value)
    return parameters, value


def _completed(study: "Study") -> list["FrozenTrial"]:
    import optuna  # noqa: PLC0415 - as above

    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))


def _give_up_killed(study: "Study") -> None:
    """Trials that a killed process has left running; what they tried is proposed again."""
    import optuna  # noqa: PLC0415 - as above

    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def _distributions() -> dict[str, "BaseDistribution"]:
    from optuna.distributions import FloatDistribution, IntDistribution  # noqa: PLC0415 - as above

    return {
        name: IntDistribution(int(span.low), int(span.high))
        if span.whole
        else FloatDistribution(span.low, span.high, log=span.log)
        for name, span in SPACE.items()
    }


def _parameters(tried: dict[str, float]) -> BoostingParameters:
    return replace(BoostingParameters(), **tried)  # type: ignore[arg-type] # whole where the field is


def _in_words(parameters: BoostingParameters) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in asdict(parameters).items() if name in SPACE)
