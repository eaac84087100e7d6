"""Patterns match whole paths, and say what objects are looked up by."""

from typing import Any

import pytest

from trackable.accesslog.patterns import BadPattern, as_logged, path_of, pattern_of
from trackable_tests.tables import for_each


@for_each(
    "pattern, path, captured",
    [
        ("/blog/<slug:slug>/", "/blog/a-b/", {"slug": "a-b"}),
        ("blog/<slug:slug>/", "/blog/a-b/", {"slug": "a-b"}),
        ("/<int:pk>/", "/42/", {"pk": 42}),
        ("/<int:year>/<path:slug>", "/2015/a/b", {"year": 2015, "slug": "a/b"}),
        ("/blog/<slug:slug>/", "/blog/a-b/comments/", None),
        ("/blog/<slug:slug>/", "x/blog/a-b/", None),
        ("/blog/<slug:slug>/", "*", None),
        (r"^/blog/(?P<slug>[\w-]+)/$", "/blog/a-b/", {"slug": "a-b"}),
        (r"/blog/(?P<slug>[\w-]+)/", "/blog/a-b/", {"slug": "a-b"}),
        (r"/blog/(?P<slug>[\w-]+)/", "/blog/a-b/comments/", None),
        (r"/blog/(?P<slug>[\w-]+)/", "/my/blog/a-b/", None),
        (r"/(blog|news)/(?P<slug>\w+)", "/news/a", {"slug": "a"}),
        (r"/a/(?P<slug>\w+)|/b/(?P<pk>\d+)", "/b/7", {"pk": "7"}),
        (r"/a/(?P<slug>\w+)?", "/a/", None),
    ],
)
def test_whole_path_must_match(pattern: str, path: str, captured: dict[str, Any] | None) -> None:
    assert pattern_of(pattern).match(path) == captured


@for_each(
    "pattern, path, captured",
    [
        ("^/.*", "/a/b", {"path": "/a/b"}),
        ("/about/", "/about/", {"path": "/about/"}),
        ("/about/", "/about/us/", None),
        (r"^/(\w+)/$", "/a/", {"path": "a"}),
        ("/files/<path:name>", "/files/a/b", {"path": "a/b"}),
        ("/<int:number>/", "/7/", {"path": 7}),
    ],
)
def test_lookup_names_the_capture_or_the_whole(
    pattern: str, path: str, captured: dict[str, Any] | None
) -> None:
    assert pattern_of(pattern, "path").match(path) == captured


@for_each(
    "pattern, lookup, cure",
    [
        ("/about/", None, "--lookup"),
        (r"^/(\w+)/$", None, "--lookup"),
        ("^/.*", None, "--lookup"),
        ("/<int:year>/<slug:slug>/", "slug", "leave --lookup out"),
        ("^/(", None, "no regular expression"),
        ("/<nosuch:slug>/", None, "no route"),
        ("/<slug: slug>/", None, "no route"),
        ("/<1a>/", None, "no route"),
    ],
)
def test_bad_pattern_is_refused_with_the_cure(pattern: str, lookup: str | None, cure: str) -> None:
    with pytest.raises(BadPattern, match=cure):
        pattern_of(pattern, lookup)


@for_each(
    "target, path",
    [
        (b"/a?b=c?d", "/a"),
        (b"/caf%C3%A9/", "/caf\u00e9/"),
        (rb"/caf\xc3\xa9/", "/caf\u00e9/"),
        (b"/caf\xc3\xa9/", "/caf\u00e9/"),
        (b"/a%3Fb", "/a?b"),
        (b"/%FF", r"/\xff"),
        (b"/%zz", "/%zz"),
        (rb"/a\"b", '/a"b'),
    ],
)
def test_path_is_what_a_view_sees(target: bytes, path: str) -> None:
    assert path_of(target) == path


def test_as_logged_is_what_awk_sees() -> None:
    assert as_logged(rb"/a%20b?c=\"d\"") == r"/a%20b?c=\"d\""
    assert as_logged(b"/\xff\xc3\xa9") == "/\\xff\u00e9"
