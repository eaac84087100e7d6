"""Folding: batches in, one transaction, rows out."""
