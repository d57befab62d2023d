"""``python -m llm_server``: start the server, or say in one line why it cannot start.

``--check`` only looks whether settings and model file are usable.
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
        if sys.argv[1:] == ["--check"]:
            from llm_server.bootstrap import create_engine

            create_engine(settings)
            return 0
        configure_logging(settings.log_level)
        from llm_server.serve import serve

        asyncio.run(serve(settings))
    except StartError as error:
        print(f"llm_server: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
