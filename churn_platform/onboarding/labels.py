"""Which columns are category, channel, currency, free text and the event's own identifier."""

import re
from collections.abc import Sequence
from math import sqrt
from typing import Final

from churn_platform.onboarding.choices import NAMED, Choice, confidence_of, plain, told_by
from churn_platform.onboarding.numerals import currency_sign
from churn_platform.onboarding.profile import ColumnProfile, Profile
from churn_platform.onboarding.vocabulary import SIGNS, is_currency

MOST_CHANNELS: Final = 50
MOST_CURRENCIES: Final = 40
LONG_TEXT: Final = 12  # characters on average


def find_labels(profile: Profile, taken: Sequence[str]) -> dict[str, Choice]:
    """The labels that the files hold; each column for one of them at most."""
    found: dict[str, Choice] = {}
    different_records = profile.frame.unique().height if profile.named("event_id", NAMED) else 0
    for role, fits in (
        ("event_id", lambda column: column.filled == 1 and column.distinct == different_records),
        ("category", lambda column: column.distinct < column.records / 2 or column.records < 20),
        ("channel", lambda column: column.distinct <= MOST_CHANNELS),
        ("text", _is_text),
    ):
        used = {*taken, *(choice.columns[0] for choice in found.values())}
        named = [column for column in profile.named(role, NAMED - 0.01) if column.name not in used and fits(column)]
        if named:
            best = min(named, key=lambda column: (-column.name_scores[role], column.is_number))
            confidence = confidence_of(best.name_scores[role], sqrt(best.filled))
            told = f"{told_by(best.name_scores[role], best.name)}; {best.distinct:,} different"
            found[role] = Choice(role, plain(best.name), (best.name,), confidence, told)
    used = {*taken, *(choice.columns[0] for choice in found.values())}
    if "text" not in found and (long := _longest_text(profile, used)):
        told = f"no word in the header says so; {long.mean_length:.0f} characters on average, with blanks"
        found["text"] = Choice("text", plain(long.name), (long.name,), confidence_of(0.0, 0.7), told)
    return found


def find_currency(profile: Profile, amounts: Sequence[str], taken: Sequence[str]) -> tuple[Choice | None, str | None]:
    """The currency's choice, and its code where all records share one; both None where the files do not say.

    Args:
        amounts: the columns of money, whose values may carry a sign.
        taken: the columns that are something else.
    """
    for column in profile.columns.values():
        codes = [value for value, _ in column.values]
        if column.name in taken or not 0 < len(codes) <= MOST_CURRENCIES or not all(map(is_currency, codes)):
            continue
        told = f"its values are currency codes: {', '.join(codes[:5])}"
        only = codes[0].upper() if len({code.upper() for code in codes}) == 1 else None
        expression = plain(column.name) if all(map(str.isupper, codes)) else f"upper({plain(column.name)})"
        return Choice("currency", expression, (column.name,), 0.95, told), only
    for name in amounts:
        sign = currency_sign(value for value, _ in profile.columns[name].values)
        if sign in SIGNS:
            code = SIGNS[sign]
            told = f"the values of '{name}' carry the sign {sign}"
            return Choice("currency", f"'{code}'", (), 0.6 if sign in "$¥" else 0.9, told), code
    return None, None


def _is_text(column: ColumnProfile) -> bool:
    words = sum(count for value, count in column.values if re.search(r"[^\W\d_]{2}", value))
    return "user_id" not in column.name_scores and words > sum(count for _, count in column.values) / 2


def _longest_text(profile: Profile, used: set[str]) -> ColumnProfile | None:
    texts = [
        column
        for column in profile.columns.values()
        if column.name not in used
        and not column.name_scores
        and column.time is None
        and column.mean_length >= LONG_TEXT
        and column.distinct > 20
        and sum(" " in value for value, _ in column.values) > 0.6 * len(column.values)
    ]
    return max(texts, key=lambda column: column.mean_length, default=None)
