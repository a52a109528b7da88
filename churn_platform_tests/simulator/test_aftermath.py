import json

import numpy as np
import polars as pl
import pytest

from churn_platform.simulator.aftermath import line_events, membership_events, returned_share, support_events
from churn_platform.simulator.catalogue import DEPARTMENTS, draw_catalogue
from churn_platform.simulator.customers import draw_customers, shop_calendar
from churn_platform.simulator.orders import draw_lines, draw_orders
from churn_platform.simulator.seasons import SECONDS_PER_DAY
from churn_platform.simulator.shop_settings import ShopSettings

SETTINGS = ShopSettings()
CALENDAR = shop_calendar(SETTINGS)
CUSTOMERS, CONTACTS = draw_customers(SETTINGS, 0, CALENDAR)
ORDERS = draw_orders(CUSTOMERS, CALENDAR, SETTINGS.days, np.random.default_rng(3))
CATALOGUE = draw_catalogue(7)
LINES = draw_lines(CUSTOMERS, ORDERS, CATALOGUE, np.random.default_rng(4))
MEMBERSHIP = membership_events(CUSTOMERS, SETTINGS.days, np.random.default_rng(5))
AFTER_LINES = line_events(
    CUSTOMERS, ORDERS, LINES, CATALOGUE.department[LINES.sku], SETTINGS.days, np.random.default_rng(6)
)


def test_returned_share_runs_from_three_to_nine_percent() -> None:
    share = returned_share(np.arange(len(DEPARTMENTS)))
    assert share[0] == pytest.approx(0.03) and share[-1] == pytest.approx(0.09)


def test_exactly_those_who_join_in_the_window_sign_up_once() -> None:
    signups = MEMBERSHIP.filter(pl.col("action") == "signup")["owner"]
    assert signups.sort().to_list() == np.flatnonzero(CUSTOMERS.arrival >= 0).tolist()


def test_consent_is_asked_at_signup_and_withdrawals_cluster_about_death() -> None:
    changes = MEMBERSHIP.filter(pl.col("action") == "consent_change")
    asked = changes.filter(pl.col("channel") != "email")
    given = asked["attributes"].str.json_path_match("$.marketing") == "true"
    assert asked.height == (CUSTOMERS.arrival >= 0).sum()
    assert given.mean() == pytest.approx(0.8, abs=0.05)
    withdrawn = changes.filter(pl.col("channel") == "email")
    assert withdrawn["owner"].is_unique().all()
    since_death = withdrawn["second"].to_numpy() / SECONDS_PER_DAY - CUSTOMERS.death[withdrawn["owner"].to_numpy()]
    assert (np.abs(since_death) < 30).mean() > 0.3


def test_a_support_contact_tells_its_outcome() -> None:
    inside = CONTACTS.time < SETTINGS.days
    events = support_events(CUSTOMERS, CONTACTS, SETTINGS.days, np.random.default_rng(7))
    assert 0 < events.height == inside.sum() < CONTACTS.owner.size
    outcomes = [json.loads(text)["outcome"] for text in events["attributes"]]
    assert outcomes == ["unresolved" if bad else "resolved" for bad in CONTACTS.bad[inside]]
    words = dict(zip(events["note"], outcomes, strict=True))
    assert words["Quick help, thank you."] == "resolved"
    assert words["Still waiting, nobody could help me."] == "unresolved"


def test_returns_give_back_at_most_what_was_bought() -> None:
    returns = AFTER_LINES.filter(pl.col("action") == "return")
    bought = pl.DataFrame(
        {
            "owner": ORDERS.owner[LINES.order],
            "order": ORDERS.number[LINES.order],
            "sku": LINES.sku,
            "bought": LINES.quantity,
        }
    )
    back = returns.group_by("owner", "order", "sku").agg(pl.col("qty").sum())
    both = back.join(bought.group_by("owner", "order", "sku").agg(pl.col("bought").sum()), on=["owner", "order", "sku"])
    assert both.height == back.height > 50
    assert (both["qty"] < 0).all() and (both["qty"] + both["bought"] >= 0).all()


def test_reviews_rate_from_one_to_five_in_words_that_fit() -> None:
    reviews = AFTER_LINES.filter(pl.col("action") == "review")
    ratings = [json.loads(text)["rating"] for text in reviews["attributes"]]
    assert set(ratings) == {1, 2, 3, 4, 5}
    by_note = dict(zip(reviews["note"], ratings, strict=True))
    assert by_note["Broke after two days."] == 1 and by_note["Love it, will buy again."] == 5
