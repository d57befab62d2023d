"""Command line: ``python -m training_pipeline run|bench|compare-nlu``; each has ``--help``."""

import argparse
import json
import sys
from pathlib import Path

from training_pipeline.errors import PipelineError
from training_pipeline.intents import compare
from training_pipeline.params import PARAMS_FILE
from training_pipeline.run import open_workspace, run


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training_pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("run", help="run the stages whose inputs changed")
    command.add_argument("--stage", help="only this stage")
    command.add_argument("--params", type=Path, default=PARAMS_FILE, help="another params.yaml")
    command.add_argument("--smoke", action="store_true", help="tiny run in a folder of its own")
    command.add_argument("--force", action="store_true", help="run even what has not changed")
    bench = commands.add_parser("bench", help="train what ships on one CSV, score it on another")
    bench.add_argument("--task", required=True, choices=("intent",))
    bench.add_argument("--train", type=Path, required=True, help="columns text,label")
    bench.add_argument("--test", type=Path, required=True, help="columns text,label")
    bench.add_argument("--seed", type=int, default=0)
    comparison = commands.add_parser("compare-nlu", help="compare intent classifiers, for hours")
    compare.add_arguments(comparison)
    return parser.parse_args(argv)


def _bench(arguments: argparse.Namespace) -> None:
    from training_pipeline.intents.bench import bench
    from training_pipeline.intents.datasets import read_csv

    train, test = read_csv(arguments.train), read_csv(arguments.test)
    print(json.dumps(bench(train, test, arguments.seed)), flush=True)


def main(argv: list[str]) -> int:
    """Run a command; the exit status is 0, or 1 with one line on stderr."""
    arguments = _arguments(argv)
    try:
        if arguments.command == "compare-nlu":
            compare.main(arguments, argv)
        elif arguments.command == "bench":
            _bench(arguments)
        else:
            run(open_workspace(arguments.params, arguments.smoke), arguments.stage, arguments.force)
    except PipelineError as error:
        print(f"training_pipeline: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
