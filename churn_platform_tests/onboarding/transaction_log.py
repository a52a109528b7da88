"""A generated log of order lines of a shop whose customers come and go; headers and formats as a test wants them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

ITEMS = [(f"{prefix}{number}", round(0.5 + number * 0.37, 2)) for number, prefix in enumerate("PQRSTUVWXYZ" * 8, 100)]


@dataclass(frozen=True)
class Line:
    """One order line."""

    order: str
    customer: str
    time: datetime
    item: str
    quantity: int
    price: float
    region: str


def order_lines(customers: int, days: int, seed: int = 1) -> list[Line]:
    """The lines of all orders in the order of their times; one order in forty comes back, marked by a C.

    A customer buys every 8 to 40 days and, with a chance of 8 % after each order, never again.
    """
    dice = random.Random(seed)  # noqa: S311
    start, lines = datetime(2023, 1, 1), []  # noqa: DTZ001
    for customer in range(customers):
        mean_gap, day = dice.uniform(8, 40), dice.uniform(0, days / 2)
        while day < days:
            time = start + timedelta(days=int(day), minutes=dice.randrange(8 * 60, 20 * 60))
            lines += _order(dice, f"{7000 + customer}", time, len(lines))
            if dice.random() < 0.08:
                break
            day += dice.expovariate(1 / mean_gap) + 0.5
    return sorted(lines, key=lambda line: line.time)


def _order(dice: random.Random, customer: str, time: datetime, number: int) -> Iterator[Line]:
    back = dice.random() < 0.025
    order = f"{'C' if back else ''}{500_000 + number}"
    for item, price in dice.sample(ITEMS, dice.randint(1, 4)):
        region = ("north", "south", "west")[int(customer) % 3]
        yield Line(order, customer, time, item, -1 if back else dice.randint(1, 6), price, region)


def as_csv(header: Sequence[str], lines: Sequence[Line], time_format: str = "%Y-%m-%d %H:%M") -> str:
    """The lines under a header of six names: order, customer, time, item, quantity, price, and region as the last."""
    rows = (
        f"{line.order},{line.customer},{line.time.strftime(time_format)},{line.item},{line.quantity},{line.price},"
        f"{line.region}"
        for line in lines
    )
    return "\n".join([",".join(header), *rows, ""])
