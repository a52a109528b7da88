"""Column lineage of the project's own models."""

from churn_platform.sql.library import default_library
from churn_platform.sql.lineage import column_lineage


def test_lineage_of_the_projects_features() -> None:
    lineage = column_lineage(default_library(), "user_features")
    assert list(lineage) == list(default_library().models["user_features"].columns)
    assert lineage["recency_days"] == (("user_days", "event_date"),)
    assert lineage["spend_30d"] == (("user_days", "spend"),)
    assert lineage["orders_7d"] == (("fct_orders", "order_date"),)
    assert lineage["snapshot_date"] == ()


def test_every_source_in_the_projects_lineage_exists() -> None:
    library = default_library()
    for table in library.models:
        for sources in column_lineage(library, table).values():
            for source, column in sources:
                assert column in library.contracts[source].column_names
