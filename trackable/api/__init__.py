"""The API: counts as JSON and CSV, for those who may see them. Nothing imports it but its URLs."""
