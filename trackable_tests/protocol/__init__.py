"""A model of the protocol: whatever happens on the way, each increment is counted once."""
