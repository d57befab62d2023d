"""Composes Stillpoint's own training text: conversations in its voice, and plain prose.

Everything here is made from the word lists and templates under ``world/``, written for this
project. No external data set is read.
"""
