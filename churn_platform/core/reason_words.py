"""The words around a reason, in the languages of a shop's people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class ReasonWords:
    """What a reason is told with.

    Attributes:
        towards_churn, towards_staying: follow the text; they state an association, never a cause.
        no_history: of a {family} without any value.
        purchase_pattern: tells the BG/NBD's part of a margin, which is no column of the features.
        yes, no: values of a flag.
        percent: a share; {value} is in percent.
        colon: between the text and what follows it.
    """

    towards_churn: str
    towards_staying: str
    no_history: str
    purchase_pattern: str
    yes: str
    no: str
    percent: str
    colon: str


REASON_WORDS: Mapping[Language, ReasonWords] = {
    "en": ReasonWords(
        towards_churn="associated with a higher churn risk",
        towards_staying="associated with staying",
        no_history="no {family} history",
        purchase_pattern="number and timing of purchases so far",
        yes="yes",
        no="no",
        percent="{value} %",
        colon=": ",
    ),
    "zh": ReasonWords(
        towards_churn="与流失风险较高相关",
        towards_staying="与留存相关",
        no_history="无{family}记录",
        purchase_pattern="历次购买的次数与时间规律",
        yes="是",
        no="否",
        percent="{value}%",
        colon="：",
    ),
}
