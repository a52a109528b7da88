"""Which arrival days a run replaces, and what an asset's code version depends on."""

from collections.abc import Mapping
from datetime import date, timedelta
from types import ModuleType

from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core import acceptance, campaign
from churn_platform.orchestration.gated_assets import days_to_build, source_version

FIRST = date(2024, 1, 1)

day_offsets = st.integers(0, 20)
versions = st.dictionaries(day_offsets.map(lambda offset: day(offset).isoformat()), st.sampled_from("ab"), max_size=8)
ranges = st.tuples(day_offsets, day_offsets).map(lambda ends: (day(min(ends)), day(max(ends))))


def day(offset: int) -> date:
    return FIRST + timedelta(days=offset)


def of(versions: Mapping[int, str]) -> dict[str, str]:
    return {day(offset).isoformat(): version for offset, version in versions.items()}


def test_a_new_day_after_all_others_is_built_alone() -> None:
    assert days_to_build((day(3), day(3)), of({1: "a", 2: "a", 3: "a"}), of({1: "a", 2: "a"})) == (day(3), day(3))


def test_a_day_that_was_asked_for_is_replaced_though_nothing_has_changed() -> None:
    versions = of({1: "a", 2: "a", 3: "a"})
    assert days_to_build((day(2), day(2)), versions, versions) == (day(2), day(2))


def test_an_outdated_day_joins_those_asked_for() -> None:
    assert days_to_build((day(3), day(3)), of({1: "a", 2: "a", 3: "a"}), of({1: "a"})) == (day(2), day(3))


def test_a_day_that_comes_to_stand_before_built_ones_replaces_them_all() -> None:
    built = of({1: "a", 3: "a", 5: "a"})
    assert days_to_build((day(2), day(2)), built | of({2: "a"}), built) == (day(2), day(5))


def test_a_changed_first_day_replaces_everything() -> None:
    built = of({1: "a", 3: "a", 5: "a"})
    assert days_to_build((day(5), day(5)), built | of({1: "b"}), built) == (day(1), day(5))


@given(asked=ranges, wanted=versions, built=versions)
def test_the_range_is_the_smallest_that_holds_what_must_be_built(
    asked: tuple[date, date], wanted: dict[str, str], built: dict[str, str]
) -> None:
    stale = {date.fromisoformat(key) for key in wanted.keys() | built.keys() if built.get(key) != wanted.get(key)}
    later_than_stale = {date.fromisoformat(key) for key in built if any(date.fromisoformat(key) > day for day in stale)}
    must = {*asked, *stale, *later_than_stale}
    assert days_to_build(asked, wanted, built) == (min(must), max(must))


@given(asked=ranges, wanted=versions)
def test_after_a_build_only_what_is_asked_for_is_built(asked: tuple[date, date], wanted: dict[str, str]) -> None:
    assert days_to_build(asked, wanted, wanted) == asked


def test_a_day_whose_files_were_all_withdrawn_is_emptied_and_what_came_after_it_built_again() -> None:
    assert days_to_build((day(4), day(4)), of({1: "a", 4: "a"}), of({1: "a", 3: "a", 4: "a"})) == (day(3), day(4))


def module(source_of: ModuleType, name: str) -> ModuleType:
    """Another module object of the same file."""
    copy = ModuleType(name)
    copy.__file__ = source_of.__file__
    return copy


def test_the_code_version_is_of_the_contract_and_of_every_module() -> None:
    version = source_version("c1", campaign, acceptance)
    assert version == source_version("c1", campaign, acceptance)
    assert version == source_version("c1", module(campaign, "copy"), acceptance)
    others = {
        source_version("c2", campaign, acceptance),
        source_version("c1", campaign),
        source_version("c1", campaign, campaign),
    }
    assert len(others | {version}) == 4
