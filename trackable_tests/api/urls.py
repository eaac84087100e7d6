"""The API's URLs, which no other test has."""

from django.urls import include, path

urlpatterns = [path("counts/", include("trackable.api.urls"))]
