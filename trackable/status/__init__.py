"""Status: the figures of one moment, for people and for monitors; gathering changes no count."""

from trackable.status.figures import Failed, Status
from trackable.status.gathering import gather
from trackable.status.limits import Limits, Problem, problems

__all__ = ["Failed", "Limits", "Problem", "Status", "gather", "problems"]
