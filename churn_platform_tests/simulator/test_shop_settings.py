from datetime import date

import pytest

from churn_platform.errors import UsageError
from churn_platform.simulator.shop_settings import ShopSettings


def test_default_is_the_eighteen_months_of_the_demo() -> None:
    settings = ShopSettings()
    assert settings.customers == 8_000
    assert settings.days == 184 + 365


def test_a_window_of_one_day_has_one_day() -> None:
    assert ShopSettings(first_day=date(2025, 1, 1), last_day=date(2025, 1, 1)).days == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"customers": 0}, "customers=0"),
        ({"last_day": date(2024, 6, 30)}, "2024-06-30 lies before first_day 2024-07-01"),
        ({"seed": -1}, "seed=-1"),
        ({"dirty_share": 1.5}, "dirty_share is a share between 0 and 1: found 1.5"),
        ({"existing_share": -0.1}, "existing_share is a share between 0 and 1: found -0.1"),
    ],
)
def test_values_out_of_range_are_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ShopSettings(**values)  # type: ignore[arg-type]
