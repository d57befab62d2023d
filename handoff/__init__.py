"""Tells an on-call person of a crisis by a signed webhook; see docs/safety/handoff.md."""
