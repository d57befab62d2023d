"""Trains Stillpoint's own models, stage by stage: see ``run.py``."""
