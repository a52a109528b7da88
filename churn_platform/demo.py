"""The two inputs of `make demo`: a simulated shop, and a real one that anybody may download."""

from dataclasses import dataclass
from pathlib import Path

from churn_platform.datasets import online_retail_ii
from churn_platform.errors import UsageError, suggest
from churn_platform.settings import REPOSITORY, Home, environment
from churn_platform.simulator.shop import write_shop
from churn_platform.simulator.shop_settings import ShopSettings

SIMULATED = "simulated-shop"
ONLINE_RETAIL = "online-retail-ii"
HOME_FOLDERS = {SIMULATED: "demo", ONLINE_RETAIL: "online-retail-ii"}
CONFIGURATION = Path(__file__).parent / "datasets"


@dataclass(frozen=True)
class Demo:
    """What `churn run` needs to know of a dataset."""

    source: Path
    mapping: Path
    definition: Path


def demo_home(dataset: str) -> Path:
    """The home of a dataset: CHURN_HOME if it is set, else a folder of its own below data/.

    Raises:
        UsageError: there is no such dataset.
    """
    if dataset not in HOME_FOLDERS:
        raise UsageError(f"There is no dataset '{dataset}'.{suggest(dataset, sorted(HOME_FOLDERS))}")
    return environment().home or REPOSITORY / "data" / HOME_FOLDERS[dataset]


def provide(dataset: str, home: Home) -> Demo:
    """Make or find the dataset's file; a simulated shop is written once into the home."""
    stem = dataset.replace("-", "_")
    mapping, definition = CONFIGURATION / f"{stem}.toml", CONFIGURATION / f"{stem}_churn.toml"
    if dataset == ONLINE_RETAIL:
        source = online_retail_ii.fetch(home.root / "source", datasets=environment().datasets)
    else:
        folder = home.root / "source"
        source = folder / "events.parquet"
        if not source.exists():
            source = write_shop(ShopSettings(), folder).events
    return Demo(source, mapping, definition)
