"""What a simulated shop is made from."""

from dataclasses import dataclass
from datetime import date

from churn_platform.errors import UsageError


@dataclass(frozen=True)
class ShopSettings:
    """The size, window and seed of a simulated shop.

    Attributes:
        customers: number of customers; the first n customers of a larger shop are exactly the shop with n.
        first_day, last_day: the window of the export, both days inclusive, in UTC.
        seed: equal seeds give equal bytes.
        existing_share: expected share of customers who joined before `first_day`; the others join during the window.
        dirty_share: expected extra lines per clean line: half exact duplicates of a line (same event_uuid), half
            views without a customer. The clean lines do not depend on it.
        currency: ISO 4217 code of every price.

    Raises:
        UsageError: a value is out of range.
    """

    customers: int = 8_000
    first_day: date = date(2024, 7, 1)
    last_day: date = date(2025, 12, 31)
    seed: int = 7
    existing_share: float = 0.4
    dirty_share: float = 0.001
    currency: str = "GBP"

    def __post_init__(self) -> None:
        if self.customers < 1:
            raise UsageError(f"A shop needs customers: found customers={self.customers}; give 1 or more.")
        if self.last_day < self.first_day:
            raise UsageError(
                f"The shop's window is empty: last_day {self.last_day} lies before first_day {self.first_day}; "
                "give a last_day on or after first_day."
            )
        if self.seed < 0:
            raise UsageError(f"The seed must be 0 or more: found seed={self.seed}.")
        for name, share in (("existing_share", self.existing_share), ("dirty_share", self.dirty_share)):
            if not 0 <= share <= 1:
                raise UsageError(f"{name} is a share between 0 and 1: found {share}.")

    @property
    def days(self) -> int:
        """Length of the window in days."""
        return (self.last_day - self.first_day).days + 1
