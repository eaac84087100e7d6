"""The tables of django-hitcount 1.3.5, column by column as its migrations make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps.registry import Apps
from django.contrib.contenttypes.models import ContentType
from django.db import models

from trackable.hitcounts.importer import Importer, ImportReport
from trackable.hitcounts.plan import HitPlan
from trackable_tests.counting import a_page
from trackable_tests.testapp.models import Page, PageData

FIRST = datetime(2026, 3, 4, 22, 30, tzinfo=UTC)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


class HitCount(models.Model):
    id = models.AutoField(primary_key=True)
    hits = models.PositiveIntegerField(default=0)
    modified = models.DateTimeField()
    object_pk = models.PositiveIntegerField()
    content_type_id = models.IntegerField()

    class Meta:
        apps = Apps()
        app_label = "hitcount"
        db_table = "hitcount_hit_count"
        unique_together = ("content_type_id", "object_pk")


class Hit(models.Model):
    id = models.AutoField(primary_key=True)
    created = models.DateTimeField(db_index=True)
    ip = models.CharField(max_length=40, db_index=True)
    session = models.CharField(max_length=40, db_index=True)
    user_agent = models.CharField(max_length=255)
    user_id = models.IntegerField(null=True)
    hitcount_id = models.IntegerField(db_index=True)

    class Meta:
        apps = Apps()
        app_label = "hitcount"
        db_table = "hitcount_hit"


class TextHitCount(models.Model):
    """A HITCOUNT_HITCOUNT_MODEL of a site whose objects have other keys."""

    id = models.BigAutoField(primary_key=True)
    hits = models.PositiveIntegerField(default=0)
    modified = models.DateTimeField()
    object_pk = models.CharField(max_length=128)
    content_type_id = models.IntegerField()

    class Meta:
        apps = Apps()
        app_label = "shop"
        db_table = "shop_hits"


MODELS = (HitCount, Hit, TextHitCount)


def total_of(
    obj: models.Model, hits: int = 0, *, table: Any = HitCount, at: datetime = FIRST
) -> Any:
    kind = ContentType.objects.get_for_model(obj)
    return table.objects.create(content_type_id=kind.pk, object_pk=obj.pk, hits=hits, modified=at)


def hit(total: Any, at: datetime = FIRST, *, agent: str = CHROME, times: int = 1) -> None:
    """Have so many hits in both tables, as django-hitcount does it."""
    rows = [Hit(created=at, hitcount_id=total.pk, user_agent=agent) for _ in range(times)]
    Hit.objects.bulk_create(rows)
    type(total).objects.filter(pk=total.pk).update(hits=models.F("hits") + times, modified=at)


def clean_up(before: datetime) -> None:
    """Remove rows as ``hitcount_cleanup`` does: the totals stay."""
    Hit.objects.filter(created__lt=before).delete()


def a_history(slug: str = "a", days: int = 3) -> Page:
    """Make a page with 1, 2, 3 ... hits on days that follow each other."""
    page = a_page(slug)
    total = total_of(page)
    for day in range(days):
        hit(total, FIRST + timedelta(days=day), times=day + 1)
    return page


def a_plan(model: Any = Page, data_cls: Any = PageData, **kwargs: Any) -> HitPlan:
    return HitPlan(model, data_cls, "views", **kwargs)


def import_hits(
    plan: HitPlan | None = None, *, forget: bool = False, **kwargs: Any
) -> ImportReport:
    importer = Importer(plan or a_plan(), **kwargs)
    importer.start(forget=forget)
    for _ in importer.run():
        pass
    return importer.report
