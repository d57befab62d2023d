"""Checks on what the LLM wrote, sentence by sentence, before a person sees it.

As a batch command: ``python -m actions.guardrails --input replies.csv --output out.csv``.
"""
