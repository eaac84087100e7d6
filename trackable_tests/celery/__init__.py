"""A Celery app as its manual lays it out for Django, with tasks that emit."""
