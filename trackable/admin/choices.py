"""Choices: what somebody asks the page of an object's counts for, as a form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from trackable.counters import counters_of
from trackable.reading.series import LENGTHS, STEPS
from trackable.reading.windows import today
from trackable.uniques.fields import uniques_of

EVERY: Final = "all"
#: No field can have that name.
EVERY_COUNTER: Final = "*"
CUSTOM: Final = "custom"
AUTOMATIC: Final = "auto"
DEFAULT_DAYS: Final = "30"
DAYS: Final = [
    ("7", _("7 days")),
    ("30", _("30 days")),
    ("90", _("90 days")),
    ("365", _("A year")),
]
STEP_NAMES: Final = {
    "hour": _("hour"),
    "day": _("day"),
    "week": _("week"),
    "month": _("month"),
    "year": _("year"),
}
#: A day before and one behind can be told in every time zone.
FIRST_DAY: Final = date(1970, 1, 2)
LAST_DAY: Final = date(9999, 12, 30)
#: As many bars as can be told apart.
SUITABLE_POINTS: Final = 100


@dataclass(frozen=True, slots=True)
class Days:
    """From the first to the last day, both included; ``None`` is open."""

    first: date | None = None
    last: date | None = None


def fields_of(data_cls: Any) -> dict[str, str]:
    """Return the counters and distinct counts of a data class, with their names for people."""
    names = [*counters_of(data_cls), *uniques_of(data_cls)]
    return {name: capfirst(str(data_cls._meta.get_field(name).verbose_name)) for name in names}


def day_field(label: Any) -> forms.DateField:
    """Return a field for a day, in which browsers show a calendar."""
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(label=label, required=False, widget=widget, input_formats=["%Y-%m-%d"])


class PeriodForm(forms.Form):
    """A counter of a data class, and a time if its rows have one."""

    counter = forms.ChoiceField(label=_("Counter"))
    period = forms.ChoiceField(label=_("Period"))
    first = day_field(_("From"))
    last = day_field(_("to"))

    def __init__(self, data_cls: Any, asked: dict[str, Any], **defaults: Any) -> None:
        super().__init__({**defaults, **asked})
        self.data_cls = data_cls
        choices: Any = self.fields
        choices["counter"].choices = self.counters()
        choices["period"].choices = [*DAYS, (EVERY, _("All")), (CUSTOM, _("From – to"))]  # noqa: RUF001
        if data_cls.period is None:
            for name in ("period", "first", "last"):
                del self.fields[name]

    def counters(self) -> list[tuple[str, Any]]:
        """Return what there is to choose from."""
        return list(fields_of(self.data_cls).items())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("period") == CUSTOM and not self.errors:
            first, last = cleaned.get("first"), cleaned.get("last")
            if first is None and last is None:
                raise forms.ValidationError(_("Choose the first day, the last one, or both."))
            if not FIRST_DAY <= (first or FIRST_DAY) <= (last or LAST_DAY) <= LAST_DAY:
                raise forms.ValidationError(_("The last day must not be before the first one."))
        return cleaned

    @property
    def days(self) -> Days:
        """The days asked for, if the form is valid."""
        period = self.cleaned_data.get("period", EVERY)
        if period == CUSTOM:
            return Days(self.cleaned_data["first"], self.cleaned_data["last"])
        if period == EVERY:
            return Days()
        return Days(today() - timedelta(days=int(period) - 1), today())


class StatisticsForm(PeriodForm):
    """What an object's counts are asked for: one counter or all, and by which step."""

    by = forms.ChoiceField(label=_("By"))

    def __init__(self, data_cls: Any, asked: dict[str, Any]) -> None:
        defaults = {"counter": EVERY_COUNTER, "period": DEFAULT_DAYS, "by": AUTOMATIC}
        super().__init__(data_cls, asked, **defaults)
        choices: Any = self.fields
        if data_cls.period is None:
            del choices["by"]
        else:
            steps = [(step, STEP_NAMES[step]) for step in STEPS[data_cls.period]]
            choices["by"].choices = [(AUTOMATIC, _("what suits the period")), *steps]

    def counters(self) -> list[tuple[str, Any]]:
        found = super().counters()
        return (
            [(EVERY_COUNTER, found[0][1])]
            if len(found) == 1
            else [(EVERY_COUNTER, _("All")), *found]
        )

    @property
    def names(self) -> list[str]:
        """The fields asked for, if the form is valid."""
        name = self.cleaned_data["counter"]
        return list(fields_of(self.data_cls)) if name == EVERY_COUNTER else [name]

    def step(self, first: date | None) -> str:
        """Return the step asked for, or one that suits the days from a first one."""
        step: str = self.cleaned_data["by"]
        if step != AUTOMATIC:
            return step
        length = ((self.days.last or today()) - (first or today())) + timedelta(days=1)
        steps = STEPS[self.data_cls.period]
        return next(
            (each for each in steps if length / LENGTHS[each] <= SUITABLE_POINTS), steps[-1]
        )
