"""The tests of server-side-tracking, translated: its names, and what it sends."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from trackable.addresses import anonymised
from trackable.contrib.analytics import services
from trackable.contrib.analytics.exceptions import InvalidParametersException
from trackable.contrib.analytics.parameters import (
    VP,
    CustomDimensionUrlGenerator,
    CustomMetricUrlGenerator,
    EComItem,
    EComItemParameters,
    EComTransactionParameters,
    EnhancedEComGeneralParameters,
    EnhancedEComPICustomDimensionProductParameters,
    EnhancedEComPICustomMetricProductParameters,
    EnhancedEComPIListParameters,
    EnhancedEComPIProductParameters,
    EnhancedEComProductParameters,
    GeneralParameters,
    SessionParameters,
)
from trackable.contrib.analytics.parameters.constants import EECOM_ACTION_PURCHASE, HIT_TYPE_EVENT
from trackable_tests.tables import for_each

CLIENT_ID = 42
TRACKING_ID = "UA-x"


class CustomDimensionParams(CustomDimensionUrlGenerator):
    my_dimension = VP(1)


class CustomMetricParams(CustomMetricUrlGenerator):
    my_metric = VP(2)


class SearchListParams(EnhancedEComPIListParameters):
    class Meta:
        index_prefix = 1


class SearchListProductParams(EnhancedEComPIProductParameters):
    class Meta:
        index_prefix = 1


class CustomProductDimensionParams(EnhancedEComPICustomDimensionProductParameters):
    class Meta:
        index_prefix = 1

    my_dimension = VP(1)


class CustomProductMetricParams(EnhancedEComPICustomMetricProductParameters):
    class Meta:
        index_prefix = 1

    my_metric = VP(2)


def test_general_parameters() -> None:
    general = GeneralParameters(
        {"tracking_id": TRACKING_ID}, data_source="test", use_cache_buster=True
    )
    url = general.url(HIT_TYPE_EVENT)
    assert url.pop("z") is not None
    assert url == {"ds": "test", "t": HIT_TYPE_EVENT, "tid": TRACKING_ID, "v": 1}


def test_session_parameters() -> None:
    session = SessionParameters(user_id="1")
    with pytest.raises(InvalidParametersException) as caught:
        session.url()
    assert caught.value.args[1] == "client_id"
    session.client_id = CLIENT_ID
    assert session.url() == {"cid": CLIENT_ID, "uid": "1"}


def test_custom_parameters() -> None:
    dimensions, metrics = CustomDimensionParams(my_dimension="test"), CustomMetricParams()
    metrics.my_metric = 101
    assert (dimensions.url(), metrics.url()) == ({"cd1": "test"}, {"cm2": 101})


def test_transaction_parameters() -> None:
    transaction = EComTransactionParameters(transaction_id="1234", revenue=1234.5)
    assert transaction.url() == {"ti": "1234", "tr": 1234.5}
    item = EComItemParameters.from_item(EComItem("item1", price=1000), "1234", "SEK")
    assert item.url() == {"ti": "1234", "in": "item1", "ip": 1000, "cu": "SEK"}


def test_enhanced_transaction_parameters() -> None:
    general = EnhancedEComGeneralParameters(
        product_action=EECOM_ACTION_PURCHASE, transaction_id="1234", revenue=1234.5
    )
    assert general.url() == {"pa": EECOM_ACTION_PURCHASE, "ti": "1234", "tr": 1234.5}
    product = EnhancedEComProductParameters(sku="xyz", name="item1", price=1000)
    assert product.url(1) == {"pr1id": "xyz", "pr1nm": "item1", "pr1pr": 1000}


def test_enhanced_product_impression_parameters() -> None:
    assert SearchListParams(name="search").url() == {"il1nm": "search"}
    product = SearchListProductParams(sku="xyz", name="item1", price=1000)
    assert product.url(2) == {"il1pi2id": "xyz", "il1pi2nm": "item1", "il1pi2pr": 1000}
    assert CustomProductDimensionParams(my_dimension="test").url(3) == {"il1pi3cd1": "test"}
    assert CustomProductMetricParams(my_metric=101).url(4) == {"il1pi4cm2": 101}


@for_each(
    "address, kept",
    [
        ("127.0.0.1", "127.0.0.0"),
        ("80.90.100.110", "80.90.100.0"),
        ("fe80:0:0:0:200:f8ff:f221:67af", "fe80::"),
        ("fe80::67af", "fe80::"),
        # the old one kept 64 bits, which are one subscriber's
        ("fe80:abcd:1234:02:23::67af", "fe80:abcd:1234::"),
    ],
)
def test_addresses_are_anonymised(address: str, kept: str) -> None:
    assert str(anonymised(ip_address(address))) == kept


def test_class_loader() -> None:
    path = "trackable.contrib.analytics.services.matomo.MatomoService"
    assert services.class_of(path).__name__ == "MatomoService"


@for_each("path", ["trackable.contrib.analytics.services", "none", "a.b", ""])
def test_class_loader_takes_classes_alone(path: Any) -> None:
    with pytest.raises(ImportError):
        services.class_of(path)
