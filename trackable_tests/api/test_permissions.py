"""Who may see which counts: by permissions of Django's, or as a function of the site's says."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.checks import run_checks
from django.test import Client, RequestFactory

from trackable.api import permissions
from trackable.api.problems import Problem
from trackable_tests.api.conftest import pages, permit
from trackable_tests.testapp.models import Download, Page, PageData, PageTotals

TOTAL = "/counts/testapp.PageData/views/total/"
PATHS = ["/counts/", TOTAL, "/counts/no.Such/x/top/", f"{TOTAL}?days=x"]


def allow_own(request: Any, data_cls: Any, obj: Any) -> bool:
    """Let anybody see what there is of pages with a title of their own."""
    return data_cls is PageData and obj is not None and obj.title == request.headers.get("X-Title")


def allow_all(request: Any, data_cls: Any, obj: Any) -> bool:
    return True


async def allow_later(request: Any, data_cls: Any, obj: Any) -> bool:
    return False


def test_nobody_is_told_anything(client: Client) -> None:
    for path in PATHS:
        response = client.get(path)
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Cookie ")
        assert response.json()["detail"] == "Log in first."


def test_the_data_class_and_the_model_take_a_permission_each(client: Client) -> None:
    [page] = pages(4)
    for models, status in (((), 403), ((PageData,), 403), ((Page,), 403), ((Page, PageData), 200)):
        client.force_login(permit(*models))
        for path in (TOTAL, f"{TOTAL}?object={page.pk}", TOTAL.replace("total", "top")):
            assert client.get(path).status_code == status
    assert client.get(TOTAL.replace("PageData", "PageTotals")).status_code == 403


def test_the_index_has_what_the_caller_may_see(client: Client) -> None:
    for models, labels in (
        ((), []),
        ((PageData, PageTotals, Download), []),
        ((Page, PageData), ["testapp.PageData"]),
    ):
        client.force_login(permit(*models))
        found = client.get("/counts/").json()["results"]
        assert [each["data_class"] for each in found] == labels


def test_whether_there_is_an_object_is_told_to_those_who_may_see_it(client: Client) -> None:
    client.force_login(permit(PageData))
    assert client.get(f"{TOTAL}?object=1").status_code == 403
    client.force_login(permit(PageData, Page))
    assert client.get(f"{TOTAL}?object=1").json()["missing"] == ["1"]
    assert client.get(f"{TOTAL.replace('total', 'series')}?object=1").status_code == 404


def test_a_function_of_the_site_takes_their_place(client: Client, settings: Any) -> None:
    settings.TRACKABLE_API_PERMISSION = f"{__name__}.allow_own"
    own, other = pages(4, 6)
    title = {"X-Title": "page 1"}
    assert client.get(f"{TOTAL}?object={own.pk}", headers=title).status_code == 200
    for query in (f"?object={other.pk}", f"?object={own.pk}&object={other.pk}", "", "?object=0"):
        assert client.get(TOTAL + query, headers=title).status_code == 401
    client.force_login(permit())
    assert client.get(f"{TOTAL}?object={other.pk}", headers=title).status_code == 403
    assert client.get("/counts/").json()["results"] == []


def test_a_function_may_let_anybody_in(client: Client, settings: Any) -> None:
    settings.TRACKABLE_API_PERMISSION = f"{__name__}.allow_all"
    assert client.get(TOTAL).status_code == 200
    assert len(client.get("/counts/").json()["results"]) > 5


def test_a_site_without_users_lets_nobody_in() -> None:
    request = RequestFactory().get("/")
    for user in (None, AnonymousUser()):
        if user is not None:
            request.user = user
        with pytest.raises(Problem, match="Log in"):
            permissions.require_caller(request)
        assert permissions.visible(request, PageData, [Page]) == []


def test_a_function_that_is_none_is_found_by_the_checks(settings: Any) -> None:
    for path, is_fit in (
        (f"{__name__}.allow_all", True),
        (f"{__name__}.no_such", False),
        (f"{__name__}.allow_later", False),
        ("builtins.len", False),
        ("no path", False),
        (allow_all, False),
    ):
        settings.TRACKABLE_API_PERMISSION = path
        found = [each for each in run_checks(tags=["trackable"]) if each.id == "trackable.E011"]
        assert bool(found) is not is_fit, path
