"""The API: who may read which counts, as JSON and as CSV."""
