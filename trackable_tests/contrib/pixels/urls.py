"""The URLs of a site with pixels, as its maker writes them."""

from django.urls import include, path

urlpatterns = [path("ptrack/", include("trackable.contrib.pixels.urls"))]
