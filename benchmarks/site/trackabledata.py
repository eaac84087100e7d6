"""What counts for which model."""

import trackable
from benchmarks.site import models

trackable.site.register(models.Page, models.PageData)
