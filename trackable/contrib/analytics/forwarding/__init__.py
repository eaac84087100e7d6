"""Forwarding: what a fold has added to counters, told to services: ``TRACKABLE_FORWARD``.

The amounts are noted in the transaction of the fold, so a service is told of exactly what was
counted, also if it is away for days.
"""
