"""What the demo counts for, and the data classes that count."""

from django.db import models
from django.urls import reverse

from trackable.models import TrackableTimeSeriesData


class Page(models.Model):
    """A page to read; ``target`` is what a request for it asks for, in an access log too."""

    title = models.CharField(max_length=200)
    slug = models.SlugField(unique=True)
    target = models.TextField(unique=True)
    body = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("page", args=[self.slug])


class Download(models.Model):
    title = models.CharField(max_length=200)
    slug = models.SlugField(unique=True)
    url = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("download", args=[self.slug])


class Link(models.Model):
    title = models.CharField(max_length=200)
    slug = models.SlugField(unique=True)
    url = models.URLField()

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("link", args=[self.slug])


class PageData(TrackableTimeSeriesData):
    """Views by day; a real foreign key, so that pages can be ordered by what they count."""

    parent = models.ForeignKey(Page, models.CASCADE, related_name="data", verbose_name="page")
    views = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = verbose_name_plural = "page data"


class DownloadData(TrackableTimeSeriesData):
    downloads = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = verbose_name_plural = "download data"


class LinkData(TrackableTimeSeriesData):
    clicks = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = verbose_name_plural = "link data"
