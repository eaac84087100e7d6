"""What counts for which models."""

import trackable
from trackable_tests.demo.models import Download, DownloadData, Link, LinkData, Page, PageData

trackable.site.register(Page, PageData)
trackable.site.register(Download, DownloadData)
trackable.site.register(Link, LinkData)
