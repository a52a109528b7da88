"""Which parameters the next training takes: those of `churn tune` where they beat the defaults on the same rows."""

from dataclasses import dataclass, replace

import polars as pl

from churn_platform.core.evaluation import Protocol
from churn_platform.core.gradient_boosting import BoostingParameters
from churn_platform.core.tuning import Tuning, searchable_rows
from churn_platform.orchestration.shop import Shop
from churn_platform.registry.candidate import candidate_version
from churn_platform.registry.tuning import TuningStore, tuning_key


@dataclass(frozen=True)
class Training:
    """A training to come.

    Attributes:
        name: version of the candidate that it gives.
        tuning: where the parameters come from; None for the defaults.
        told: the same in words, for the log.
    """

    name: str
    tuning: Tuning | None
    told: str

    @property
    def parameters(self) -> BoostingParameters | None:
        return self.tuning.parameters if self.tuning else None


def plan_training(shop: Shop, frame: pl.DataFrame, everyone: pl.DataFrame) -> Training:
    """What a training on this frame (`Shop.training_frame`), tested on everyone at the folds too, would take.

    Raises:
        InputError: what `churn tune` has kept is damaged.
    """
    tuning, told = adopted_tuning(shop, frame)
    parameters = tuning.parameters if tuning else None
    name = candidate_version(frame, shop.features, shop.plan, shop.definition.version, everyone, parameters=parameters)
    return Training(name, tuning, told)


def protocol(shop: Shop, tuning: Tuning | None) -> Protocol:
    """How a candidate with these parameters is tested: trained with the same at every fold."""
    return replace(shop.protocol, parameters=tuning.parameters if tuning else None)


def searched_key(shop: Shop, rows: pl.DataFrame) -> str:
    """Under which a search over `searchable_rows` is kept."""
    return tuning_key(rows, shop.features, shop.definition.version)


def adopted_tuning(shop: Shop, frame: pl.DataFrame) -> tuple[Tuning | None, str]:
    """Where the parameters of a training on this frame come from, and the same in words; None for the defaults.

    Raises:
        InputError: what `churn tune` has kept is damaged.
    """
    store = TuningStore(shop.home.models)
    if not store.keys():
        return None, "default"
    rows = searchable_rows(frame, shop.plan, window_days=shop.protocol.window_days)
    found = store.read(searched_key(shop, rows))
    if found is None:
        return None, "default: what churn tune has found was on other rows or by another recipe; run it again"
    if not found.adopted:
        return None, f"default: the best of {found.trials} trials was not better beyond the noise"
    return found, f"churn tune, the best of {found.trials} trials"
