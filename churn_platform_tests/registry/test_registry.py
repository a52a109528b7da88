"""The history of the models, against a naive stack of champions."""

import tempfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from churn_platform.errors import UsageError
from churn_platform.registry.registry import SCHEMA, Event, ModelRegistry

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
VERSIONS = ["a", "b", "c"]

steps = st.lists(st.tuples(st.sampled_from(["train", "promote", "roll back"]), st.sampled_from(VERSIONS)), max_size=20)


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "models" / "registry.jsonl")


def record(registry: ModelRegistry, version: str, event: Event = "candidate", *, at: datetime = NOON) -> None:
    registry.record(version, event, actor="platform", at=at, reason="trained")


def promote(registry: ModelRegistry, version: str, *, at: datetime = NOON) -> None:
    registry.promote(version, actor="Ada", at=at, reason="looks right")


def roll_back(registry: ModelRegistry, version: str, *, at: datetime = NOON) -> str | None:
    return registry.roll_back(version, actor="Ada", at=at, reason="complaints")


def promoted(registry: ModelRegistry, *versions: str) -> None:
    for version in versions:
        record(registry, version)
        promote(registry, version)


def day(number: int) -> datetime:
    return NOON + timedelta(days=number)


def two_weeks(registry: ModelRegistry) -> None:
    """a, then b, rolled back to a, b again, and both rolled back."""
    record(registry, "a", at=day(0))
    promote(registry, "a", at=day(2))
    record(registry, "b", at=day(4))
    promote(registry, "b", at=day(6))
    roll_back(registry, "b", at=day(8))
    promote(registry, "b", at=day(10))
    roll_back(registry, "b", at=day(12))
    roll_back(registry, "a", at=day(14))


def history(registry: ModelRegistry) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in registry.events().select("model_version", "event").rows()]


def test_a_new_home_has_neither_candidate_nor_champion(registry: ModelRegistry) -> None:
    assert registry.champion() is None
    assert registry.candidate() is None
    assert registry.events().is_empty()
    assert dict(registry.events().schema) == SCHEMA


def test_a_promotion_accepts_and_makes_champion(registry: ModelRegistry) -> None:
    record(registry, "a")
    assert registry.champion() is None
    promote(registry, "a")
    assert registry.champion() == registry.candidate() == "a"
    assert history(registry) == [("a", "candidate"), ("a", "accepted"), ("a", "champion")]


def test_a_rollback_restores_the_champion_before(registry: ModelRegistry) -> None:
    promoted(registry, "a", "b")
    assert roll_back(registry, "b") == "a"
    assert registry.champion() == "a"
    assert roll_back(registry, "a") is None
    assert registry.champion() is None


def test_a_model_that_was_rolled_back_can_be_promoted_again_and_is_accepted_once(registry: ModelRegistry) -> None:
    promoted(registry, "a", "b")
    roll_back(registry, "b")
    promote(registry, "b")
    assert registry.champion() == "b"
    assert history(registry).count(("b", "accepted")) == 1
    assert roll_back(registry, "b") == "a"


def test_only_a_candidate_can_be_promoted(registry: ModelRegistry) -> None:
    with pytest.raises(UsageError, match=r"There is no candidate 'a'\. Existing: none\."):
        promote(registry, "a")
    record(registry, "model-1")
    with pytest.raises(UsageError, match=r"There is no candidate 'model-2'\. Did you mean 'model-1'\?"):
        promote(registry, "model-2")
    assert history(registry) == [("model-1", "candidate")]


def test_the_champion_cannot_be_promoted_again(registry: ModelRegistry) -> None:
    promoted(registry, "a")
    with pytest.raises(UsageError, match="'a' is the champion already"):
        promote(registry, "a")
    assert history(registry).count(("a", "champion")) == 1


def test_only_the_champion_can_be_rolled_back(registry: ModelRegistry) -> None:
    with pytest.raises(
        UsageError, match=r"'a' is not the champion, there is none\. Only the champion can be rolled back"
    ):
        roll_back(registry, "a")
    promoted(registry, "a", "b")
    with pytest.raises(UsageError, match=r"'a' is not the champion, b\."):
        roll_back(registry, "a")
    assert registry.champion() == "b"


def test_decided_is_whether_the_latest_candidacy_ended_in_a_promotion(registry: ModelRegistry) -> None:
    assert not registry.decided("a")
    record(registry, "a")
    assert not registry.decided("a")
    promote(registry, "a")
    assert registry.decided("a")
    record(registry, "b")
    assert registry.decided("a")
    assert not registry.decided("b")
    roll_back(registry, "a")
    assert registry.decided("a")
    record(registry, "a")
    assert not registry.decided("a")


