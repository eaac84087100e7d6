"""Labels: what the names that travel stand for in the code that runs here."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from django.apps import apps

if TYPE_CHECKING:
    from django.db.models import Model

    from trackable.models import TrackableData, TrackableRecord

    FoldedClass = type[TrackableData] | type[TrackableRecord]


def folded_class_of(label: str) -> FoldedClass | None:
    """Return the data or record class of a label; ``None`` if there is none, or no longer."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        return None
    return model if _is_folded(model) else None


def folded_classes() -> list[FoldedClass]:
    """Return every data and record class that there is, whether anybody registered it or not."""
    return [model for model in apps.get_models() if _is_folded(model)]


def _is_folded(model: type[Model]) -> TypeGuard[FoldedClass]:
    from trackable.models import TrackableData, TrackableRecord

    return issubclass(model, TrackableData | TrackableRecord)
