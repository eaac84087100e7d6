"""The import of what django-hitcount has counted."""
