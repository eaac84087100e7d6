"""URL parameters: typed and checked where they are set, named as the reference names them."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from trackable.contrib.analytics import parameters as p
from trackable.contrib.analytics.exceptions import InvalidParametersException
from trackable.contrib.analytics.parameters.base import AbstractUrlGenerator
from trackable_tests.tables import for_each

#: of each class every parameter there is, with a value of its type
FULL: list[tuple[AbstractUrlGenerator, dict[str, Any]]] = [
    (p.HitParameters(queue_time=560, non_interaction_hit=True), {"qt": 560, "ni": 1}),
    (p.AppTrackingParameters(name="a", app_id="b", version="c", installer_id="d"),
     {"an": "a", "aid": "b", "av": "c", "aiid": "d"}),
    (p.EventParameters("a", "b", "c", 4), {"ec": "a", "ea": "b", "el": "c", "ev": 4}),
    (p.SocialInteractionParameters(network="a", action="b", target="c"),
     {"sn": "a", "sa": "b", "st": "c"}),
    (p.ExceptionParameters(description="a", fatal=False), {"exd": "a", "exf": 0}),
    (p.TimingParameters(
        user_timing_category="a", user_timing_variable="b", user_timing_value=1,
        user_timing_label="c", page_load_time=2, dns_time=3, page_download_time=4,
        redirect_response_time=5, tcp_connect_time=6, server_response_time=7,
        dom_interactive_time=8, content_load_time=9),
     {"utc": "a", "utv": "b", "utt": 1, "utl": "c", "plt": 2, "dns": 3, "pdt": 4, "rrt": 5,
      "tcp": 6, "srt": 7, "dit": 8, "clt": 9}),
    (p.PageViewParameters(
        location_url="a", host_name="b", path="c", title="d", screen_name="e", link_id="f"),
     {"dl": "a", "dh": "b", "dp": "c", "dt": "d", "cd": "e", "linkid": "f"}),
]  # fmt: skip


@for_each("generator, url", FULL)
def test_every_parameter_of_a_class_has_its_name(
    generator: AbstractUrlGenerator, url: dict[str, Any]
) -> None:
    assert generator.url() == url
    assert len(generator) == len(generator.meta.parameters)


def test_every_parameter_of_the_session_has_its_name() -> None:
    names = "cid uid sc uip ua geoid dr cn cs cm ck cc ci gclid dclid sr vp de sd ul je fl xid xvar"
    found = [each.component(p.SessionParameters.meta) for each in all_of(p.SessionParameters)]
    assert found == names.split()


def test_every_parameter_of_enhanced_ecommerce_has_its_name() -> None:
    class Promotion(p.EnhancedEComPromotionParameters):
        class Meta:
            index_prefix = 1

    promotion = Promotion(promo_id="a", name="b", creative="c", position="d")
    assert promotion.url() == {"promo1id": "a", "promo1nm": "b", "promo1cr": "c", "promo1ps": "d"}
    general = [
        each.component(p.EnhancedEComGeneralParameters.meta)
        for each in all_of(p.EnhancedEComGeneralParameters)
    ]
    assert general == [
        "pa",
        "ti",
        "ta",
        "tr",
        "tt",
        "ts",
        "tcc",
        "pal",
        "cos",
        "col",
        "promoa",
        "cu",
    ]
    product = [
        each.component(p.EnhancedEComProductParameters.meta)
        for each in all_of(p.EnhancedEComProductParameters)
    ]
    assert product == ["id", "nm", "br", "ca", "va", "pr", "qt", "cc", "ps"]


def test_custom_parameters_have_prefix_and_index() -> None:
    class Groups(p.ContentGroupUrlGenerator):
        section = p.VP(10)

    class Dimensions(p.EnhancedEComCustomDimensionProductParameters):
        colour = p.VP(7)

    class Metrics(p.EnhancedEComCustomMetricProductParameters):
        weight = p.VP(8)

    assert Groups(section="/news/local").url() == {"cg10": "/news/local"}
    assert Dimensions(colour="red").url(2) == {"pr2cd7": "red"}
    assert Metrics(weight=1.5).url(3) == {"pr3cm8": 1.5}


def all_of(generator: type[AbstractUrlGenerator]) -> list[Any]:
    return list(generator.meta.parameters.values())


# what is wrong


@for_each(
    "generator, values",
    [
        (p.EventParameters, {"category": "é" * 76}),
        (p.EventParameters, {"category": "a", "action": "a" * 501}),
        (p.EventParameters, {"category": "a", "value": -1}),
        (p.EventParameters, {"category": "a", "value": 1.5}),
        (p.EventParameters, {"category": "a", "value": True}),
        (p.HitParameters, {"queue_time": -1}),
        (p.HitParameters, {"queue_time": "soon"}),
        (p.HitParameters, {"non_interaction_hit": "yes"}),
        (p.HitParameters, {"non_interaction_hit": 2}),
        (p.SessionParameters, {"session_control": "begin"}),
        (p.SessionParameters, {"document_referrer": "a" * 2049}),
        (p.SessionParameters, {"screen_resolution": "a" * 21}),
        (p.SessionParameters, {"client_id": None, "user_id": ["a"]}),
        (p.SessionParameters, {"client_id": b"a"}),
        (p.SessionParameters, {"client_id": True}),
        (p.EnhancedEComGeneralParameters, {"product_action": "steal"}),
        (p.EnhancedEComGeneralParameters, {"promotion_action": "ignore"}),
        (p.EnhancedEComGeneralParameters, {"revenue": float("nan")}),
        (p.EnhancedEComGeneralParameters, {"revenue": float("inf")}),
        (p.EnhancedEComGeneralParameters, {"revenue": "much"}),
        (p.EnhancedEComGeneralParameters, {"revenue": 1e30}),
        (p.ExceptionParameters, {"description": "a" * 151}),
    ],
)
def test_wrong_value_raises_where_it_is_set(generator: Any, values: dict[str, Any]) -> None:
    name = list(values)[-1]
    with pytest.raises(InvalidParametersException, match=rf"{generator.__name__}\.{name} is wrong"):
        generator(**values)


def test_error_says_how_long_a_text_may_be() -> None:
    with pytest.raises(InvalidParametersException, match="it has 152 bytes, and may have 150"):
        p.EventParameters("é" * 76)


def test_attribute_that_does_not_exist_raises() -> None:
    event = p.EventParameters("a", "b")
    with pytest.raises(InvalidParametersException, match="EventParameters has no labal"):
        event.labal = "c"
    with pytest.raises(InvalidParametersException, match="has no labal"):
        event.update(labal="c")
    with pytest.raises(InvalidParametersException, match="has no labal"):
        p.HitParameters({"labal": 1})


@for_each("other", [7, "abc", ["a"]])
def test_parameters_are_of_a_mapping_or_a_generator(other: Any) -> None:
    with pytest.raises(InvalidParametersException):
        p.HitParameters(other)


def test_abstract_class_makes_nothing() -> None:
    for generator in (
        p.UrlGenerator,
        p.CustomDimensionUrlGenerator,
        p.EnhancedEComPIListParameters,
    ):
        with pytest.raises(InvalidParametersException, match="abstract"):
            generator()


def test_list_needs_its_number() -> None:
    class Unnumbered(p.EnhancedEComPIListParameters):
        pass

    with pytest.raises(InvalidParametersException, match=r"Meta\.index_prefix"):
        Unnumbered(name="a")


@for_each("index", [0, 201, -1, "1", True, None])
def test_item_has_a_number_from_1_to_200(index: Any) -> None:
    with pytest.raises(InvalidParametersException, match="from 1 to 200"):
        p.EnhancedEComProductParameters(name="a").url(index)


@pytest.mark.parametrize(
    ("base", "most"), [(p.CustomDimensionUrlGenerator, 200), (p.ContentGroupUrlGenerator, 10)]
)
def test_custom_index_is_looked_at_when_the_class_is_made(base: Any, most: int) -> None:
    type("Fine", (base,), {"last": p.VP(most)})
    with pytest.raises(InvalidParametersException, match=f"from 1 to {most}"):
        type("Wrong", (base,), {"last": p.VP(most + 1)})


def test_what_is_required_is_missed_when_it_is_sent() -> None:
    with pytest.raises(InvalidParametersException) as caught:
        p.SocialInteractionParameters(action="like").url()
    assert str(caught.value) == "Parameters are required, but missing: network, target"
    assert caught.value.message == str(caught.value)


@for_each("page", [{}, {"host_name": "a"}, {"path": "/"}, {"title": "a"}])
def test_page_needs_a_url(page: dict[str, str]) -> None:
    with pytest.raises(InvalidParametersException, match="location_url"):
        p.PageViewParameters(**page).url()
    assert p.PageViewParameters(host_name="a", path="/").url() == {"dh": "a", "dp": "/"}


def test_hit_has_a_type_that_there_is() -> None:
    with pytest.raises(InvalidParametersException, match="no type of hit 'pageveiw'"):
        p.GeneralParameters(tracking_id="UA-1").url("pageveiw")


# what is right


@for_each(
    "value, sent",
    [
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (gettext_lazy("a"), "a"),
        (42, 42),
        ("", ""),
    ],
)
def test_texts_of_other_types_are_texts(value: Any, sent: Any) -> None:
    assert p.SessionParameters(client_id=value).url() == {"cid": sent}


@for_each("value", [1234.5, 12, Decimal("9.50"), "9.50", -3])
def test_money_is_any_number(value: Any) -> None:
    sent = p.EComTransactionParameters(transaction_id="1", revenue=value).url()["tr"]
    assert sent == (Decimal(value) if isinstance(value, str) else value)


@for_each("value, sent", [(True, 1), (False, 0), (1, 1), ("0", 0)])
def test_booleans_are_sent_as_digits(value: Any, sent: int) -> None:
    assert p.ExceptionParameters(fatal=value).url() == {"exf": sent}


def test_value_is_unset_by_none_and_by_del() -> None:
    event = p.EventParameters("a", "b", "c", 1)
    event.label = None
    del event.value
    del event.value
    assert event.url() == {"ec": "a", "ea": "b"}
    assert (event.label, event.category) == (None, "a")


def test_copy_is_another_object() -> None:
    event = p.EventParameters("a", "b")
    other = event.copy()
    other.action = "c"
    assert (event.action, other.action, other.category) == ("b", "c", "a")
    general = p.GeneralParameters(tracking_id="UA-1", use_cache_buster=True)
    assert general.copy().tracking_id == "UA-1"


def test_update_takes_what_is_set_and_nothing_else() -> None:
    event = p.EventParameters("a", "b", "c")
    event.update(p.EventParameters("d", "e"), value=2)
    assert event.url() == {"ec": "d", "ea": "e", "el": "c", "ev": 2}
    assert not event.is_empty()
    assert p.HitParameters().is_empty()
    assert repr(p.HitParameters(queue_time=1)) == "<HitParameters: queue_time=1>"


def test_parameters_of_a_hit_go_together_with_the_random_number_last() -> None:
    general = p.GeneralParameters(tracking_id="UA-1", use_cache_buster=True)
    assert general.use_cache_buster
    found = p.hit_parameters("event", general, None, p.EventParameters("a", "b"))
    assert list(found) == ["tid", "v", "t", "ec", "ea", "z"]
    general.use_cache_buster = False
    assert "z" not in p.hit_parameters("event", general)


@for_each(
    "hit_type, generator",
    [
        ("pageview", p.EventParameters("a", "b")),
        ("event", p.ExceptionParameters(fatal=1)),
        ("event", p.PageViewParameters(location_url="a", screen_name="b")),
        ("item", p.EComTransactionParameters(transaction_id="1", tax=1)),
        ("transaction", p.EComItemParameters(transaction_id="1", name="a")),
    ],
)
def test_parameter_goes_with_the_hits_that_have_it(
    hit_type: str, generator: AbstractUrlGenerator
) -> None:
    with pytest.raises(
        InvalidParametersException, match=rf"goes with hits of type .* not {hit_type}"
    ):
        p.hit_parameters(hit_type, p.GeneralParameters(tracking_id="UA-1"), generator)


def test_several_generators_are_merged_for_a_hit() -> None:
    merged = p.merged((p.EventParameters("a", "b"), p.HitParameters(queue_time=1)))
    assert merged == {"ec": "a", "ea": "b", "qt": 1}
    assert p.merged({"cd1": "x"}) == {"cd1": "x"}


# what visitors send


@given(st.text(), st.text(min_size=100), st.floats(), st.text())
def test_what_visitors_send_is_made_to_fit(
    category: str, action: str, value: float, label: str
) -> None:
    event = p.EventParameters.fitting(category=category, action=action, value=value, label=label)
    found = event.url() if event.category is not None else {}
    limits = {"ec": 150, "ea": 500, "el": 500}
    assert all(len(found[n].encode("utf-8", "replace")) <= limits[n] for n in limits if n in found)


def test_text_is_cut_between_characters() -> None:
    assert p.EventParameters.fitting(category="é" * 100, action="a").category == "é" * 75
    assert p.Text(4).fit("aé€") == "aé"
    assert p.Text(choices=("a",)).fit("b") is None
    assert (p.Text().fit(1.50), p.Whole().fit(2.6), p.Whole(least=0).fit(-1)) == ("1.5", 3, None)
