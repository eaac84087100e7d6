"""Signals: what a fold has done, for what sites build on top.

Each is sent once for each batch, after the commit of the fold. A process that is killed between
the two does not send it: at most once. ``sender`` is the data or record class, ``None`` where
there is none of the label. Receivers that raise are logged, and disturb neither the fold nor
each other.
"""

from __future__ import annotations

from django.dispatch import Signal

#: A batch was counted, or some of it. Arguments: ``data_class`` (its label), ``batch_id``,
#: ``increments`` (the number that are counted now), ``entries`` (a tuple of
#: ``trackable.batches.Entry``, what they add up to), ``using`` (the database) and ``is_retry``
#: (whether they come from the quarantine).
increments_folded = Signal()

#: A batch, some of it, or a message that is none was set aside. Arguments: ``data_class``,
#: ``batch_id``, ``increments`` (the number that are not counted; 0 for what is no batch),
#: ``reasons`` (a dictionary of the number of messages for each), ``using`` and ``is_kept``
#: (``False`` if they were dropped, as the settings may say).
increment_quarantined = Signal()
