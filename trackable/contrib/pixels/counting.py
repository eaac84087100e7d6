"""Counting: an image whose loading counts on a counter of an object.

The image's address names the object by labels and key, so the request that loads it runs no SQL.
What mail proxies and scanners fetch is counted apart, or not at all: see ``readers``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.db.models.base import ModelState
from django.template import TemplateSyntaxError
from django.utils.safestring import SafeString

from trackable import messaging, notices, sites
from trackable.contrib.pixels import conf, images, origins, readers
from trackable.contrib.pixels.exceptions import PtrackOptionError
from trackable.counters import clean_amount, counters_of
from trackable.exceptions import NotRegistered, UnknownField
from trackable.models import TrackableData

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest
    from django.template import Context

logger = logging.getLogger(__name__)

#: the class that the images are addressed to
PIXEL: Final = "CountingPixel"
#: what ends the names of counters that count apart, where an image names none
SUFFIXES: Final = {readers.PROXY: "_by_proxy", readers.SCANNER: "_by_scanner"}

#: what a load is made of, besides the object and the counter
LOAD_OPTIONS: Final = ("data_cls", "value", "proxies", "scanners")
TAG_OPTIONS: Final = ("data_cls", "value", "expire_after", "proxies", "scanners")

DataClass = type[TrackableData]


def counting_pixel(
    context: Context, obj: Model, field: str, *, expire_after: Any = conf.UNSET, **options: Any
) -> SafeString:
    """Return a ``counting_image`` to a template: ``{% counting_pixel newsletter "opens" %}``."""
    if unknown := options.keys() - {*TAG_OPTIONS}:
        raise TemplateSyntaxError(
            f"counting_pixel has no option {min(unknown)}: its options are"
            f" {', '.join(TAG_OPTIONS)}."
        )
    request = origins.request_of(context)
    return counting_image(obj, field, request=request, expire_after_seconds=expire_after, **options)


def counting_image(
    obj: Model,
    field: str,
    *,
    request: HttpRequest | None = None,
    expire_after_seconds: float | None = conf.UNSET,
    **options: Any,
) -> SafeString:
    """Return an ``<img>`` whose loading counts on a counter of an object, as ``Load.of`` says.

    Raises the ``TrackableError`` that an emit would raise under ``DEBUG``, what ``images.url_of``
    raises, and ``PtrackOptionError`` for an option that there is not. Runs no SQL for the object.
    """
    args, kwargs = _packed(obj, field, options)
    return images.image_of(
        args, kwargs, request=request, expire_after_seconds=expire_after_seconds, to=PIXEL
    )


def counting_url(
    obj: Model,
    field: str,
    *,
    request: HttpRequest | None = None,
    expire_after_seconds: float | None = conf.UNSET,
    **options: Any,
) -> str:
    """Return the address of a ``counting_image``, for those who write the ``<img>`` themselves."""
    args, kwargs = _packed(obj, field, options)
    return images.url_of(
        args, kwargs, request=request, expire_after_seconds=expire_after_seconds, to=PIXEL
    )


def _packed(obj: Model, field: str, options: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    if unknown := options.keys() - {*LOAD_OPTIONS}:
        known = ", ".join([*LOAD_OPTIONS, "request", "expire_after_seconds"])
        raise PtrackOptionError(f"There is no option {min(unknown)}: the options are {known}.")
    return Load.of(obj, field, **options).packed()


def record(request: HttpRequest, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Count what an image says that its loading counts; tell whether it was counted.

    Raises nothing: what is wrong is logged, each cause once an hour.
    """
    try:
        return Load(*args, **kwargs).emit(request)
    except Exception as error:  # the edge of the request: whoever asks gets the image
        cause = f"{type(error).__name__}: {error}"[:500]
        if notices.is_news(cause):
            logger.error("The loading of an image was not counted. %s", ascii(cause))
        return False


