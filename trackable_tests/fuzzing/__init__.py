"""Fuzzing: whatever bytes come from elsewhere, nothing is raised but what is documented."""
