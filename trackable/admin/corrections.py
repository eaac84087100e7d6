"""Corrections: counters changed in a form, added as differences to what is stored by then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from trackable.counters import Counters, clean_amount, counters_of
from trackable.exceptions import BadAmount

if TYPE_CHECKING:
    from trackable.models import TrackableData

    ModelForm = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm


class CountersForm(ModelForm):
    """Refuses corrections that a counter cannot take."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        counters = _counters(self)
        for name, difference in differences(self).items():
            try:
                clean_amount(counters[name], difference)
            except BadAmount as error:
                self.add_error(name, str(error))
        return cleaned


def differences(form: ModelForm) -> dict[str, Any]:
    """Return what was typed into the changed counters, minus what the page showed there."""
    names = [name for name in _counters(form) if name in form.changed_data]
    return {
        name: form.cleaned_data[name] - _shown(form, name)
        for name in names
        if form.cleaned_data.get(name) is not None
    }


def _counters(form: ModelForm) -> Counters:
    data_cls: type[TrackableData] = form._meta.model
    return counters_of(data_cls)


def _shown(form: ModelForm, name: str) -> Any:
    field = form.fields[name]
    widget = field.hidden_widget()
    shown = widget.value_from_datadict(form.data, form.files, form[name].html_initial_name)
    try:
        value = field.to_python(shown)
    except forms.ValidationError:
        value = None
    return form.initial[name] if value is None else value


def save(form: ModelForm, row: TrackableData) -> None:
    """Save a changed row: what is folded meanwhile is neither overwritten nor lost."""
    for name, difference in differences(form).items():
        row.incr(name, difference)
    counters = counters_of(type(row))
    own = {field.name for field in row._meta.concrete_fields} - set(counters)
    if changed := [name for name in form.changed_data if name in own]:
        row.save(update_fields=changed)
