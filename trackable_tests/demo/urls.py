"""The URLs of the demo site."""

from django.contrib import admin
from django.urls import path

from trackable.views import track_object
from trackable_tests.demo import views
from trackable_tests.demo.models import Download, Link

DOWNLOADS = {"queryset": Download, "message_op": "downloads", "url_field": "url"}
LINKS = {"queryset": Link, "message_op": "clicks", "url_field": "url"}

urlpatterns = [
    path("", views.home, name="home"),
    path("pages/<slug:slug>/", views.page, name="page"),
    path("downloads/<slug:slug>/", track_object, DOWNLOADS, name="download"),
    path("links/<slug:slug>/", track_object, LINKS, name="link"),
    path("admin/", admin.site.urls),
]
