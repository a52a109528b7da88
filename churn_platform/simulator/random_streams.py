"""One random stream per block of customers and purpose, so that no part of the shop shifts another's draws."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream of random numbers is for; the numbers are part of what a seed means."""

    CATALOGUE = 0
    CUSTOMERS = 1
    ORDERS = 2
    SESSIONS = 3
    AFTERMATH = 4
    IDENTIFIERS = 5
    DIRT = 6


def stream(seed: int, block: int, purpose: Stream) -> np.random.Generator:
    """Return the generator of one block and purpose; equal arguments give equal draws."""
    return np.random.default_rng([seed, block, int(purpose)])
