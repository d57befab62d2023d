"""Analytics: what happened in the conversations, under pseudonyms, without their words.

``python -m analytics ingest`` tails Rasa's tracker store into the analytics store; ``people``
and ``reconcile`` read it; :mod:`analytics.frames` hands it to pandas.
"""
