"""The product definition, the environment, the home, and the shop's day."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_platform.core.snapshots import MAXIMUM_FOLDS
from churn_platform.demo import CONFIGURATION, HOME_FOLDERS
from churn_platform.errors import UsageError
from churn_platform.settings import (
    REPOSITORY,
    Campaign,
    ChurnDefinition,
    Home,
    ProductDefinition,
    Readiness,
    Scores,
    Targets,
    environment,
    read_definition,
    shop_day,
)

DEFAULT_VERSION = ProductDefinition().version

shares = st.floats(0, 1)
churn_definitions = st.builds(
    ChurnDefinition,
    activity=st.lists(st.sampled_from(["purchase", "view", "login"]), min_size=1, max_size=3),
    lookback_days=st.integers(1, 3650),
    lead_days=st.integers(0, 100),
    horizon_days=st.integers(1, 3650),
    label_grace_days=st.integers(0, 100),
    training_cadence_days=st.integers(1, 3650),
)
zones = st.sampled_from(["UTC", "Europe/London", "Asia/Tokyo"])
what_does_not_decide_churn = st.fixed_dictionaries(
    {
        "currency": st.sampled_from(["GBP", "EUR"]),
        "auto_accept": st.booleans(),
        "targets": st.builds(Targets, minimum_auc=shares, maximum_auc=shares, maximum_ece=shares),
        "campaign": st.builds(Campaign, budget=st.floats(0, 1e9), margin=shares, holdout_share=shares),
        "scores": st.builds(Scores, valid_days=st.integers(1, 30), published_snapshots=st.integers(1, 500)),
    }
)


@pytest.fixture
def read(tmp_path: Path) -> "Read":
    return Read(tmp_path / "churn.toml")


class Read:
    """Writes a churn.toml and reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, text: str) -> ProductDefinition:
        self.path.write_text(text, encoding="utf-8")
        return read_definition(self.path)


def test_an_empty_file_means_all_defaults(read: Read) -> None:
    found = read("")
    assert found == ProductDefinition()
    churn = found.churn
    assert churn.activity == ["purchase"]
    assert (churn.lookback_days, churn.lead_days, churn.horizon_days) == (180, 0, 90)
    assert (churn.training_cadence_days, churn.label_grace_days) == (30, 7)
    assert found.auto_accept is False


