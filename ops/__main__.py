"""Command line of `ops`: `python3 -m ops setup|doctor|train|run|shell`.

Runs on the Python that is there; `train`, `run` and `shell` first set up what they need.
"""

from __future__ import annotations

import argparse
import os
import sys

from ops import checks, install, places
from ops.errors import OpsError


def main(arguments: list[str] | None = None) -> int:
    """Parses and dispatches; an OpsError becomes one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="python3 -m ops", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    setup = commands.add_parser("setup", help="make or update the two environments")
    setup.add_argument("--for", dest="purpose", choices=tuple(install.GROUPS), default="run")
    commands.add_parser("doctor", help="check this machine and say what to do")
    train = commands.add_parser("train", help="train the Rasa model if its inputs changed")
    train.add_argument("--force", action="store_true", help="train even if nothing changed")
    commands.add_parser("run", help="set up, train, start everything, stay in front")
    commands.add_parser("shell", help="talk with the assistant in the terminal (rasa shell)")
    options = parser.parse_args(arguments)
    try:
        return dispatch(options)
    except OpsError as error:
        print(f"\nstillpoint: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno == 28:
            print("\nstillpoint: The disk is full; free some space and run again.", file=sys.stderr)
            return 1
        raise
    except KeyboardInterrupt:
        print("\nstillpoint: stopped.", file=sys.stderr)
        return 130


def dispatch(options: argparse.Namespace) -> int:
    """Runs one command."""
    if options.command == "doctor":
        return 1 if checks.doctor() else 0
    if options.command == "setup":
        checks.free_disk()
        install.install(options.purpose)
        return 0
    if options.command == "run":
        checks.preflight()
    install.install("run")
    if options.command == "run":
        checks.fetch_language_model()
        checks.language_model_loads()
    from ops.train import train

    if options.command == "train":
        if not train(options.force):
            print("The Rasa model is up to date.")
        return 0
    train()
    if options.command == "shell":
        return shell()
    # supervisord lives in the services' environment; the supervisor itself needs no package.
    from ops.services import services
    from ops.supervise import supervise

    return supervise(services())


def shell() -> int:
    """`rasa shell` with the trained model; the action server should be running (`make run`)."""
    from ops.services import services

    rasa = next(service for service in services() if service.name == "rasa")
    python = rasa.command[0]
    command = [
        python, "-m", "rasa", "shell", "--model", str(places.rasa_model()),
        "--endpoints", rasa.command[rasa.command.index("--endpoints") + 1],
        "--interface", "127.0.0.1", "--port", os.environ.get("SHELL_PORT") or "5006",
    ]  # fmt: skip
    environment = {
        **os.environ,
        **rasa.environment,
        "PYTHONWARNINGS": "ignore",
        # Rasa gives up on a slow reply after 10 s otherwise.
        "RASA_SHELL_STREAM_READING_TIMEOUT_IN_SECONDS": "60",
    }
    os.chdir(places.RASA_HOME)
    os.execve(python, command, environment)


if __name__ == "__main__":
    sys.exit(main())
