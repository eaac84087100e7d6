"""The admin pages of what is counted; those of the data classes come from trackable."""

from django.contrib import admin

from trackable_tests.demo.models import Download, Link, Page


@admin.register(Page)
class PageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["title", "target"]
    search_fields = ["title", "target"]
    prepopulated_fields = {"slug": ["title"]}


@admin.register(Download, Link)
class TargetAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["title", "url"]
    search_fields = ["title"]
    prepopulated_fields = {"slug": ["title"]}