def test_has_is_by_version_and_event(registry: ModelRegistry) -> None:
    record(registry, "a")
    assert registry.has("a", "candidate")
    assert not registry.has("a", "champion")
    assert not registry.has("b", "candidate")


def test_events_are_numbered_in_order_and_their_times_are_utc(registry: ModelRegistry) -> None:
    record(registry, "a")
    tokyo = datetime(2024, 5, 2, 1, 30, tzinfo=timezone(timedelta(hours=9)))
    registry.promote("a", actor="Ada", at=tokyo, reason="looks right")
    events = registry.events()
    assert events["event_id"].to_list() == [1, 2, 3]
    assert events["occurred_at"].to_list() == [NOON.replace(tzinfo=None)] + [datetime(2024, 5, 1, 16, 30)] * 2  # noqa: DTZ001
    assert events["actor"].to_list() == ["platform", "Ada", "Ada"]
    assert events["reason"].to_list() == ["trained", "looks right", "looks right"]


def test_every_event_says_who_is_champion_after_it(registry: ModelRegistry) -> None:
    two_weeks(registry)
    assert registry.events().select("model_version", "event", "champion_after").rows() == [
        ("a", "candidate", None),
        ("a", "accepted", None),
        ("a", "champion", "a"),
        ("b", "candidate", "a"),
        ("b", "accepted", "a"),
        ("b", "champion", "b"),
        ("b", "rolled_back", "a"),
        ("b", "champion", "b"),
        ("b", "rolled_back", "a"),
        ("a", "rolled_back", None),
    ]


@pytest.mark.parametrize(
    ("since", "champion"), [(0, None), (2, "a"), (4, "a"), (6, "b"), (8, "a"), (10, "b"), (12, "a"), (14, None)]
)
def test_the_champion_at_a_moment_holds_from_its_event_until_the_next(
    registry: ModelRegistry, since: int, champion: str | None
) -> None:
    two_weeks(registry)
    assert registry.champion_at(day(since)) == champion
    assert registry.champion_at(day(since + 2) - timedelta(microseconds=1)) == champion


def test_nobody_is_champion_before_the_first_event_or_without_any(registry: ModelRegistry) -> None:
    assert registry.champion_at(NOON) is None
    promoted(registry, "a")
    assert registry.champion_at(NOON - timedelta(microseconds=1)) is None
    assert registry.champion_at(NOON) == "a"


def test_the_champion_at_a_moment_is_the_same_whatever_the_offset(registry: ModelRegistry) -> None:
    tokyo = timezone(timedelta(hours=9))
    record(registry, "a")
    promote(registry, "a", at=NOON.astimezone(tokyo))
    assert registry.champion_at(NOON) == registry.champion_at(NOON.astimezone(tokyo)) == "a"
    assert registry.champion_at(datetime(2024, 5, 1, 20, 59, tzinfo=tokyo)) is None


def test_an_event_of_a_clock_set_back_follows_those_written_before_it(registry: ModelRegistry) -> None:
    promoted(registry, "a")
    record(registry, "b", at=day(4))
    promote(registry, "b", at=day(4))
    roll_back(registry, "b", at=day(3))
    assert registry.champion_at(day(3)) == registry.champion_at(day(5)) == registry.champion() == "a"


def test_a_kill_while_the_champion_line_is_written_leaves_the_old_champion(
    tmp_path: Path, registry: ModelRegistry
) -> None:
    file = tmp_path / "models" / "registry.jsonl"
    promoted(registry, "a", "b")
    whole = file.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for torn in range(last, len(whole)):
        file.write_bytes(whole[:torn])
        assert registry.champion() == "a"
    promote(registry, "b")
    assert file.read_bytes() == whole


@examples(max_examples=60)
@given(steps=steps)
def test_the_champion_is_the_top_of_a_stack(steps: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        registry = ModelRegistry(Path(folder) / "registry.jsonl")
        stack: list[str] = []
        trained: list[str] = []
        for step, version in steps:
            if step == "train":
                record(registry, version)
                trained.append(version)
            elif step == "promote" and version in trained and version not in stack[-1:]:
                promote(registry, version)
                stack.append(version)
            elif step == "roll back" and version in stack[-1:]:
                stack.pop()
                assert roll_back(registry, version) == (stack[-1] if stack else None)
            else:
                before = history(registry)
                with pytest.raises(UsageError):
                    (promote if step == "promote" else roll_back)(registry, version)
                assert history(registry) == before
            assert registry.champion() == registry.champion_at(NOON) == (stack[-1] if stack else None)
        assert registry.candidate() == (trained[-1] if trained else None)
