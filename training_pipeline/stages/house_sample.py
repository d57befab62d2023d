"""Lets the exported model answer the hand-written openings, for people to read and judge."""

import json
from pathlib import Path

from training_pipeline.params import PACKAGE
from training_pipeline.stage import Metrics, Stage, Workspace

OPENINGS = PACKAGE / "eval" / "openings.txt"


def sample_files(space: Workspace) -> list[Path]:
    """The replies as JSON and as Markdown."""
    return [space.reports / "house-samples.json", space.reports / "house-samples.md"]


def read_openings() -> list[str]:
    """First messages written by hand; none of them comes from the generator."""
    lines = OPENINGS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _run(space: Workspace) -> Metrics:
    from tqdm import tqdm

    from training_pipeline.corpus.chat import SYSTEM_PROMPT
    from training_pipeline.corpus.person import second_person
    from training_pipeline.corpus.replies import content_words
    from training_pipeline.corpus.voice_rules import problems
    from training_pipeline.house.llama import Llama
    from training_pipeline.record import write_atomically

    openings = read_openings()[: space.params.house_sample.openings]
    system = {"role": "system", "content": SYSTEM_PROMPT}
    with Llama(space.house_model(), space.params.house_pretrain.context) as llama:
        replies = [
            llama.reply([system, {"role": "user", "content": text}], seed)
            for seed, text in enumerate(tqdm(openings, "openings", unit="reply"))
        ]
    pairs = list(zip(openings, replies, strict=True))
    rows = [{"message": text, "reply": reply, "breaks": problems(reply)} for text, reply in pairs]
    taken_up = sum(
        bool(content_words(second_person(text)) & content_words(reply)) for text, reply in pairs
    )
    lines = ["# Replies of the house model to hand-written openings", ""]
    lines += ["| message | reply |", "|---|---|"]
    lines += [f"| {_cell(text)} | {_cell(reply)} |" for text, reply in pairs]
    write_atomically(sample_files(space)[0], json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    write_atomically(sample_files(space)[1], "\n".join(lines) + "\n")
    return {
        "openings": len(pairs),
        "keep_to_the_checkable_rules": sum(not row["breaks"] for row in rows),
        "take_up_a_word": taken_up,
        "distinct_replies": len(set(replies)),
    }


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


STAGE = Stage(
    name="house_sample",
    purpose="answer the hand-written openings, for people to judge",
    reads=lambda space: [space.house_model(), OPENINGS],
    writes=sample_files,
    uses=("house_sample",),
    run=_run,
)
