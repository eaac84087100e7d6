"""Template tags: an image wherever a template is rendered, in a mail as in a page."""

import re
from typing import Any

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.test import RequestFactory
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from trackable.contrib.pixels import PtrackArgumentError, PtrackEncoder, counting, images
from trackable.contrib.pixels.templatetags import ptrack as library
from trackable_tests.contrib.campaigns.models import Newsletter
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls("trackable_tests.contrib.pixels.urls")

IMAGE = re.compile(r'<img src="([^"]*)/ptrack/([\w-]+)/" width="1" height="1" alt="">')


def render(source: str, **context: Any) -> str:
    return Template("{% load ptrack %}" + source).render(Context(context))


def carried_by(source: str, **context: Any) -> Any:
    match = IMAGE.fullmatch(render(source, **context))
    assert match
    return PtrackEncoder.decrypt(match[2])


@for_each(
    "source, carried",
    [
        ("{% ptrack 'arg' key1='a' key2=2 %}", [["arg"], {"key1": "a", "key2": 2}]),
        ("{% ptrack %}", [[], {}]),
        ("{% ptrack 1 -2 %}", [[1, -2], {}]),
        ("{% ptrack text|upper key=text|length %}", [["<B>"], {"key": 3}]),
        ("{% ptrack pairs key=pairs.a %}", [[{"a": [1]}], {"key": [1]}]),
        ("{% ptrack lazy key=safe %}", [["Yes"], {"key": "<i>"}]),
        ("{% ptrack _('Yes') %}", [["Yes"], {}]),
        ("{% ptrack missing %}", [[""], {}]),
    ],
)
def test_tag_makes_an_image_that_carries_its_arguments(source: str, carried: Any) -> None:
    context = {"text": "<b>", "safe": mark_safe("<i>"), "lazy": gettext_lazy("Yes")}
    assert carried_by(source, pairs={"a": (1,)}, **context) == carried


@for_each("name", ["context", "args", "kwargs", "to", "obj", "func", "expire_after_seconds", "as"])
def test_argument_may_have_any_name(name: str) -> None:
    assert carried_by(f"{{% ptrack {name}='x' %}}") == [[], {name: "x"}]


@for_each("name", ["request", "self", "trackable_options"])
def test_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(PtrackArgumentError, match=f"argument '{name}'"):
        render(f"{{% ptrack {name}='x' %}}")


@for_each("value", [None, True, 1.5, {1: 2}, object(), [Newsletter(pk=1)]])
def test_value_that_cannot_travel_is_refused(value: Any) -> None:
    with pytest.raises(PtrackArgumentError, match=r"argument (2|key1)"):
        render("{% ptrack 'a' value %}", value=value)
    with pytest.raises(PtrackArgumentError, match=r"argument '?key1"):
        render("{% ptrack key1=value %}", value=value)


def test_image_can_be_kept_in_a_variable() -> None:
    assert carried_by("{% ptrack 'a' as pixel %}{{ pixel }}") == [["a"], {}]
    assert render("{% ptrack 'a' as pixel %}") == ""


def test_host_is_the_one_of_the_request() -> None:
    request = RequestFactory().get("/", headers={"host": "shop.example"})
    match = IMAGE.fullmatch(render("{% ptrack 'a' %}", request=request))
    assert match
    assert match[1] == "http://shop.example"


@for_each("request_", [None, "", "text", {"get_host": "x"}, 7])
def test_what_is_called_request_need_not_be_one(request_: Any) -> None:
    assert carried_by("{% ptrack 'a' %}", request=request_) == [["a"], {}]


def test_images_in_a_loop_are_each_others_equal() -> None:
    rendered = render("{% for n in numbers %}{% ptrack n %}{% endfor %}", numbers=range(3))
    found = [PtrackEncoder.decrypt(data) for _, data in IMAGE.findall(rendered)]
    assert found == [[[0], {}], [[1], {}], [[2], {}]]


def test_positional_arguments_come_first() -> None:
    with pytest.raises(TemplateSyntaxError):
        render("{% ptrack key='x' 'a' %}")


def test_library_has_both_tags() -> None:
    assert sorted(library.register.tags) == ["counting_pixel", "ptrack"]


def test_counting_pixel_gets_what_the_template_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does with it is told by the tests of counting."""
    seen: list[Any] = []
    monkeypatch.setattr(images, "image_of", lambda *args, **kwargs: seen.append(args) or "image")
    monkeypatch.setattr(counting.Load, "of", lambda *args, **kwargs: Loaded(args, kwargs))
    assert render("{% counting_pixel letter 'opens' value=2 %}", letter="L") == "image"
    assert seen == [(("L", "opens"), {"value": 2})]


class Loaded:
    """Stands for what an image counts."""

    def __init__(self, *packed: Any) -> None:
        self.packed = lambda: packed
