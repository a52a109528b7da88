"""Who is the challenger, what it says in the shadow, and how it compares once labels close."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from churn_platform.core import churn_model
from churn_platform.core.metrics import auc
from churn_platform.orchestration.challenger import Challenger, compare_challengers, find_challenger, shadow_scores
from churn_platform.orchestration.shop import Shop
from churn_platform.registry.candidate import train_candidate
from churn_platform.settings import Home
from churn_platform.sql.library import default_library
from churn_platform.warehouse.gate import create_table
from churn_platform_tests.core.bgnbd_shop import FEATURES, WINDOW_DAYS, rhythm_frame
from churn_platform_tests.orchestration.feature_families import create_feature_families
from churn_platform_tests.orchestration.landed_files import landed_history

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
FRAME = rhythm_frame(customers=250, snapshots=4).sort("snapshot_date", "user_id")
USERS = FRAME.filter(pl.col("snapshot_date") == FRAME["snapshot_date"].max())
NEWEST = date(2024, 6, 30)
CLOSED = date(2024, 3, 1)  # its 90 days end before NEWEST


@pytest.fixture
def connection(home: Home, shop: Shop) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse in which champion v1 has scored USERS at NEWEST, each at 0.5."""
    landed_history(home, "h", [date(2023, 7, 5), NEWEST])
    assert shop.plan.newest == NEWEST
    with duckdb.connect() as opened:
        opened.register("users", USERS.with_columns(snapshot_date=pl.lit(NEWEST), is_eligible=True))
        opened.execute("CREATE TABLE user_features AS SELECT * EXCLUDE (churned) FROM users")
        create_feature_families(opened)
        for table in ("churn_scores", "shadow_scores", "user_days"):
            create_table(opened, default_library().contract(table), table)
        opened.execute(
            "INSERT INTO churn_scores BY NAME SELECT snapshot_date, user_id, 0.5 AS churn_probability,"
            " 'medium' AS risk_band, 'model' AS scored_by, 'v1' AS model_version, 10.0 AS expected_value,"
            " $version AS definition_version FROM users",
            {"version": shop.definition.version},
        )
        yield opened


def candidate(shop: Shop, version: str, definition: str | None = None, frame: pl.DataFrame = FRAME) -> None:
    train_candidate(
        frame,
        FEATURES,
        window_days=WINDOW_DAYS,
        name=version,
        definition_version=definition or shop.definition.version,
        store=shop.models,
    )
    shop.registry.record(version, "candidate", actor="platform", at=NOON, reason="trained")


def challenger(shop: Shop) -> Challenger:
    found = find_challenger(shop)
    assert found is not None
    return found


def promote(shop: Shop, version: str) -> None:
    shop.registry.promote(version, actor="Ada", at=NOON, reason="looks right")


