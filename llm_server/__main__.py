"""``python -m llm_server``: start the server, or say in one line why it cannot start.

``--check`` only looks whether settings and model file are usable, and says in one line what would
be served. ``--fetch`` only fetches the model that ``LLM_MODEL`` names, if it is not here yet.
"""

import asyncio
import sys

from llm_server.errors import StartError
from llm_server.json_log import configure_logging


def main() -> int:
    """Run until a signal; return the exit code."""
    from llm_server.settings import load_settings

    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        if sys.argv[1:] == ["--check"]:
            from llm_server.bootstrap import check

            print(check(settings))
            return 0
        from llm_server.model_download import fetch

        fetch(settings)
        if sys.argv[1:] == ["--fetch"]:
            return 0
        from llm_server.serve import serve

        asyncio.run(serve(settings))
    except StartError as error:
        print(f"llm_server: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("llm_server: stopped before it served", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
