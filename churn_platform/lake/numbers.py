"""Numbers as people write them: thousands separators, a decimal comma, a currency, a minus or parentheses."""

from pathlib import Path

import duckdb

from churn_platform.lake.mapping import Decimal
from churn_platform.lake.source_file import Kind

# JSON and Excel have numbers of their own, with a point, whatever the mark in the texts beside them.
OWN_NUMBERS = ("jsonl", "xlsx")
BLANKS = "\u00a0\u2007\u2009\u202f"  # no-break, figure, thin and narrow no-break space
LETTER_SIGNS = ("kr", "zł", "Kč", "Ft", "Fr", "Rs")
# ISO 4217; any three letters would make '12 PCS' an amount of money
CODES = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP "
    "CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF "
    "IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD "
    "MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB "
    "RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD "
    "UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG"
)


def create_number_macros(connection: duckdb.DuckDBPyConnection, decimal: Decimal, kind: Kind) -> None:
    """Create the temp macros `as_decimal` (DECIMAL(18, 4)) and `as_double` of a text: NULL if it is no number.

    Args:
        decimal: the mark of the source's texts. The other one, a blank and an apostrophe may group digits by three.
    """
    variables = {
        "decimal": decimal,
        "plain_point": decimal == "." or kind in OWN_NUMBERS,
        "blanks": BLANKS,
        "currency_form": _currency_form(),
        "number_form": _number_form(decimal),
    }
    for name, value in variables.items():
        connection.execute(f"SET VARIABLE {name} = ?", [value])
    connection.execute(Path(__file__).with_name("sql").joinpath("written_number.sql").read_text("utf-8"))


def _currency_form() -> str:
    """One currency at the beginning, after a sign if there is one, or at the end, before one."""
    currency = rf"(?:[A-Z]{{0,3}}\p{{Sc}}|(?:{'|'.join(LETTER_SIGNS)})\.?|{CODES.replace(' ', '|')})"
    return rf"^([-+(]?) ?{currency} ?| ?{currency} ?([-)]?)$"


def _number_form(decimal: Decimal) -> str:
    other = "," if decimal == "." else "."
    groups = "|".join(rf"(?:{mark}\d{{3}})+" for mark in (rf"\{other}", " ", "'"))
    mark = rf"\{decimal}"
    number = rf"(?:(?:\d+|[1-9]\d{{0,2}}(?:{groups}))(?:{mark}\d*)?|{mark}\d+)"
    return rf"[-+]? ?{number}|{number} ?-|\( ?{number} ?\)"
