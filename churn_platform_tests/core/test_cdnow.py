"""The published fits of the CDNOW 1/10 sample: 2,357 customers whose first purchase fell in the first quarter of 1997.

The data ship inside the wheel of `lifetimes`, of which nothing else is used.
"""

from datetime import date
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from churn_platform.core.bgnbd import BetaGeometricNBD
from churn_platform.core.gamma_gamma import GammaGamma

CALIBRATED_UNTIL, HELD_OUT_UNTIL, HELD_OUT_WEEKS = date(1997, 9, 30), date(1998, 6, 30), 39


def data_set(name: str) -> Path:
    return Path(str(distribution("lifetimes").locate_file(f"lifetimes/datasets/{name}")))


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    """ID, x repeat purchases, t_x and T in weeks, zbar mean value of the repeat purchases."""
    return pl.read_csv(data_set("cdnow_customers_summary_with_transactions.csv"))


@pytest.fixture(scope="module")
def fitted(customers: pl.DataFrame) -> BetaGeometricNBD:
    return BetaGeometricNBD.fit(customers["x"], customers["t_x"], customers["T"])


def test_bgnbd(fitted: BetaGeometricNBD, customers: pl.DataFrame) -> None:
    """Fader, Hardie & Lee (2005), table 2."""
    assert (fitted.r, fitted.alpha, fitted.a, fitted.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=6e-4)
    likelihood = fitted.log_likelihood(customers["x"], customers["t_x"], customers["T"])
    assert likelihood == pytest.approx(-9582.4, abs=0.05)


def test_purchases_of_the_39_weeks_held_out(fitted: BetaGeometricNBD, customers: pl.DataFrame) -> None:
    """Fader, Hardie & Lee (2005), table 4: correlation of each customer's expected and actual purchases."""
    lines = [line.split() for line in data_set("CDNOW_sample.txt").read_text().splitlines()]
    bought_on = pl.DataFrame(
        {"ID": [int(line[1]) for line in lines], "day": [date.fromisoformat(line[2]) for line in lines]}
    )
    held_out = bought_on.unique().filter(pl.col("day").is_between(CALIBRATED_UNTIL, HELD_OUT_UNTIL, closed="right"))
    bought = held_out.group_by("ID").agg(bought=pl.len())
    actual = customers.join(bought, on="ID", how="left", maintain_order="left")["bought"].fill_null(0).to_numpy()
    expected = fitted.expected_purchases(customers["x"], customers["t_x"], customers["T"], HELD_OUT_WEEKS)
    assert np.corrcoef(expected, actual)[0, 1] == pytest.approx(0.626, abs=2e-3)


def test_gamma_gamma(customers: pl.DataFrame) -> None:
    """Fader & Hardie (2013), section 5."""
    valued = customers.filter(pl.col("x") > 0, pl.col("zbar") > 0)
    model = GammaGamma.fit(valued["x"], valued["zbar"])
    assert (model.p, model.q, model.gamma) == pytest.approx((6.25, 3.74, 15.44), rel=3e-3)
