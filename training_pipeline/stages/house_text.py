"""Makes the corpus: composed and written conversations, prose, and a held-back part."""

import json
from collections.abc import Iterator
from pathlib import Path

from training_pipeline.corpus.conversation import Conversation
from training_pipeline.params import PACKAGE
from training_pipeline.stage import Metrics, Stage, Workspace

FILES = ("pretrain", "tune", "held_back")


def corpus_file(space: Workspace, part: str) -> Path:
    """JSON lines with ``turns`` (pairs of message and reply) or ``text``."""
    return space.work / "corpus" / f"{part}.jsonl"


def _sources(space: Workspace) -> list[Path]:
    folder = PACKAGE / "corpus"
    texts = [*(folder / "world").glob("*.txt"), *(folder / "written").iterdir()]
    return sorted([*folder.glob("*.py"), *texts])


def _line(talk: Conversation) -> str:
    return json.dumps({"topic": talk.topic, "turns": talk.turns})


def _run(space: Workspace) -> Metrics:
    import random

    from tqdm import tqdm

    from training_pipeline.corpus.conversation import ConversationComposer
    from training_pipeline.corpus.stories import StoryComposer
    from training_pipeline.corpus.world import load_world
    from training_pipeline.corpus.written import WrittenComposer

    wanted, seed = space.params.house_text, space.params.seed
    world = load_world()
    stories = StoryComposer(world, seed)
    seen: set[str] = set()

    def distinct(composer: ConversationComposer, count: int, start: int) -> Iterator[str]:
        number, made = start, 0
        while made < count:
            conversation = composer.compose(number)
            number += 1
            line = _line(conversation)
            if len(conversation.turns) > 1 or line not in seen:
                seen.add(line)
                made += 1
                yield line

    # Short exchanges such as a greeting repeat by nature, so they are drawn with replacement
    # once their space is exhausted: the held-back part comes first and is then excluded.
    held = list(
        distinct(ConversationComposer(world, seed + 1, wanted.tune_wild), wanted.held_back, 0)
    )
    tune = list(
        distinct(
            ConversationComposer(world, seed + 2, wanted.tune_wild), wanted.tune_conversations, 0
        )
    )
    talks = distinct(ConversationComposer(world, seed + 3, wanted.wild), wanted.conversations, 0)
    lines = list(tqdm(talks, "conversations", wanted.conversations, unit="talk"))
    lines += [json.dumps({"text": stories.compose(n)}) for n in range(wanted.stories)]
    written = WrittenComposer(seed)
    own = [
        *written.gists(wanted.gist_replies),
        *(talk for n in range(wanted.written_rounds) for talk in written.pairs(n)),
        *written.talks() * wanted.written_rounds,
    ]
    lines += map(_line, own)
    tune += map(_line, [*written.gists(1), *written.pairs(), *written.talks()])
    held += map(_line, written.held_back())
    random.Random(seed).shuffle(lines)
    random.Random(seed).shuffle(tune)
    for part, content in zip(FILES, (lines, tune, held), strict=True):
        path = corpus_file(space, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(content) + "\n", encoding="utf-8")
    return {
        "pretrain_texts": len(lines),
        "tune_conversations": len(tune),
        "held_back": len(held),
        "situations": len(world.situations),
    }


STAGE = Stage(
    name="house_text",
    purpose="compose the conversations and the prose",
    reads=_sources,
    writes=lambda space: [corpus_file(space, part) for part in FILES],
    uses=("house_text",),
    run=_run,
)
