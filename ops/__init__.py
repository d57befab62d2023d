"""Sets Stillpoint up, checks the machine, and runs the services under one supervisor.

`setup`, `doctor` and the preflight use the standard library alone, because they run before any
environment exists.
"""