@dataclass(frozen=True, slots=True)
class Load:
    """What loading an image counts, as its address carries it: in words, without the object.

    The data class, a class or its label, is the first that has the counter if not given. What
    mail proxies and scanners fetch goes to the counters ``proxies`` and ``scanners``, if not given
    to ``<field>_by_proxy`` and ``<field>_by_scanner``. Where there is no such counter it is not
    counted, but tallied as what crawlers fetch.
    """

    model: str
    object_id: str
    data_class: str
    field: str
    #: text if it is no integer
    value: int | str = 1
    proxies: str | None = None
    scanners: str | None = None

    @classmethod
    def of(
        cls,
        obj: Model,
        field: str,
        *,
        data_cls: DataClass | str | None = None,
        value: Any = 1,
        proxies: str | None = None,
        scanners: str | None = None,
    ) -> Load:
        """Return what an image counts. Raises what ``counting_image`` raises."""
        _check_names(field, proxies, scanners)
        label, _, object_id, _ = messaging.key_of(obj, field, _class_of(data_cls))
        model = _holder(obj.__class__, _data_class(label))._meta.label
        amount = value if isinstance(value, int) else str(value)
        load = cls(model, object_id, label, field, amount, proxies, scanners)
        load._check_amount(value)
        return load

    def _check_amount(self, value: Any) -> None:
        for kind in readers.KINDS:
            if (name := self.counter_for(kind)) is not None:
                clean_amount(counters_of(_data_class(self.data_class))[name], value)

    def packed(self) -> tuple[list[str], dict[str, Any]]:
        """Return the arguments that make it again, as few as will do: addresses shall be short."""
        names = {"value": 1, "proxies": None, "scanners": None}
        kwargs = {name: value for name in names if (value := getattr(self, name)) != names[name]}
        return [self.model, self.object_id, self.data_class, self.field], kwargs

    def counter_for(self, kind: str) -> str | None:
        """Return the counter of those who fetch the image; ``None`` if they are not counted."""
        if kind == readers.PERSON:
            return self.field
        named = self.proxies if kind == readers.PROXY else self.scanners
        if named is not None:
            return named
        name = self.field + SUFFIXES[kind]
        return name if name in counters_of(_data_class(self.data_class)) else None

    def emit(self, request: HttpRequest) -> bool:
        """Count a request for the image; tell whether it was counted."""
        data_cls, kind = _data_class(self.data_class), readers.kind_of_request(request)
        counter = self.counter_for(kind)
        if counter is None:
            messaging.tally_filtered(data_cls)
            return False
        # Proxies are no crawlers, and scanners are known: rows of Spider may name more of them.
        judged = request if kind == readers.PERSON else None
        value = Decimal(self.value) if isinstance(self.value, str) else self.value
        obj = _stand_in(apps.get_model(self.model), data_cls, self.object_id)
        return messaging.send_increment_message(judged, obj, counter, data_cls, {"value": value})


def _check_names(*names: Any) -> None:
    """Refuse what names no counter; ``None`` is left out."""
    for name in names:
        if name is not None and not isinstance(name, str):
            raise UnknownField(f"{name!a:.80} names no counter: pass the name as a string.")


def _class_of(data_cls: Any) -> DataClass | None:
    """Return a data class that may be given by its label; an instance is of a template's making.

    Templates call what they can, so a class that they are given comes as an instance of it.
    """
    if isinstance(data_cls, TrackableData):
        return type(data_cls)
    return _data_class(data_cls) if isinstance(data_cls, str) else data_cls


def _data_class(label: str) -> DataClass:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        model = None
    if model is None or not issubclass(model, TrackableData):
        raise NotRegistered(f"There is no data class {label!r}: name it as 'app.Class'.")
    return model


def _holder(model: type[Model], data_cls: DataClass) -> type[Model]:
    """Return the model that the data class is registered for: it may be one that is inherited."""
    found = (site.holder_of(model, data_cls) for site in sites.all_sites())
    return next(filter(None, found))


def _stand_in(model: type[Model], data_cls: DataClass, object_id: str) -> Model:
    """Return an object that has a row and the attribute that it is counted by, and nothing else.

    Made as Django makes the objects that it unpickles: no code of the model's runs, which may
    want more of an object, and would read it.
    """
    obj = model.__new__(model)
    obj._state = ModelState()
    obj._state.adding = False
    field = data_cls.parent_target() or model._meta.pk
    obj.__dict__[field.attname] = object_id
    return obj
