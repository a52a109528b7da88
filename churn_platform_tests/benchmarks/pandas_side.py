"""What a user would otherwise write: the same labelled features of windows, rhythm and orders in pandas.

`python -m … pandas_side FILE LOOKBACK HORIZON SNAPSHOT…` reads a simulated shop's Parquet file and tells the seconds to
the training set. It computes what the platform's `user_features` and `churn_labels` hold, without checks and without
the other families of features; a test compares the two cell by cell.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from churn_platform_tests.benchmarks.processes import tell

WINDOWS = (7, 14, 30, 60, 90, 180, 365)
COUNTED = {
    "purchases": "purchase",
    "views": "view",
    "searches": "search",
    "carts": "add_to_cart",
    "returns": "return",
    "support_contacts": "support_contact",
}
MEASURES = (
    "purchases",
    "spend",
    "quantity",
    "views",
    "searches",
    "carts",
    "returns",
    "return_amount",
    "support_contacts",
)


def main() -> None:
    source, lookback, horizon = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    began = time.perf_counter()
    examples = training_set(source, [pd.Timestamp(day) for day in sys.argv[4:]], lookback, horizon)
    tell({"seconds": time.perf_counter() - began, "rows": len(examples)})


def training_set(source: Path, snapshots: Sequence[pd.Timestamp], lookback: int, horizon: int) -> pd.DataFrame:
    """Eligible customers at each snapshot with their features and `churned`; indexed by user_id."""
    events = read_events(source)
    days, orders = user_days(events), order_days(events)
    return pd.concat(
        labelled(features(days, orders, snapshot, lookback), days, snapshot, horizon) for snapshot in snapshots
    )


def read_events(source: Path) -> pd.DataFrame:
    columns = ["event_uuid", "customer", "occurred_at", "action", "qty", "price", "order_ref"]
    events = pd.read_parquet(source, columns=columns)
    events = events[events["customer"].notna()].drop_duplicates("event_uuid")
    events["date"] = events["occurred_at"].dt.tz_localize(None).dt.floor("D")
    events["amount"] = events["qty"] * events["price"]
    return events


def user_days(events: pd.DataFrame) -> pd.DataFrame:
    """Grain customer, date."""
    marked = events[["customer", "date"]].copy()
    for measure, action in COUNTED.items():
        marked[measure] = (events["action"] == action).astype("int64")
    bought, returned = events["action"] == "purchase", events["action"] == "return"
    marked["quantity"] = events["qty"].where(bought, 0).fillna(0)
    marked["spend"] = events["amount"].where(bought, 0).fillna(0)
    marked["return_amount"] = events["amount"].abs().where(returned, 0).fillna(0)
    return marked.groupby(["customer", "date"], as_index=False).sum()


def order_days(events: pd.DataFrame) -> pd.DataFrame:
    """Grain customer, order."""
    bought = events[events["action"] == "purchase"]
    return bought.groupby(["customer", "order_ref"], as_index=False)["date"].min()


def features(days: pd.DataFrame, orders: pd.DataFrame, snapshot: pd.Timestamp, lookback: int) -> pd.DataFrame:
    """The features of every customer who was eligible at the snapshot."""
    known = days[days["date"] < snapshot].copy()
    known["age"] = (snapshot - known["date"]).dt.days
    by_user = known.groupby("customer")
    table = pd.DataFrame(
        {
            "any_event_recency_days": by_user["age"].min(),
            "tenure_days": by_user["age"].max(),
            "spend_total": by_user["spend"].sum(),
        }
    )
    for window in WINDOWS:
        sums = known[known["age"] <= window].groupby("customer")[list(MEASURES)].sum()
        table = table.join(sums.add_suffix(f"_{window}d"))
    table = table.fillna(0).join(rhythm(known[known["purchases"] > 0])).join(order_counts(orders, snapshot))
    counts = [name for name in table if str(name).startswith(("orders_", "active_days_"))]
    table[counts] = table[counts].fillna(0)
    table["recency_over_median_gap"] = table["recency_days"] / table["median_gap_days"]
    table["return_share_365d"] = (table["return_amount_365d"] / table["spend_365d"]).where(table["spend_365d"] > 0)
    table["order_value_365d"] = (table["spend_365d"] / table["orders_365d"]).where(table["orders_365d"] > 0)
    return table[table["recency_days"] <= lookback].rename_axis("user_id").assign(snapshot_date=snapshot)


def rhythm(active: pd.DataFrame) -> pd.DataFrame:
    """Gaps between a customer's active days, and how many there are by window."""
    active = active.sort_values(["customer", "date"])
    active["gap"] = active.groupby("customer")["age"].shift() - active["age"]
    by_user = active.groupby("customer")
    table = pd.DataFrame(
        {
            "active_days_total": by_user.size(),
            "recency_days": by_user["age"].min(),
            "active_tenure_days": by_user["age"].max(),
            "mean_gap_days": by_user["gap"].mean(),
            "median_gap_days": by_user["gap"].median(),
            "sd_gap_days": by_user["gap"].std(),
            "max_gap_days": by_user["gap"].max(),
            "last_gap_days": by_user["gap"].last(),
        }
    )
    for window in WINDOWS:
        table[f"active_days_{window}d"] = active[active["age"] <= window].groupby("customer").size()
    return table


def order_counts(orders: pd.DataFrame, snapshot: pd.Timestamp) -> pd.DataFrame:
    known = orders[orders["date"] < snapshot]
    age = (snapshot - known["date"]).dt.days
    table = pd.DataFrame({"orders_total": known.groupby("customer").size()})
    for window in WINDOWS:
        table[f"orders_{window}d"] = known[age <= window].groupby("customer").size()
    return table


def labelled(table: pd.DataFrame, days: pd.DataFrame, snapshot: pd.Timestamp, horizon: int) -> pd.DataFrame:
    end = snapshot + pd.Timedelta(days=horizon)
    back = days[(days["purchases"] > 0) & (days["date"] >= snapshot) & (days["date"] < end)]
    return table.assign(churned=~table.index.isin(back["customer"]))


if __name__ == "__main__":
    main()
