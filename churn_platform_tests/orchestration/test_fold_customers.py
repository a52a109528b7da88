"""All customers of a fold: by the same label and the same features as the eligible."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import duckdb
import pytest

from churn_platform.orchestration.fold_customers import everyone_at_folds, labelled_customers
from churn_platform.orchestration.segments_of_folds import STAGES
from churn_platform.orchestration.shop import Shop
from churn_platform.orchestration.training_sample import TrainingSample, training_sample
from churn_platform.settings import Home
from churn_platform.sql.library import FOLDER, default_library
from churn_platform.warehouse.gate import create_table
from churn_platform_tests.orchestration.feature_families import create_feature_families
from churn_platform_tests.orchestration.landed_files import landed_history

FOLD = date(2024, 9, 1)
DEFINITION = (
    "[churn]\nlookback_days = 90\nhorizon_days = 30\nlabel_grace_days = 0\n[evaluation]\nfolds = [2024-09-01]\n"
)
# customer → days of an activity, counted from the fold
DAYS = {
    "active": (-40, -5, 3),
    "left": (-40, -5),
    "lost and gone": (-200, -120),
    "lost and back": (-200, 29),
    "back too late": (-200, 30),
    "first bought after": (2, 9),
}


@pytest.fixture
def connection(home: Home, shop: Shop) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with the user_days of DAYS, their labels and features."""
    home.definition_file.write_text(DEFINITION)
    landed_history(home, "h", [date(2023, 9, 1), date(2024, 12, 1)])
    library = default_library()
    with duckdb.connect() as opened:
        for table in ("user_days", "fct_orders", "churn_labels", "user_features"):
            create_table(opened, library.contract(table), table)
        for user, days in DAYS.items():
            for day in days:
                insert_day(opened, user, FOLD + timedelta(days=day))
        opened.execute("INSERT INTO user_days BY NAME SELECT * REPLACE ('visitor' AS user_id, 0 AS activities)"
                       " FROM user_days WHERE user_id = 'left'")  # fmt: skip
        for table in ("churn_labels", "user_features"):
            library.append(opened, table, table, shop.values() | shop.snapshot_values(FOLD))
        create_feature_families(opened)
        library.build(opened, "training_set", "training_set", shop.values())
        yield opened


@pytest.fixture
def sample(shop: Shop, connection: duckdb.DuckDBPyConnection) -> TrainingSample:
    return training_sample(shop, connection)


def insert_day(connection: duckdb.DuckDBPyConnection, user: str, day: date) -> None:
    noon = datetime(day.year, day.month, day.day, 12)  # noqa: DTZ001 - DuckDB's TIMESTAMP has no zone
    measures = [
        column.name
        for column in default_library().contract("user_days").columns
        if column.type.startswith(("INTEGER", "BIGINT", "DECIMAL", "DOUBLE"))
    ]
    row = {"user_id": user, "event_date": day, "known_date": day, "first_event_at": noon, "last_event_at": noon}
    row |= dict.fromkeys(measures, 0) | {"events": 1, "activities": 1, "purchases": 1}
    names = ", ".join(row)
    connection.execute(f"INSERT INTO user_days ({names}) VALUES ({', '.join(f'${name}' for name in row)})", row)


def test_everyone_who_was_ever_active_is_there_with_the_label_of_the_same_window(
    shop: Shop, connection: duckdb.DuckDBPyConnection, sample: TrainingSample
) -> None:
    assert shop.plan.folds == (FOLD,)
    everyone = everyone_at_folds(shop, connection, sample)
    told = {row["user_id"]: (row["is_eligible"], row["churned"]) for row in everyone.iter_rows(named=True)}
    assert told == {
        "active": (True, False),
        "left": (True, True),
        "lost and gone": (False, True),
        "lost and back": (False, False),
        "back too late": (False, True),
    }
    assert set(everyone["snapshot_date"]) == {FOLD}
    assert everyone["user_id"].is_sorted()
    days = dict(everyone.select("user_id", "recency_days").rows())
    assert days == {user: min(-day for day in DAYS[user] if day < 0) for user in told}


def test_the_eligible_keep_the_label_that_they_are_trained_on(
    shop: Shop, connection: duckdb.DuckDBPyConnection, sample: TrainingSample
) -> None:
    everyone = everyone_at_folds(shop, connection, sample).filter("is_eligible").select("user_id", "churned").rows()
    trained_on = connection.execute("SELECT user_id, churned FROM churn_labels ORDER BY user_id").fetchall()
    assert everyone == trained_on
    assert labelled_customers(shop, connection, sample) == {
        ("eligible", FOLD): 2,
        ("all", FOLD): 5,
    }


def test_all_customers_take_part_in_a_small_shop(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    assert training_sample(shop, connection) == TrainingSample(available=2, last_hash=None)


def test_of_a_sampled_training_set_only_its_customers_are_tested_on(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    in_order = sorted(DAYS, key=lambda user: hashlib.md5(user.encode(), usedforsecurity=False).hexdigest())
    assert in_order.index("left") < in_order.index("active"), "of the eligible, 'left' takes part first"
    library = default_library()
    connection.execute("DROP TABLE training_set")
    library.build(connection, "training_set", "training_set", shop.values() | {"maximum_rows": 1})
    assert connection.execute("SELECT user_id FROM training_set").fetchall() == [("left",)]
    sample = training_sample(shop, connection)
    taking_part = set(in_order[: in_order.index("left") + 1])
    everyone = everyone_at_folds(shop, connection, sample)
    assert set(everyone["user_id"]) == taking_part - {"first bought after"}
    assert labelled_customers(shop, connection, sample) == {
        ("eligible", FOLD): 1,
        ("all", FOLD): everyone.height,
    }


def test_an_activity_that_was_not_known_by_the_fold_makes_nobody_a_customer(
    shop: Shop, connection: duckdb.DuckDBPyConnection, sample: TrainingSample
) -> None:
    connection.execute("UPDATE user_days SET known_date = DATE '2024-09-02' WHERE user_id = 'lost and gone'")
    assert labelled_customers(shop, connection, sample)["all", FOLD] == 4


def test_the_stages_are_those_of_the_profiles() -> None:
    def rule(text: str) -> str:
        return " ".join(text[text.index("CASE\n") : text.index(" END AS ")].split())

    profiles = (FOLDER / "marts" / "user_profiles.sql").read_text(encoding="utf-8")
    assert rule(STAGES.read_text(encoding="utf-8")) == rule(profiles)
    assert "'lost'" in rule(profiles)
