"""What counts for which models: found as ``admin.py`` would be."""

import trackable
from trackable_tests.testapp import models

for data_cls in (
    models.PageData,
    models.PageTotals,
    models.PageHours,
    models.PageWeeks,
    models.PageMonths,
    models.PageYears,
    models.PageParentData,
    models.PageParentTotals,
    models.PageVisitors,
    models.PageReaders,
):
    trackable.site.register(models.Page, data_cls)

trackable.site.register(models.Download, models.DownloadData)
trackable.site.register(models.Link, models.LinkData)
trackable.site.register(models.Target, models.TargetData)
