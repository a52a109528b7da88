"""Which column is what: by header, by content, and by how columns hang together."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from churn_platform.onboarding.finding import Found
from churn_platform.onboarding.initialise import propose
from churn_platform_tests.onboarding.transaction_log import as_csv, order_lines

Write = Callable[[str, bytes | str], Path]
NOW = datetime(2025, 6, 1)  # noqa: DTZ001
LINES = order_lines(customers=120, days=300)


def found(path: Path) -> Found:
    return propose([path], "shop", NOW).found


def expressions(outcome: Found) -> dict[str, str]:
    return {role: choice.expression for role, choice in outcome.choices.items()}


@pytest.mark.parametrize(
    "header",
    [
        ["Invoice", "Customer ID", "InvoiceDate", "StockCode", "Quantity", "Price", "Country"],
        ["BelegNr", "KdNr", "Kaufdatum", "ArtNr", "Stk", "VK-Preis", "Land"],
        ["No. de pedido", "id_cliente", "Fecha", "código de artículo", "Cantidad", "Precio unitario", "Región"],
        ["numéro de commande", "client", "date_commande", "réf. article", "Quantité", "Prix unitaire", "région"],
        ["订单编号", "会员号", "下单时间", "商品编号", "数量", "单价", "地区"],
        ["заказ", "покупатель", "дата", "товар", "количество", "цена", "регион"],
        ["txn_id", "shopperRef", "purchasedAt", "skuCode", "pcs", "unit_cost", "area"],
        ["ORD_NO", "CUST_NO", "ORD_DT", "PROD_CD", "QTY", "UNIT_PRC", "REGION"],
    ],
)
def test_headers_in_many_languages(header: list[str], write: Write) -> None:
    outcome = found(write("log.csv", as_csv(header, LINES)))
    columns = {role: choice.columns for role, choice in outcome.choices.items()}
    order, customer, time, item, quantity, price, _ = header
    assert columns["order_id"] == (order,)
    assert columns["user_id"] == (customer,)
    assert columns["event_time"] == (time,)
    assert columns["item_id"] == (item,)
    assert columns["quantity"] == (quantity,)
    assert columns["unit_price"] == (price,)
    assert columns["amount"] == ()
    assert outcome.choices["user_id"].confidence > 0.8


def test_headers_that_say_nothing(write: Write) -> None:
    rows = as_csv(["a", "b", "c", "d", "e", "f", "g"], LINES).splitlines()
    with_total = [f"{line},{entry.quantity * entry.price:.2f}" for line, entry in zip(rows[1:], LINES, strict=True)]
    outcome = found(write("log.csv", "\n".join([f"{rows[0]},h", *with_total, ""])))
    assert expressions(outcome) == {
        "order_id": "a", "user_id": "b", "event_time": "c", "item_id": "d", "quantity": "e", "unit_price": "f",
        "amount": "h",
    }  # fmt: skip
    assert "e × f = h in 100% of the records" in outcome.choices["amount"].evidence
    assert outcome.choices["user_id"].confidence < 0.7, "only the content speaks for it"


def test_returns_are_told_by_a_prefix_and_by_negative_quantities(write: Write) -> None:
    header = ["Invoice", "Customer ID", "InvoiceDate", "StockCode", "Quantity", "Price", "Country"]
    outcome = found(write("log.csv", as_csv(header, LINES)))
    assert outcome.types.rules == [("Invoice LIKE 'C%' OR Quantity < 0", "return"), (None, "purchase")]
    kept = [line for line in LINES if line.quantity > 0]
    outcome = found(write("kept.csv", as_csv(header, kept)))
    assert outcome.types.rules == [(None, "purchase")]


def test_returns_are_told_by_a_flag(write: Write) -> None:
    rows = "client,date,total,is_return\na,2024-01-01,2.50,N\nb,2024-01-02,3.50,Y\n"
    rules = found(write("log.csv", rows)).types.rules
    assert rules == [("CAST(is_return AS VARCHAR) = 'Y'", "return"), (None, "purchase")]
    reasons = rows.replace("N\n", "late\n").replace("Y\n", "broken\n").replace("is_return", "return reason")
    assert found(write("reasons.csv", reasons)).types.rules == [(None, "purchase")]


def test_a_prefix_of_ordinary_orders_is_no_return(write: Write) -> None:
    lines = "".join(f"{'W' if n % 5 == 0 else ''}{n},c{n % 3},2024-01-{n % 28 + 1:02},2.50\n" for n in range(100, 160))
    assert found(write("log.csv", f"order,customer,date,total\n{lines}")).types.rules == [(None, "purchase")]


def test_the_total_of_an_order_is_not_the_amount_of_its_lines(write: Write) -> None:
    header = "Name,Email,Created at,Currency,Total,Lineitem quantity,Lineitem price,Lineitem sku"
    totals: dict[str, float] = {}
    for line in LINES:
        totals[line.order] = totals.get(line.order, 0.0) + abs(line.quantity) * line.price
    rows = [
        f"#{line.order},{line.customer}@x.org,{line.time:%Y-%m-%d %H:%M:%S} +0100,eur,{totals[line.order]:.2f},"
        f"{abs(line.quantity)},{line.price},{line.item}"
        for line in LINES
    ]
    outcome = found(write("shopify.csv", "\n".join([header, *rows, ""])))
    assert expressions(outcome) == {
        "user_id": "Email", "event_time": '"Created at"', "item_id": '"Lineitem sku"', "order_id": "Name",
        "quantity": '"Lineitem quantity"', "unit_price": '"Lineitem price"', "currency": "upper(Currency)",
        "amount": '"Lineitem quantity" * "Lineitem price"',
    }  # fmt: skip
    assert "'Total' is that of the whole order" in outcome.choices["amount"].evidence
    assert outcome.moment is not None
    assert outcome.moment.time_format == "%Y-%m-%d %H:%M:%S %z"


def test_an_amount_that_is_not_the_product_stands_where_it_is_the_lines_own(write: Write) -> None:
    header = "order,customer,date,sku,qty,price,line total after discount"
    rows = [
        f"{line.order},{line.customer},{line.time},{line.item},{line.quantity},{line.price},"
        f"{line.quantity * line.price * 0.9:.2f}"
        for line in LINES
    ]
    outcome = found(write("log.csv", "\n".join([header, *rows, ""])))
    assert expressions(outcome)["amount"] == '"line total after discount"'


def test_a_price_without_a_quantity_is_the_amount(write: Write) -> None:
    outcome = found(write("log.csv", "customer,date,price\na,2024-01-01,2.50\nb,2024-01-02,3.50\n"))
    assert expressions(outcome) == {"user_id": "customer", "event_time": "date", "amount": "price"}
    assert "without a quantity" in outcome.choices["amount"].evidence


def test_the_one_unnamed_column_of_cents_is_the_amount(write: Write) -> None:
    outcome = found(write("log.csv", "customer,date,x\na,2024-01-01,2.50\nb,2024-01-02,3.75\n"))
    assert expressions(outcome)["amount"] == "x"
    outcome = found(write("places.csv", "customer,date,x\na,2024-01-01,52.5012\nb,2024-01-02,13.7523\n"))
    assert "amount" not in expressions(outcome)


def test_money_beside_a_quantity_is_the_amount_if_it_grows_with_it(write: Write) -> None:
    header = ["order", "customer", "date", "item", "qty", "x", "region"]
    assert expressions(found(write("price.csv", as_csv(header, LINES))))["unit_price"] == "x"
    multiplied = [replace(line, price=round(line.price * line.quantity, 2)) for line in LINES]
    outcome = expressions(found(write("amount.csv", as_csv(header, multiplied))))
    assert (outcome["amount"], "unit_price" in outcome) == ("x", False)


def test_dates_of_other_things_are_not_the_time_of_the_event(write: Write) -> None:
    header = "customer,date of birth,delivery date,order date,updated_at\n"
    rows = "a,1980-01-01,2024-01-09,2024-01-03,2024-05-01\nb,1990-05-05,2024-01-12,2024-01-04,2024-05-01\n"
    assert expressions(found(write("log.csv", header + rows)))["event_time"] == '"order date"'


def test_a_date_and_a_time_of_day_are_put_together(write: Write) -> None:
    rows = "kunde,datum,uhrzeit\na,31.01.2024,17:05\nb,01.02.2024,08:30\n"
    outcome = found(write("log.csv", rows))
    assert expressions(outcome)["event_time"] == "datum || ' ' || uhrzeit"
    assert outcome.moment is not None
    assert outcome.moment.time_format == "%d.%m.%Y %H:%M"


def test_an_identifier_of_the_event_must_be_unique(write: Write) -> None:
    rows = "event_id,customer,date\n{},a,2024-01-01\n{},a,2024-01-02\n{},b,2024-01-02\n"
    assert expressions(found(write("unique.csv", rows.format(1, 2, 3))))["event_id"] == "event_id"
    assert "event_id" not in expressions(found(write("counter.csv", rows.format(1, 1, 2))))


def test_the_status_of_an_order_tells_what_was_cancelled(write: Write) -> None:
    rows = "order,client,date,status\n1,a,2024-01-01,delivered\n2,b,2024-01-01,canceled\n3,b,2024-01-02,refunded\n"
    types = found(write("log.csv", rows)).types
    assert types.values == {"delivered": "purchase", "canceled": "adjustment", "refunded": "return"}
    assert types.activity == ["purchase"]


def test_a_column_called_type_of_unknown_words_is_no_event_type(write: Write) -> None:
    rows = "client,date,customer type\na,2024-01-01,gold\nb,2024-01-02,basic\n"
    types = found(write("log.csv", rows)).types
    assert types.rules == [(None, "purchase")]
    assert types.choice.confidence > 0.7


def test_types_that_are_bare_numbers_raise_a_doubt(write: Write) -> None:
    rows = "user_id,item_id,behavior_type,time\n1,7,1,2024-01-01\n1,8,4,2024-01-02\n2,7,1,2024-01-02\n"
    types = found(write("log.csv", rows)).types
    assert types.rules == [(None, "purchase")]
    assert types.choice.confidence == 0.5
    assert "the values of 'behavior_type' (1, 4) have no known meaning" in types.choice.evidence


def test_tax_and_discount_are_not_what_was_paid(write: Write) -> None:
    rows = "client,date,discount amount,tax total,order total\na,2024-01-01,1.50,0.20,7.50\nb,2024-01-02,0,0.10,3.25\n"
    assert expressions(found(write("log.csv", rows)))["amount"] == '"order total"'


def test_a_wide_export_is_read_by_its_headers(write: Write) -> None:
    header = [*(f"attr{n}" for n in range(60)), "customer_no", "date"]
    rows = [",".join([*(f"v{n * row}" for n in range(60)), f"c{row % 7}", f"2024-01-{row:02}"]) for row in range(1, 29)]
    outcome = found(write("wide.csv", "\n".join([",".join(header), *rows, ""])))
    assert expressions(outcome)["user_id"] == "customer_no"


def test_where_nothing_is_bought_every_kind_of_event_is_an_activity(write: Write) -> None:
    rows = "user,ts,event_type\na,2024-01-01,play\nb,2024-01-02,pause\nb,2024-01-02,login\n"
    types = found(write("log.csv", rows)).types
    assert sorted(types.activity) == ["login", "pause", "play"]


def test_a_currency_is_told_by_codes_or_by_a_sign(write: Write) -> None:
    outcome = found(write("a.csv", "client,date,total,w\na,2024-01-01,2.50,PLN\nb,2024-01-02,3.50,PLN\n"))
    assert (expressions(outcome)["currency"], outcome.currency) == ("w", "PLN")
    outcome = found(write("b.csv", "client,date,total\na,2024-01-01,£2.50\nb,2024-01-02,£3.50\n"))
    assert (expressions(outcome)["currency"], outcome.currency) == ("'GBP'", "GBP")
    outcome = found(write("c.csv", "client,date,total,w\na,2024-01-01,2.50,PLN\nb,2024-01-02,3.50,EUR\n"))
    assert (expressions(outcome)["currency"], outcome.currency) == ("w", None)
