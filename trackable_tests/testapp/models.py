"""Models to count for (integer, UUID and character keys), and every kind of data class."""

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models

from trackable.models import TrackableData, TrackableRecord, TrackableTimeSeriesData
from trackable.uniques import UniqueCount


class Page(models.Model):
    title = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)

    def __str__(self) -> str:
        return self.title


class Download(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.title


class Link(models.Model):
    code = models.CharField(primary_key=True, max_length=64)
    url = models.URLField()

    def __str__(self) -> str:
        return self.code


class Unregistered(models.Model):
    """Nothing counts for it."""

    title = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.title


class Abstract(models.Model):
    """The registry refuses it."""

    class Meta:
        abstract = True


class Swapped(models.Model):
    """The registry refuses it: the settings put another in its place."""

    class Meta:
        swappable = "TESTAPP_SWAPPED_MODEL"


class PageData(TrackableTimeSeriesData):
    """By day, with a counter of each type; the first data class that pages have."""

    views = models.PositiveIntegerField(default=0)
    clicks = models.PositiveIntegerField(default=0)
    score = models.IntegerField(default=0)
    revenue = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    seconds = models.FloatField(default=0)


class PageTotals(TrackableData):
    """One row per page, without a time."""

    views = models.PositiveIntegerField(default=0)


class PageHours(TrackableTimeSeriesData):
    period = "hour"
    views = models.PositiveIntegerField(default=0)


class PageWeeks(TrackableTimeSeriesData):
    period = "week"
    views = models.PositiveIntegerField(default=0)


class PageMonths(TrackableTimeSeriesData):
    period = "month"
    views = models.PositiveIntegerField(default=0)


class PageYears(TrackableTimeSeriesData):
    period = "year"
    views = models.PositiveIntegerField(default=0)


class PageSizes(TrackableData):
    """Integers of every width, a key of its own, and fields that do not count. Unregistered."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    small = models.SmallIntegerField(default=0)
    big = models.BigIntegerField(default=0)
    positive_small = models.PositiveSmallIntegerField(default=0)
    positive_big = models.PositiveBigIntegerField(default=0)
    note = models.CharField(max_length=20, default="new")
    extra = models.JSONField(default=dict)
    first_seen = models.DateTimeField(auto_now_add=True)


class PageParentData(TrackableTimeSeriesData):
    """With a real foreign key in place of the generic relation."""

    parent = models.ForeignKey(Page, models.CASCADE, related_name="parent_data")
    views = models.PositiveIntegerField(default=0)


class PageParentTotals(TrackableData):
    parent = models.ForeignKey(Page, models.CASCADE, related_name="parent_totals")
    views = models.PositiveIntegerField(default=0)


class DownloadData(TrackableTimeSeriesData):
    object_id = models.UUIDField()
    views = models.PositiveIntegerField(default=0)


class LinkData(TrackableTimeSeriesData):
    object_id = models.CharField(max_length=64)
    views = models.PositiveIntegerField(default=0)


class Target(models.Model):
    """What a request asked for. Not unique, so that MariaDB stores what differs in case alone."""

    path = models.CharField(max_length=2000)

    def __str__(self) -> str:
        return self.path


class TargetData(TrackableTimeSeriesData):
    views = models.PositiveIntegerField(default=0)


class OldHits(models.Model):
    """Counters as a site kept them before trackable; no data class."""

    page = models.ForeignKey(Page, models.SET_NULL, null=True)
    content_type = models.ForeignKey(ContentType, models.CASCADE, null=True)
    object_id = models.PositiveIntegerField(null=True)
    thing = GenericForeignKey()
    slug = models.CharField(max_length=50, blank=True)
    day = models.DateField(null=True)
    moment = models.DateTimeField(null=True)
    hits = models.IntegerField(null=True)
    sales = models.DecimalField(max_digits=12, decimal_places=2, null=True)


class PageVisitors(TrackableTimeSeriesData):
    """By day, a distinct count beside a counter."""

    visitors = UniqueCount()
    views = models.PositiveIntegerField(default=0)


class PageReaders(TrackableData):
    """A distinct count alone, of all time, with a real foreign key."""

    parent = models.ForeignKey(Page, models.CASCADE, related_name="readers")
    readers = UniqueCount()


class Visit(TrackableRecord):
    """A row of its own for each that is emitted."""

    path = models.CharField(max_length=20, unique=True, null=True)
    number = models.PositiveSmallIntegerField(null=True)
