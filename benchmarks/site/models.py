"""Models to count for, with trackable and without."""

from __future__ import annotations

from django.db import models

from trackable.models import TrackableTimeSeriesData


class Page(models.Model):
    title = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.title


class PageData(TrackableTimeSeriesData):
    """By day; the data class of all measures."""

    views = models.PositiveIntegerField(default=0)


class Hits(models.Model):
    """A counter for each page, as a site without trackable has it."""

    page_id = models.PositiveBigIntegerField(primary_key=True)
    views = models.PositiveIntegerField(default=0)


class DailyHits(models.Model):
    """A counter for each page and day."""

    page_id = models.PositiveBigIntegerField()
    day = models.DateField()
    views = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["page_id", "day"], name="one_a_day")]
