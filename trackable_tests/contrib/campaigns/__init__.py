"""What the apps under test are used on: newsletters, campaigns, links."""