def test_what_is_written_is_read(read: Read) -> None:
    found = read(
        'timezone = "Asia/Tokyo"\n[churn]\nhorizon_days = 60\n[scores]\nmedium = 0.1\nhigh = 0.2\ncritical = 0.3\n'
    )
    assert (found.timezone, found.churn.horizon_days) == ("Asia/Tokyo", 60)
    assert (found.scores.medium, found.scores.high, found.scores.critical) == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "horizon = 3",
            "horizon: unknown key. "
            "Existing: auto_accept, campaign, churn, currency, evaluation, readiness, reports, scores, targets, "
            "timezone, training.",
        ),
        ("timezon = 'UTC'", "timezon: unknown key. Did you mean 'timezone'?"),
        (
            "[churn]\nhorizon_day = 3",
            "churn.horizon_day: unknown key. Did you mean 'horizon_days'? Existing: activity,",
        ),
        (
            "timezone = 'Europe/Londinium'",
            "timezone: Value error, 'Europe/Londinium' is not a time zone of the IANA database",
        ),
        ("timezone = '../etc/passwd'", "'../etc/passwd' is not a time zone of the IANA database"),
        (
            "[evaluation]\nfolds = [2024-06-01, 2024-04-01]",
            "evaluation.folds: the label window of 2024-04-01 (90 days) reaches into 2024-06-01",
        ),
        ("[scores]\nmedium = 0.7", "scores: Value error, the bands must ascend: medium < high < critical"),
        ("[scores]\nhigh = 0.8", "the bands must ascend"),
        ("[churn]\nhorizon_days = 0", "churn.horizon_days: Input should be greater than or equal to 1 (found 0)"),
        ("[churn]\nactivity = []", "churn.activity: List should have at least 1 item"),
        ("[churn]\nlead_days = -1", "churn.lead_days: Input should be greater than or equal to 0 (found -1)"),
        ("[campaign]\nbudget = -1", "campaign.budget: Input should be greater than or equal to 0"),
        ("[campaign]\ncontact_cost = 0", "campaign.contact_cost: Input should be greater than 0"),
        ("[campaign]\nholdout_share = 1.5", "campaign.holdout_share: Input should be less than or equal to 1"),
        ("[targets]\nminimum_folds = 0", "targets.minimum_folds: Input should be greater than or equal to 1 (found 0)"),
        (
            "[targets]\nminimum_folds = 4",
            "targets.minimum_folds: Value error, a model is tested at 3 folds at most, "
            "so that more can never be met (found 4)",
        ),
        (
            "[targets]\nminimum_folds = 2\n[evaluation]\nfolds = [2024-06-01]",
            "targets.minimum_folds: 2 can never be met, for evaluation.folds prescribes 1",
        ),
        ("[targets]\nminimum_auc = 'high'", "targets.minimum_auc: Input should be a valid number"),
    ],
)
def test_a_wrong_definition_is_refused_with_the_key_and_what_exists(read: Read, text: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(text)
    assert str(refused.value).startswith(f"{read.path} is not a product definition.\n")
    assert told in str(refused.value)


def test_every_problem_of_a_definition_is_told_at_once(read: Read) -> None:
    with pytest.raises(UsageError) as refused:
        read("[churn]\nhorizon_days = 0\nlookback_days = 0\n")
    assert len(str(refused.value).splitlines()) == 3


def test_what_is_not_toml_is_refused(read: Read) -> None:
    with pytest.raises(UsageError, match=r"churn\.toml is not valid TOML: .*line 1"):
        read("horizon_days: 90")


def test_a_definition_that_does_not_exist_is_refused(read: Read) -> None:
    with pytest.raises(UsageError, match=r"churn\.toml does not exist\. Write one .* or pass --definition"):
        read_definition(read.path)


@given(churn=churn_definitions, timezone=zones, rest=what_does_not_decide_churn)
def test_the_version_is_of_churn_and_timezone_only(
    churn: ChurnDefinition, timezone: str, rest: dict[str, object]
) -> None:
    plain = ProductDefinition(churn=churn, timezone=timezone)
    assert ProductDefinition.model_validate({"churn": churn, "timezone": timezone, **rest}).version == plain.version
    assert (plain.version == DEFAULT_VERSION) == (churn == ChurnDefinition() and timezone == "UTC")


def test_another_timezone_is_another_version() -> None:
    versions = {ProductDefinition(timezone=zone).version for zone in ("UTC", "Europe/London", "Asia/Tokyo")}
    assert len(versions) == 3


@given(first=churn_definitions, second=churn_definitions)
def test_two_definitions_of_churn_share_a_version_only_if_they_are_the_same(
    first: ChurnDefinition, second: ChurnDefinition
) -> None:
    assert (ProductDefinition(churn=first).version == ProductDefinition(churn=second).version) == (first == second)


@pytest.mark.parametrize("key", [name for name in ChurnDefinition.model_fields if name != "activity"])
def test_each_number_of_churn_changes_the_version(key: str) -> None:
    changed = ChurnDefinition.model_validate({key: getattr(ChurnDefinition(), key) + 1})
    assert ProductDefinition(churn=changed).version != DEFAULT_VERSION


def test_the_limits_of_the_readiness_do_not_change_the_version() -> None:
    lower = ProductDefinition(readiness=Readiness(minimum_churned=50))
    assert lower.readiness != ProductDefinition().readiness
    assert lower.version == DEFAULT_VERSION


def test_the_shipped_default_file_shows_the_defaults() -> None:
    shipped = read_definition(REPOSITORY / "churn_platform" / "datasets" / "default_churn.toml")
    assert shipped == ProductDefinition(auto_accept=True)


def test_as_many_folds_as_are_tested_at_may_be_asked_for(read: Read) -> None:
    assert read("").targets.minimum_folds == 1, "a year of history has no more"
    assert read("[targets]\nminimum_folds = 3").targets.minimum_folds == MAXIMUM_FOLDS
    prescribed = "[evaluation]\nfolds = [2024-06-01, 2024-01-01]"
    assert read(f"[targets]\nminimum_folds = 2\n{prescribed}").targets.minimum_folds == 2


@pytest.mark.parametrize("dataset", HOME_FOLDERS)
def test_the_demos_ask_for_every_fold_and_for_what_a_campaign_reaches(dataset: str) -> None:
    targets = read_definition(CONFIGURATION / f"{dataset.replace('-', '_')}_churn.toml").targets
    assert targets.minimum_folds == MAXIMUM_FOLDS
    assert targets.minimum_recall_at_capacity > 0.4


def test_a_home_without_a_definition_has_all_defaults(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").create()
    assert home.definition() == ProductDefinition()
    home.definition_file.write_text("currency = 'EUR'\n", encoding="utf-8")
    assert home.definition().currency == "EUR"


def test_a_home_is_created_as_the_interface_says_and_again_without_loss(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").create()
    folders = {str(path.relative_to(home.root)) for path in home.root.rglob("*") if path.is_dir()}
    assert folders >= {"landing/accepted", "landing/rejected", "landing/history", "lake/events", "quarantine", "models"}
    assert folders >= {"reports", "campaigns", "published", "dagster"}
    (home.landing / "a.csv").write_text("x")
    home.create()
    assert (home.landing / "a.csv").read_text() == "x"
    assert home.ledger_file == home.root / "lake" / "files.jsonl"
    assert home.published_file == home.root / "published" / "churn.duckdb"


@pytest.fixture
def _no_churn_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHURN_HOME", "CHURN_DATASETS", "CHURN_NOW"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_no_churn_variables")
class TestEnvironment:
    def test_without_variables_the_home_is_the_demos(self) -> None:
        assert environment().shop_home() == REPOSITORY / "data" / "demo"

    def test_the_variables_are_read_at_every_call(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CHURN_HOME", str(tmp_path))
        assert environment().shop_home() == tmp_path
        monkeypatch.setenv("CHURN_HOME", str(tmp_path / "other"))
        assert environment().shop_home() == tmp_path / "other"

    @pytest.mark.parametrize("value", ["", "x"])
    def test_an_unknown_variable_is_refused_with_a_suggestion(
        self, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("CHURN_HOMES", value)
        with pytest.raises(UsageError) as refused:
            environment()
        assert str(refused.value) == (
            "Unknown environment variable CHURN_HOMES. Did you mean 'CHURN_HOME'? "
            "Existing: CHURN_DATASETS, CHURN_HOME, CHURN_NOW."
        )

    def test_variables_of_other_programs_are_none_of_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BUTTER_CHURN_HOMES", "x")
        assert environment().home is None

    def test_the_declared_time_of_a_replay_is_now_in_utc(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CHURN_NOW", "2024-06-01T01:00:00+09:00")
        assert environment().current_time() == datetime(2024, 5, 31, 16, tzinfo=UTC)
        assert environment().current_time().tzinfo == UTC

    def test_without_one_it_is_the_clocks(self) -> None:
        before = datetime.now(UTC)
        assert before <= environment().current_time() <= before + timedelta(minutes=1)

    @pytest.mark.parametrize("value", ["2024-06-01T01:00:00", "yesterday"])
    def test_a_time_without_offset_or_sense_is_refused(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("CHURN_NOW", value)
        with pytest.raises(UsageError, match=rf"The environment cannot be read\.\n  now: .*found '{value}'"):
            environment()


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        (datetime(2024, 6, 1, 3, 59, 59, tzinfo=UTC), "America/New_York", date(2024, 5, 31)),
        (datetime(2024, 6, 1, 4, 0, tzinfo=UTC), "America/New_York", date(2024, 6, 1)),
        (datetime(2024, 12, 1, 4, 59, 59, tzinfo=UTC), "America/New_York", date(2024, 11, 30)),
        (datetime(2024, 5, 31, 15, 0, tzinfo=UTC), "Asia/Tokyo", date(2024, 6, 1)),
        (datetime(2024, 5, 31, 23, 59, tzinfo=UTC), "UTC", date(2024, 5, 31)),
    ],
)
def test_the_shops_day_begins_at_its_own_midnight(moment: datetime, zone: str, day: date) -> None:
    assert shop_day(moment, zone) == day
