"""The pixel: an image that is whole, and an answer that nobody keeps."""

from django.middleware.cache import UpdateCacheMiddleware
from django.test import RequestFactory
from django.utils.cache import get_max_age

from trackable.gif import TRANSPARENT_GIF, pixel_response


def test_the_image_is_a_gif_of_one_pixel_in_43_bytes() -> None:
    assert len(TRANSPARENT_GIF) == 43
    assert TRANSPARENT_GIF[:6] == b"GIF89a"
    assert TRANSPARENT_GIF[6:10] == b"\x01\x00\x01\x00"
    assert TRANSPARENT_GIF.endswith(b";")


def test_its_data_are_a_clear_code_one_pixel_and_the_end() -> None:
    codes = int.from_bytes(TRANSPARENT_GIF[-4:-2], "little")
    assert [codes >> 3 * place & 7 for place in range(3)] == [4, 0, 5]


def test_no_cache_may_keep_the_answer() -> None:
    response = pixel_response()
    assert get_max_age(response) == 0
    assert "no-store" in response["Cache-Control"]
    assert response["Content-Type"] == "image/gif"


def test_django_s_own_cache_does_not_keep_it(rf: RequestFactory) -> None:
    request = rf.get("/")
    request._cache_update_cache = True  # type: ignore[attr-defined]
    middleware = UpdateCacheMiddleware(lambda _: pixel_response())
    response = middleware.process_response(request, pixel_response())
    assert not response.has_header("ETag")
    assert response["Cache-Control"] == pixel_response()["Cache-Control"]
