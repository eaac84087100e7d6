"""Registers what is counted of partners."""

from __future__ import annotations

import trackable
from trackable.contrib.affiliations.models import Partner, PartnerData

trackable.site.register(Partner, PartnerData)
