"""Learns a byte-level BPE vocabulary that llama.cpp reads as ``llama-bpe``."""

from pathlib import Path

from training_pipeline.params import PACKAGE
from training_pipeline.stage import Metrics, Stage, Workspace
from training_pipeline.stages.house_text import corpus_file


def tokenizer_folder(space: Workspace) -> Path:
    """Folder in the Hugging Face format."""
    return space.work / "house" / "tokenizer"


def _run(space: Workspace) -> Metrics:
    from training_pipeline.house.corpus_reader import plain_texts
    from training_pipeline.house.tokenizer import save_tokenizer, train_tokenizer

    vocabulary = space.params.house_tokenizer.vocabulary
    texts = list(plain_texts(corpus_file(space, "pretrain")))
    tokenizer = train_tokenizer(texts, vocabulary)
    save_tokenizer(tokenizer, tokenizer_folder(space), space.params.house_pretrain.context)
    sample = texts[:2000]
    tokens = sum(len(found.ids) for found in tokenizer.encode_batch(sample))
    letters = sum(len(text) for text in sample)
    return {
        "vocabulary": tokenizer.get_vocab_size(),
        "characters_per_token": round(letters / tokens, 2),
    }


STAGE = Stage(
    name="house_tokenizer",
    purpose="learn the byte-level BPE vocabulary",
    reads=lambda space: [
        corpus_file(space, "pretrain"),
        PACKAGE / "house" / "tokenizer.py",
        PACKAGE / "house" / "corpus_reader.py",
    ],
    writes=lambda space: [tokenizer_folder(space) / "tokenizer.json"],
    uses=("house_tokenizer",),
    run=_run,
)
