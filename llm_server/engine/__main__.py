"""The engine's own process: ``python -m llm_server.engine``, started by the server only.

Protocol: one line of JSON on stdin (a ``LocalEngineConfig`` plus ``api_key`` and ``parent``),
one line ``{"url": …}`` on stdout when ready. End of stdin ends the process.
"""

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Load the model and serve until the parent goes."""
    # An interrupt at the terminal is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    announce = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not be taken for the announcement
    config = json.loads(sys.stdin.readline())
    _die_with_parent(config.pop("parent"))
    if config["kind"] == "xllamacpp":
        from llm_server.engine.xllamacpp_process import serve
    else:
        from llm_server.engine.llama_cpp_python_process import serve
    try:
        serve(config, lambda url: _announce(announce, url))
    except ImportError as error:
        _give_up(f"package for engine {config['kind']} is not installed: {error}")
    except RuntimeError:
        # The engine has written the cause above.
        _give_up(f"error: {config['kind']} cannot load {config['model_path']}")


def _announce(stream: Any, url: str) -> None:
    stream.write(json.dumps({"url": url}) + "\n")
    stream.flush()


def _give_up(line: str) -> NoReturn:
    print(line, file=sys.stderr, flush=True)
    os._exit(1)


def _die_with_parent(parent: int) -> None:
    """End when the parent does: by a signal on Linux, by the end of stdin anywhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    def wait_for_end_of_stdin() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    threading.Thread(target=wait_for_end_of_stdin, daemon=True).start()


if __name__ == "__main__":
    main()
