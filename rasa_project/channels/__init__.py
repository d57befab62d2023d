"""Channels: the doors through which people, widgets and partners reach Stillpoint."""