def publish(connection: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    create_table(connection, default_library().contract(table), table)
    connection.register("computed", frame)
    connection.execute(f"INSERT INTO {table} BY NAME FROM computed")
    connection.unregister("computed")


def test_the_challenger_is_the_newest_candidate_that_is_not_champion(shop: Shop) -> None:
    assert find_challenger(shop) is None
    candidate(shop, "v1")
    assert challenger(shop).version == "v1"
    promote(shop, "v1")
    assert find_challenger(shop) is None
    candidate(shop, "v2")
    assert challenger(shop).version == "v2"
    promote(shop, "v2")
    assert find_challenger(shop) is None, "the champion before is none"
    shop.registry.roll_back("v2", actor="Ada", at=NOON, reason="complaints")
    found = find_challenger(shop)
    assert found is not None and found.version == "v2" and found.model is not None and found.why == ""


def test_it_says_beside_the_champion_what_it_would_have_said(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    candidate(shop, "v1")
    promote(shop, "v1")
    assert shadow_scores(shop, connection).is_empty()
    candidate(shop, "v2")
    scores = shadow_scores(shop, connection)
    assert scores["user_id"].to_list() == USERS["user_id"].to_list()
    assert set(scores.select("champion_version", "challenger_version", "champion_probability").rows()) == {
        ("v1", "v2", 0.5)
    }
    model = challenger(shop).model
    assert model is not None
    expected = model.predict(USERS.with_columns(snapshot_date=pl.lit(NEWEST)))
    assert (scores["challenger_probability"].to_numpy() == expected).all()
    edges = shop.bands
    critical = scores.filter(challenger_band="critical")["challenger_probability"]
    others = scores.filter(pl.col("challenger_band") != "critical")["challenger_probability"]
    assert critical.len() and critical.min() >= edges.critical > others.max()  # type: ignore[operator]
    publish(connection, "shadow_scores", scores)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("byte", r"boosted_0\.ubj has changed since the model was saved .* Restore .*v2 from a backup"),
        ("manifest", r"manifest\.json is damaged: .* Restore .*v2 from a backup"),
        ("gone", "There is no model 'v2'"),
        ("format", "Train again"),
        ("definition", "it was trained for the product definition another, not"),
        ("feature", r"it needs features that are no more: .*active_days_90d.*\. Train a new one"),
    ],
)
def test_a_challenger_that_cannot_score_is_told_and_stops_nothing(
    shop: Shop, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, damage: str, told: str
) -> None:
    candidate(shop, "v2", definition="another" if damage == "definition" else None)
    folder = shop.home.models / "v2"
    if damage == "byte":
        content = bytearray((folder / "boosted_0.ubj").read_bytes())
        content[len(content) // 2] ^= 1
        (folder / "boosted_0.ubj").write_bytes(bytes(content))
    elif damage == "manifest":
        (folder / "manifest.json").write_text('{"definition_version": ')
    elif damage == "gone":
        folder.rename(folder.with_name(".v2"))
    elif damage == "format":
        monkeypatch.setattr(churn_model, "_FORMAT", 99)
    elif damage == "feature":
        monkeypatch.setattr(Shop, "features", [name for name in shop.features if name != "active_days_90d"])
    found = find_challenger(shop)
    assert found is not None and found.model is None
    assert re.search(told, found.why), found.why
    assert shadow_scores(shop, connection).is_empty()


def shadow_of(shop: Shop, snapshot: date, users: int = 60, definition: str | None = None) -> pl.DataFrame:
    """What two models said at a snapshot: by the challenger, the first users are at the highest risk."""
    return pl.DataFrame(
        {
            "snapshot_date": snapshot,
            "user_id": [f"u{n:03d}" for n in range(users)],
            "champion_version": "v1",
            "challenger_version": "v2",
            "champion_probability": [0.3 + 0.4 * (n % 2) for n in range(users)],
            "challenger_probability": [0.9 - 0.8 * n / users for n in range(users)],
            "champion_band": "medium",
            "challenger_band": "medium",
            "scored_by": "model",
            "expected_value": 10.0,
            "definition_version": definition or shop.definition.version,
        }
    )


def buy(connection: duckdb.DuckDBPyConnection, user: str, day: date, known: date | None = None) -> None:
    connection.execute(
        "INSERT INTO user_days (user_id, event_date, known_date, activities) VALUES ($user, $day, $known, 1)",
        {"user": user, "day": day, "known": known or day},
    )


def bought(connection: duckdb.DuckDBPyConnection, snapshot: date, users: int = 60) -> None:
    """Everybody bought before the snapshot; the later half also within the 90 days after it."""
    for n in range(users):
        buy(connection, f"u{n:03d}", snapshot - timedelta(days=5))
        if n >= users // 2:
            buy(connection, f"u{n:03d}", snapshot + timedelta(days=89 if n % 2 else 0))


def test_outcomes_are_known_where_the_label_has_closed_and_by_the_query_of_the_labels(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    both = pl.concat([shadow_of(shop, CLOSED), shadow_of(shop, NEWEST)])
    publish(connection, "shadow_scores", both)
    bought(connection, CLOSED)
    buy(connection, "u000", CLOSED + timedelta(days=90))  # the day after the window: it has churned all the same
    rows = compare_challengers(shop, connection)
    publish(connection, "challenger_comparison", rows)
    closed, newest = (rows.row(by_predicate=pl.col("snapshot_date") == day, named=True) for day in (CLOSED, NEWEST))
    assert closed["matured"] and closed["label_version"] and closed["churn_rate"] == 0.5
    assert closed["challenger_auc"] == 1.0
    churned = [n < 30 for n in range(60)]
    assert closed["champion_auc"] == auc(churned, both["champion_probability"].head(60))
    assert closed["auc_gain"] == 1.0 - closed["champion_auc"] and closed["auc_gain_lower"] > 0
    assert not newest["matured"] and newest["churn_rate"] is None and newest["auc_gain"] is None
    assert newest["customers"] == closed["customers"] == 60
    assert connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'shadow_labels'").fetchall() == [
        (0,)
    ]


def test_what_was_settled_stays_until_the_files_behind_it_change(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    publish(connection, "shadow_scores", shadow_of(shop, CLOSED))
    bought(connection, CLOSED)
    first = compare_challengers(shop, connection)
    publish(connection, "challenger_comparison", first)
    for n in range(30, 40):
        connection.execute(
            "DELETE FROM user_days WHERE user_id = $user AND event_date >= $day", {"user": f"u{n:03d}", "day": CLOSED}
        )
    assert compare_challengers(shop, connection).equals(first), "not computed again"
    landed_history(shop.home, "corrected", [CLOSED, CLOSED + timedelta(days=1)])
    again = compare_challengers(shop, connection)
    assert again["churn_rate"].to_list() == [pytest.approx(40 / 60)]
    assert again["label_version"].to_list() != first["label_version"].to_list()


def test_a_snapshot_of_another_definition_gets_no_outcomes_and_keeps_those_it_has(
    shop: Shop, connection: duckdb.DuckDBPyConnection
) -> None:
    publish(connection, "shadow_scores", shadow_of(shop, CLOSED))
    bought(connection, CLOSED)
    known = compare_challengers(shop, connection)
    publish(connection, "challenger_comparison", known)
    shop.home.definition_file.write_text("[churn]\nhorizon_days = 60\n")
    assert compare_challengers(shop, connection).equals(known)
    connection.execute("DELETE FROM challenger_comparison")
    assert compare_challengers(shop, connection)["matured"].to_list() == [False]


def test_without_a_shadow_there_is_nothing_to_compare(shop: Shop, connection: duckdb.DuckDBPyConnection) -> None:
    rows = compare_challengers(shop, connection)
    assert rows.is_empty()
    assert rows.columns == default_library().contract("challenger_comparison").column_names
    publish(connection, "challenger_comparison", rows)
