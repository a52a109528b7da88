import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.simulator.random_streams import Stream, stream

keys = st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(Stream))


@given(keys, keys)
def test_draws_are_equal_exactly_when_the_keys_are(
    one: tuple[int, int, Stream], other: tuple[int, int, Stream]
) -> None:
    same = np.array_equal(stream(*one).integers(0, 2**62, 4), stream(*other).integers(0, 2**62, 4))
    assert same == (one == other)
