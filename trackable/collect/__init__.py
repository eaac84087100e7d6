"""Collecting: pages that come from a cache are counted by the browsers that show them."""
