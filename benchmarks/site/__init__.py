"""The site that is measured: models to count for, and what its users would do instead."""
