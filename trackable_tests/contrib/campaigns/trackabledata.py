"""What is counted for which model."""

import trackable
from trackable_tests.contrib.campaigns import models

trackable.site.register(models.Newsletter, models.NewsletterData)
trackable.site.register(models.Note, models.NoteData)
trackable.site.register(models.Campaign, models.CampaignData)
trackable.site.register(models.ExternalLink, models.LinkData)
