"""The registry: which data classes count for which models, as ``admin.site`` does it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from trackable.exceptions import (
    AlreadyRegistered,
    CannotRegister,
    NotRegistered,
    WrongDataClass,
)

if TYPE_CHECKING:
    from django.db.models import Model

    from trackable.models import TrackableData

    Models = type[Model] | Iterable[type[Model]]

T = TypeVar("T", bound="type[TrackableData]")


class TrackableSite:
    """A registry of data classes by the model whose objects they count for.

    A model may have several data classes, and a data class several models.
    """

    def __init__(self, name: str = "trackable") -> None:
        self.name = name
        self._registry: dict[type[Model], tuple[type[TrackableData], ...]] = {}
        self._admin_classes: dict[type[TrackableData], type[Any] | None] = {}
        _sites.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"

    def register(
        self,
        model_or_iterable: Models,
        data_cls: type[TrackableData],
        admin_cls: type[Any] | None = None,
    ) -> None:
        """Count for the objects of one model, or of several, in rows of ``data_cls``.

        With ``TRACKABLE_REGISTER_ADMIN_MODELS`` the data class gets its admin pages too, made
        by ``admin_cls``, unless the admin has pages for it already. Raises ``CannotRegister``
        for models that are abstract or swapped out and for what is no data class,
        ``AlreadyRegistered`` for a pair that is here already. Either way nothing of the call
        is registered.
        """
        models = _as_list(model_or_iterable)
        _check_data_class(data_cls)
        for model in models:
            _check_model(model)
            if data_cls in self._registry.get(model, ()):
                raise AlreadyRegistered(
                    f"{data_cls._meta.label} already counts for {model._meta.label} in {self!r}:"
                    " unregister it first, or drop one of the two calls."
                )
        for model in models:
            self._registry[model] = (*self._registry.get(model, ()), data_cls)
        _note_change()
        self._admin_classes[data_cls] = admin_cls or self._admin_classes.get(data_cls)
        if _is_discovered:
            self.show_admin_pages([data_cls])

    def unregister(
        self, model_or_iterable: Models, data_cls: type[TrackableData] | None = None
    ) -> None:
        """Forget one data class of the models, or all of theirs. Raises ``NotRegistered``.

        The admin pages that a data class got here go when it counts for no model any more.
        """
        models = _as_list(model_or_iterable)
        before = self.data_classes()
        for model in models:
            if not self.is_registered(model, data_cls):
                what = f" with {data_cls._meta.label}" if data_cls else ""
                raise NotRegistered(f"{model._meta.label} is not registered{what} in {self!r}.")
        for model in models:
            kept = tuple(c for c in self._registry.pop(model) if data_cls not in (None, c))
            if kept:
                self._registry[model] = kept
        _note_change()
        for gone in set(before).difference(self.data_classes()):
            self._admin_classes.pop(gone, None)
            _hide_admin_pages(gone)

    def show_admin_pages(self, data_classes: Iterable[type[TrackableData]]) -> None:
        """Give data classes their admin pages, if ``TRACKABLE_REGISTER_ADMIN_MODELS``."""
        if _has_admin() and _wants_admin_pages():
            from trackable import admin

            for data_cls in data_classes:
                admin.show(data_cls, self._admin_classes.get(data_cls))

    def is_registered(
        self, model: type[Model], data_cls: type[TrackableData] | None = None
    ) -> bool:
        """Tell whether a model is counted for, by ``data_cls`` if that is given."""
        held = self._registry.get(model, ())
        return data_cls in held if data_cls is not None else bool(held)

    def get_parent(self, data_cls: type[TrackableData]) -> type[Model]:
        """Return the model, the first registered, that a data class counts for.

        Raises ``NotRegistered``.
        """
        for model in self.get_parents(data_cls):
            return model
        raise NotRegistered(f"{data_cls._meta.label} counts for no model in {self!r}.")

    def get_parents(self, data_cls: type[TrackableData]) -> list[type[Model]]:
        """Return the models that a data class counts for, in the order of registration."""
        return [model for model, held in self._registry.items() if data_cls in held]

    def get_trackables(self, model: type[Model]) -> list[type[TrackableData]]:
        """Return the data classes of a model in the order of their registration.

        Those of the model itself come before those of the models it inherits from. The list is
        empty for a model that is not counted.
        """
        found: list[type[TrackableData]] = []
        for ancestor in model.__mro__:
            found += [cls for cls in self._registry.get(ancestor, ()) if cls not in found]
        return found

    def holder_of(self, model: type[Model], data_cls: type[TrackableData]) -> type[Model] | None:
        """Return the model, this one or one it inherits from, that has the data class."""
        for ancestor in model.__mro__:
            if data_cls in self._registry.get(ancestor, ()):
                return ancestor
        return None

    def data_classes(self) -> list[type[TrackableData]]:
        """Return every data class once, in the order of registration."""
        return list(dict.fromkeys(cls for held in self._registry.values() for cls in held))


def _as_list(model_or_iterable: Models) -> list[type[Model]]:
    if isinstance(model_or_iterable, type):
        return [model_or_iterable]
    if not isinstance(model_or_iterable, Iterable):
        raise CannotRegister(f"{model_or_iterable!r} is no model: register model classes.")
    listed = list(model_or_iterable)
    return [model for place, model in enumerate(listed) if model not in listed[:place]]


def _check_model(model: type[Model]) -> None:
    meta = getattr(model, "_meta", None)
    if meta is None or not isinstance(model, type):
        raise CannotRegister(f"{model!r} is no model: register model classes.")
    if meta.abstract:
        raise CannotRegister(f"{model.__name__} is abstract: register its concrete models.")
    if meta.swapped:
        raise CannotRegister(f"{meta.label} is swapped out for {meta.swapped}: register that.")


def _check_data_class(data_cls: type[TrackableData]) -> None:
    from trackable.models import TrackableData

    if not (isinstance(data_cls, type) and issubclass(data_cls, TrackableData)):
        raise CannotRegister(f"{data_cls!r} is no data class: derive it from TrackableData.")
    _check_model(data_cls)


def _has_admin() -> bool:
    from django.apps import apps

    return apps.is_installed("django.contrib.admin")


def _wants_admin_pages() -> bool:
    from trackable import conf  # brings Django's settings, which `import trackable` does without

    return bool(conf.get("REGISTER_ADMIN_MODELS"))


def _hide_admin_pages(data_cls: type[TrackableData]) -> None:
    counted = any(data_cls in each.data_classes() for each in _sites)
    if _is_discovered and not counted and _has_admin():
        from trackable import admin

        admin.hide(data_cls)


def finish_discovery() -> None:
    """Show the admin pages of all that is registered, once each app's own are known.

    So a page that an ``admin.py`` registers wins over a default one, wherever in
    ``INSTALLED_APPS`` the admin stands. What is registered later gets its pages at once.
    """
    global _is_discovered
    _is_discovered = True
    if not _has_admin():
        return
    from django.apps import apps
    from django.contrib.admin.apps import AdminConfig

    if isinstance(config := apps.get_app_config("admin"), AdminConfig):
        config.module.autodiscover()  # type: ignore[union-attr]
    for each in all_sites():
        each.show_admin_pages(each.data_classes())


def register(
    *models: type[Model], site: TrackableSite | None = None, admin_cls: type[Any] | None = None
) -> Callable[[T], T]:
    """Decorate a data class to register it for the models: ``@register(Page)``.

    Raises what ``TrackableSite.register`` raises, and ``CannotRegister`` without a model.
    """
    if not models:
        raise CannotRegister("register() needs at least one model: @register(Page).")

    def decorate(data_cls: T) -> T:
        (default_site if site is None else site).register(models, data_cls, admin_cls)
        return data_cls

    return decorate


def holder_of(model: type[Model], data_cls: type[TrackableData]) -> type[Model]:
    """Return the model, this one or one it inherits from, that has the data class in any registry.

    Raises ``WrongDataClass``, and ``NotRegistered`` for a data class that counts for no model.
    """
    for each in all_sites():
        if holder := each.holder_of(model, data_cls):
            return holder
    if any(data_cls in each.data_classes() for each in all_sites()):
        raise WrongDataClass(
            f"{data_cls._meta.label} does not count for {model.__qualname__}: register it so, or"
            " pass another data class."
        )
    raise NotRegistered(f"{data_cls!r} is not registered: register it in trackabledata.py.")


def data_classes_of(model: type[Model]) -> list[type[TrackableData]]:
    """Return the data classes of a model in every registry, in the order in which emits look."""
    found = [cls for each in all_sites() for cls in each.get_trackables(model)]
    return list(dict.fromkeys(found))


def all_sites() -> list[TrackableSite]:
    """Return every registry there is, the default one first."""
    return sorted(_sites, key=lambda each: each is not site)


def changes() -> int:
    """Return a number that grows with each change of a registry: what was looked up is stale."""
    return _changes


def _note_change() -> None:
    global _changes
    _changes += 1


_changes = 0
_sites: weakref.WeakSet[TrackableSite] = weakref.WeakSet()
_is_discovered = False

#: the default registry
site = default_site = TrackableSite()
