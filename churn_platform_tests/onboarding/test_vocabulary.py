"""What headers and words for events mean."""

import pytest

from churn_platform.onboarding.vocabulary import event_type_of, is_currency, name_scores, words_of


@pytest.mark.parametrize(
    ("header", "role"),
    [
        ("customer_unique_id", "user_id"), ("Kundennr.", "user_id"), ("顾客编号", "user_id"),
        ("items.price.amount", "unit_price"), ("items.unit_price.value", "unit_price"),
        ("order.total.amount", "amount"), ("items.amount", "amount"),
        ("customer.id", "user_id"), ("user.profile.id", "user_id"), ("customer.order.id", "order_id"),
        ("visitorid", "user_id"), ("order_purchase_timestamp", "event_time"), ("Bestelldatum", "event_time"),
        ("Fecha de pedido", "event_time"), ("items.sku", "item_id"), ("Artikel-Nr.", "item_id"),
        ("line_total", "amount"), ("Total Price", "amount"), ("Umsatz", "amount"), ("SALES_VALUE", "amount"),
        ("Stückpreis", "unit_price"), ("Precio unitario", "unit_price"), ("BASKET_ID", "order_id"),
        ("Rechnungsnummer", "order_id"), ("Warengruppe", "category"), ("Währung", "currency"),
        ("product_name", "text"), ("event_type", "event_type"), ("session_id", "session_id"),
    ],
)  # fmt: skip
def test_a_header_says_what_it_is(header: str, role: str) -> None:
    scores = name_scores(header)
    assert max(scores, key=lambda name: scores[name]) == role


@pytest.mark.parametrize("header", ["Country", "customer_city", "STORE_ID", "Lieferland", "x", "column7", ""])
def test_a_header_that_says_nothing_of_ours_has_no_strong_score(header: str) -> None:
    assert max(name_scores(header).values(), default=0) < 0.5


def test_words_are_split_and_plain() -> None:
    assert words_of("Größe_derLieferung.Nr7") == ["grosse", "der", "lieferung", "nr7"]


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("Add To Cart", "add_to_cart"),
        ("gekauft", "purchase"),
        ("REFUNDED", "return"),
        ("购买", "purchase"),
        ("Verkoop", "purchase"),
        ("Retour", "return"),
        ("Annulering", "adjustment"),
        ("hm", None),
    ],
)
def test_words_for_events(word: str, kind: str | None) -> None:
    assert event_type_of(word) == kind


def test_currencies() -> None:
    assert is_currency("eur")
    assert not is_currency("ABC")


def test_a_mere_id_is_the_number_of_what_a_record_is() -> None:
    assert name_scores("id", "orders-2024") == {"order_id": 0.7}
    assert name_scores("Nr.", "kunden") == {"user_id": 0.7}
    assert name_scores("id", "export") == {}
    assert name_scores("customer.id", "orders") == name_scores("customer.id")
