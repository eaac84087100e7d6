"""The admin pages: partners and their report, visitors, and the calls that partners are owed."""

from trackable.contrib.affiliations.admin.callbacks import CallbackAdmin
from trackable.contrib.affiliations.admin.partners import PartnerAdmin
from trackable.contrib.affiliations.admin.visitors import VisitorAdmin

__all__ = ["CallbackAdmin", "PartnerAdmin", "VisitorAdmin"]
