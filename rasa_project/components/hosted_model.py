"""Whether open-ended messages go to a hosted model, and what its provider is called to people.

Read from the variables by which the LLM server itself decides (`llm_server/settings.py`); a test
compares the two. `LLM_HOSTED_CONSENT=own-server` is the operator's own house: nobody else reads
there. It does not know of a program on this machine that passes messages on, unless the operator
says `LLM_HOSTED_CONSENT=yes` for it too.
"""

from __future__ import annotations

import os

UNNAMED = "a company that runs the language model"
"""What people are told where `LLM_HOSTED_NAME` is not set."""
MOST_NAME_CHARS = 80


def provider() -> str:
    """Who gets open-ended messages, in words that follow "a computer of"; empty if nobody does."""
    # The LLM server reads names in either case; whatever makes it send, people are told.
    found = {name.upper(): value for name, value in os.environ.items()}
    engine = found.get("LLM_ENGINE") or ("hosted" if found.get("LLM_BASE_URL") else "")
    if engine != "hosted" or found.get("LLM_HOSTED_CONSENT") != "yes":
        return ""
    name = " ".join(found.get("LLM_HOSTED_NAME", "").split())
    return name[:MOST_NAME_CHARS] or UNNAMED
