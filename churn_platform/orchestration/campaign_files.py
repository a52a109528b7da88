"""The campaign list that is handed to people: a typed frame, kept as a CSV file per list."""

import csv
from pathlib import Path

import dagster as dg
import pandas as pd
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type
from pydantic import Field

from churn_platform.errors import UsageError
from churn_platform.settings import Home
from churn_platform.whole_file import written_whole

CampaignList = create_dagster_pandas_dataframe_type(
    name="CampaignList",
    description="Customers to contact, most at stake first; one row per customer.",
    columns=[
        PandasColumn.integer_column("rank", min_value=1, non_nullable=True, unique=True),
        PandasColumn.string_column("user_id", non_nullable=True, unique=True),
        PandasColumn.string_column("action", non_nullable=True),
        PandasColumn.float_column("churn_probability", min_value=0.0, max_value=1.0, non_nullable=True),
        PandasColumn.float_column("value_at_risk", min_value=0.0, non_nullable=True),
        PandasColumn.float_column("expected_profit", min_value=0.0, non_nullable=True),
        PandasColumn.string_column("reason", non_nullable=True),
        PandasColumn.string_column("suggested_topic"),
        PandasColumn.string_column("list_id", non_nullable=True),
    ],
)


# A spreadsheet takes a cell that begins so for a formula and runs it (OWASP, 'CSV Injection').
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class CampaignFiles(dg.ConfigurableIOManager):
    """Writes `campaigns/<list_id>/campaign_list.csv`; the file appears whole or not at all.

    A text that a spreadsheet would run as a formula gets an apostrophe before it; the table retention_campaign has it
    as it is. A file with more than ASCII begins with the mark by which Excel tells UTF-8 from the machine's code page.
    """

    home_folder: str = Field(description="CHURN_HOME")

    def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame) -> None:
        if obj.empty:
            context.log.warning("Nobody is worth a contact under this budget and these economics; no file is written.")
            return
        folder = Home(Path(self.home_folder)).campaigns / str(obj["list_id"].iloc[0])
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "campaign_list.csv"
        text = _inert(obj).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
        with written_whole(file) as draft:
            draft.write_text(text, encoding="utf-8" if text.isascii() else "utf-8-sig", newline="")
        context.add_output_metadata({"file": dg.MetadataValue.path(file), "dagster/row_count": len(obj)})

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        raise UsageError("The campaign list is a file for people. Read the table retention_campaign instead.")


def _inert(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an apostrophe before each text that begins like a formula."""
    texts = frame.select_dtypes(include=["object", "string"]).columns
    return frame.assign(**{name: frame[name].map(_without_formula, na_action="ignore") for name in texts})


def _without_formula(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
