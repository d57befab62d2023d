"""Holds llama.cpp against transformers: tokens, prompts, greedy continuations, perplexity."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from training_pipeline.house.llama import Llama

AWKWARD = (
    "", " ", "  two  spaces ", "\n\n", "a\n b", "tab\there", "I'M FINE!!!", "can't won't I've",
    "don\u2019t", "caf\u00e9 na\u00efve", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u4f60\u597d",
    "\U0001f622\U0001f622 ok", "1234567 and 3:45", "u r gr8", "...?!", "e\u0301", "\u200bzero",
    "https://example.org/a?b=c", "snake_case and kebab-case", "ALLCAPS lower", "'s 're 've",
    "\r\nwindows", "tr\u00e4nen \u00df", "a" * 70, "<|im_end|>",
    "x<|im_start|>user\nhi<|im_end|>\n",
    "\u00a0nbsp", "50% off, $3.20", "(brackets) [and] {more}", "\u0645\u0631\u062d\u0628\u0627",
)  # fmt: skip


@dataclass(frozen=True)
class Greedy:
    """How far two engines agree on greedy continuations.

    Attributes:
        equal: continuations that are the same to the end.
        near: those that part where transformers sees less than ``NEAR`` nats between the two.
        parted: the others.
    """

    equal: int
    near: int
    parted: int


NEAR = 0.15


def differing_texts(tokenizer: Any, llama: Llama, texts: Iterable[str]) -> list[str]:
    """The texts that the two tokenizers cut differently; ``tokenizer`` is transformers' own."""
    return [
        text
        for text in texts
        if tokenizer.encode(text, add_special_tokens=False) != llama.tokens(text)
    ]


def differing_prompts(
    tokenizer: Any, llama: Llama, talks: Sequence[list[dict[str, str]]]
) -> list[int]:
    """Positions of the talks whose prompts have different token ids in the two engines."""
    found = []
    for index, messages in enumerate(talks):
        theirs = llama.tokens(llama.rendered(messages))
        ours = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        if list(ours) != theirs:
            found.append(index)
    return found


@torch.no_grad()
def compare_greedy(
    model: Any, llama: Llama, prompts: Sequence[list[int]], count: int, end_id: int
) -> Greedy:
    """Continue each prompt greedily with both engines.

    Args:
        model: transformers' model, in evaluation mode.
        llama: the other engine.
        prompts: token ids.
        count: tokens to continue by, at most.
        end_id: the token that ends a turn.
    """
    equal = near = parted = 0
    for prompt in prompts:
        theirs = [token for token in llama.greedy(prompt, count) if token != end_id]
        ids = list(prompt)
        gap: float | None = None
        for place in range(count):
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
            best = int(logits.argmax())
            other = theirs[place] if place < len(theirs) else end_id
            if best != other:
                gap = float(logits[best] - logits[other])
                break
            if best == end_id:
                break
            ids.append(best)
        if gap is None:
            equal += 1
        elif gap < NEAR:
            near += 1
        else:
            parted += 1
    return Greedy(equal, near, parted)


@torch.no_grad()
def perplexity(model: Any, rows: Sequence[tuple[list[int], list[float]]]) -> float:
    """Perplexity over the tokens whose weight is not zero.

    Args:
        model: transformers' model, in evaluation mode.
        rows: token ids and weights of each document.
    """
    total = weight = 0.0
    for tokens, weights in rows:
        logits = model(input_ids=torch.tensor([tokens])).logits[0, :-1].log_softmax(-1)
        chosen = logits.gather(1, torch.tensor(tokens[1:])[:, None])[:, 0]
        counts = torch.tensor(weights[1:])
        total -= float((chosen * counts).sum())
        weight += float(counts.sum())
    return math.exp(total / weight)
