"""Stillpoint's action server: open-ended turns, referrals, and the side stream of a turn.

Start it with ``python -m actions``. Importing the package does nothing.
"""
