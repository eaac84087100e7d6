"""Models of a site that mails and links, and what is counted of them."""

import uuid
from typing import Any

from django.db import models
from django.http import HttpRequest

from trackable.models import TrackableTimeSeriesData


class Newsletter(models.Model):
    """Is mailed with a pixel in it."""

    title = models.CharField(max_length=100)


class Note(models.Model):
    """Is mailed with a pixel too; who opens it for others is not counted apart."""

    title = models.CharField(max_length=100)


class Campaign(models.Model):
    """Is where visitors come from."""

    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Article(models.Model):
    """Is a page of this site."""

    slug = models.CharField(max_length=200)

    def get_absolute_url(self) -> str:
        return f"/articles/{self.slug}/"


class ExternalLink(models.Model):
    """Is an address elsewhere, with a key that is no number."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    url = models.TextField()

    def get_beacon_url(self) -> str:
        return self.url


class Dead(models.Model):
    """Leads nowhere."""

    name = models.CharField(max_length=100)


class Reader(models.Model):
    """Describes a visitor by what only a request tells."""

    user_agent = models.CharField(max_length=300)
    visits = models.PositiveIntegerField(default=0)

    def beacon_update(self, request: HttpRequest) -> None:
        self.user_agent = request.headers.get("User-Agent", "")
        self.visits += 1


class Ticket(models.Model):
    """Describes a visitor by being there."""

    made_at = models.DateTimeField(auto_now_add=True)


class Remark(models.Model):
    """Goes with the visitor that it is about."""

    about = models.ForeignKey("trackable_beacons.IPEntity", models.CASCADE)


class NewsletterData(TrackableTimeSeriesData):
    opens = models.PositiveIntegerField(default=0)
    opens_by_proxy = models.PositiveIntegerField(default=0)
    opens_by_scanner = models.PositiveIntegerField(default=0)


class NoteData(TrackableTimeSeriesData):
    opens = models.PositiveIntegerField(default=0)


class CampaignData(TrackableTimeSeriesData):
    clicks = models.PositiveIntegerField(default=0)

    counts_beacons = "clicks"


class LinkData(TrackableTimeSeriesData):
    object_id = models.UUIDField()
    visits: Any = models.PositiveIntegerField(default=0)

    counts_beacons = "visits"
