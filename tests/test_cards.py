"""One customer on one card."""

import dataclasses
import json

import pytest

import regulars as rg
from regulars.errors import CustomerError


@pytest.fixture(scope="module")
def result(sample_result) -> rg.Segmentation:
    return sample_result


@pytest.fixture(scope="module")
def somebody(result) -> dict:
    best = result.customers.order_by(result.customers.monetary.desc()).limit(1)
    return best.to_pyarrow().to_pylist()[0]


def test_the_numbers_are_those_of_the_table(result, somebody):
    card = rg.customer_card(result, somebody["customer_id"])

    assert {"customer_id": card.customer_id, **card.numbers} == somebody
    assert (card.segment, card.group) == (somebody["segment"], somebody["rfm_group"])
    assert card.action == next(s.action.action for s in result.segments if s.name == somebody["segment"])


def test_the_orders_add_up_in_time(result, somebody):
    card = rg.customer_card(result, somebody["customer_id"])

    assert sum(amount for *_, amount in card.orders) == somebody["monetary"]
    assert len(card.orders) == somebody["frequency"]
    assert [when for when, *_ in card.orders] == sorted(when for when, *_ in card.orders)
    assert card.orders[-1][0].date() == somebody["last_order"]


def test_what_comes_next_is_said_in_words(result, somebody):
    first, second = rg.customer_card(result, somebody["customer_id"]).ahead
    assert first.startswith(
        f"{somebody['p_active']:.0%} chance of an order in the next {result.outlook.horizon_days} days;"
    )
    assert f"{somebody['expected_orders']:.1f} expected for £" in first
    assert second.endswith("of the last 365 days' revenue is at risk.")

    without = dataclasses.replace(result, outlook=None)
    assert rg.customer_card(without, somebody["customer_id"]).ahead == ()


def test_every_card_has_reasons_and_can_be_json(result):
    ids = result.customers.order_by("customer_id").limit(25).to_pyarrow()["customer_id"].to_pylist()
    for customer_id in ids:
        card = rg.customer_card(result, f" {customer_id} ")
        assert card.why
        assert all(move.sentence.endswith(".") for move in card.moves)
        json.dumps(card.to_dict(), default=str)


def test_a_run_without_orders_has_a_card_without_them(result, somebody):
    assert rg.customer_card(dataclasses.replace(result, orders=None), somebody["customer_id"]).orders is None


def test_an_unknown_customer_is_an_error_that_helps(result, somebody):
    known = somebody["customer_id"]

    with pytest.raises(CustomerError, match=f"called '{known[:-1]}'.*Did you mean"):
        rg.customer_card(result, known[:-1])
    with pytest.raises(CustomerError, match="No customer of"):
        rg.customer_card(result, "'; DROP TABLE customers; --")
