"""Byte-level BPE with the Llama-3 split pattern, so that llama.cpp's ``llama-bpe`` agrees."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from training_pipeline.corpus.chat import CHAT_TEMPLATE, END, START

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SEPARATOR = "<|endoftext|>"
SPECIAL = (SEPARATOR, START, END)
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> "Tokenizer":
    """Learn merges from texts.

    Args:
        texts: plain texts; ChatML tokens are not expected in them.
        vocabulary: number of tokens, the 256 bytes and the special ones included.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    # ignore_merges: a whole word that is in the vocabulary is taken as it is, as llama.cpp does.
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # The roles and the line end stand beside special tokens and in no plain text.
    roles = ["system\n", "user\n", "assistant\n"] * 500
    tokenizer.train_from_iterator([*texts, *roles], trainer)
    return tokenizer


def save_tokenizer(tokenizer: "Tokenizer", folder: Path, context: int) -> None:
    """Write the tokenizer with its chat template in the Hugging Face format."""
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=SEPARATOR,
        additional_special_tokens=[START],
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    folder.mkdir(parents=True, exist_ok=True)
    fast.save_pretrained(str(folder))
