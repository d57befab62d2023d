"""Checks the exported file against transformers through real llama.cpp, and reports."""

import json
from pathlib import Path

from training_pipeline.stage import Metrics, Stage, Workspace
from training_pipeline.stages.house_export import exact_model
from training_pipeline.stages.house_sample import OPENINGS, read_openings
from training_pipeline.stages.house_text import corpus_file
from training_pipeline.stages.house_tokenizer import tokenizer_folder
from training_pipeline.stages.house_tune import merged_folder


def report_files(space: Workspace) -> list[Path]:
    """The JSON and the Markdown report."""
    return [space.reports / "house.json", space.reports / "house.md"]


def _run(space: Workspace) -> Metrics:
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer, LlamaForCausalLM

    from training_pipeline.corpus.chat import END, SYSTEM_PROMPT
    from training_pipeline.errors import ExportError
    from training_pipeline.house.compare import (
        AWKWARD,
        compare_greedy,
        differing_prompts,
        differing_texts,
        perplexity,
    )
    from training_pipeline.house.corpus_reader import documents
    from training_pipeline.house.gguf_reader import load_into
    from training_pipeline.house.llama import Llama
    from training_pipeline.house.packing import encode
    from training_pipeline.record import file_hash, write_atomically

    told, target = space.params.house_verify, space.house_model()
    context = space.params.house_pretrain.context
    tokenizer = AutoTokenizer.from_pretrained(  # type: ignore[no-untyped-call]
        str(tokenizer_folder(space))
    )
    plain = Tokenizer.from_file(str(tokenizer_folder(space) / "tokenizer.json"))
    model = LlamaForCausalLM.from_pretrained(str(merged_folder(space))).eval()
    openings = read_openings()
    system = {"role": "system", "content": SYSTEM_PROMPT}
    talks = [[system, {"role": "user", "content": text}] for text in openings]
    talks.append([*talks[0], {"role": "assistant", "content": "Hi."}, talks[1][1]])
    prompts = [
        list(tokenizer.apply_chat_template(talk, add_generation_prompt=True))
        for talk in talks[: told.greedy_prompts]
    ]
    end = tokenizer.convert_tokens_to_ids(END)
    with Llama(exact_model(space), context) as llama:
        exact = compare_greedy(model, llama, prompts, told.greedy_tokens, end)
    quantised = load_into(LlamaForCausalLM.from_pretrained(str(merged_folder(space))), target)
    with Llama(target, context) as llama:
        texts = [*AWKWARD, *openings]
        texts_apart = differing_texts(tokenizer, llama, texts)
        prompts_apart = differing_prompts(tokenizer, llama, talks)
        small = compare_greedy(quantised.eval(), llama, prompts, told.greedy_tokens, end)
    held = [
        encode(plain, document, 0.0) for document in documents(corpus_file(space, "held_back"))
    ][: told.perplexity_conversations]
    rows = [(tokens[:context], weights[:context]) for tokens, weights in held]
    f32, q8 = perplexity(model, rows), perplexity(quantised, rows)
    figures: Metrics = {
        "sha256": file_hash(target),
        "bytes": target.stat().st_size,
        "texts_tokenised": len(texts),
        "texts_tokenised_differently": len(texts_apart),
        "prompts_rendered": len(talks),
        "prompts_rendered_differently": len(prompts_apart),
        "greedy_f32": vars(exact),
        "greedy_q8_0": vars(small),
        "reply_perplexity_f32": round(f32, 4),
        "reply_perplexity_q8_0": round(q8, 4),
    }
    write_atomically(report_files(space)[0], json.dumps(figures, indent=2) + "\n")
    write_atomically(report_files(space)[1], _markdown(figures))
    if texts_apart or prompts_apart or exact.parted:
        raise ExportError(
            f"llama.cpp and transformers disagree: {len(texts_apart)} texts, "
            f"{len(prompts_apart)} prompts, {exact.parted} continuations"
        )
    return figures


def _markdown(figures: Metrics) -> str:
    rows = [
        ("file", f"{figures['bytes']:,} bytes, sha256 `{figures['sha256']}`"),
        (
            "texts cut differently by llama.cpp and transformers",
            f"{figures['texts_tokenised_differently']} of {figures['texts_tokenised']}",
        ),
        (
            "chat prompts with different token ids",
            f"{figures['prompts_rendered_differently']} of {figures['prompts_rendered']}",
        ),
        ("greedy, f32 (same / near tie / apart)", _greedy(figures["greedy_f32"])),
        ("greedy, Q8_0 (same / near tie / apart)", _greedy(figures["greedy_q8_0"])),
        ("perplexity of held-back replies, f32", figures["reply_perplexity_f32"]),
        ("perplexity of held-back replies, Q8_0", figures["reply_perplexity_q8_0"]),
    ]
    lines = ["# The house model: exported file against transformers", ""]
    lines += ["| what | measured |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    return "\n".join(lines) + "\n"


def _greedy(found: dict[str, int]) -> str:
    return f"{found['equal']} / {found['near']} / {found['parted']}"


STAGE = Stage(
    name="house_verify",
    purpose="compare llama.cpp with transformers, write the report",
    reads=lambda space: [
        space.house_model(),
        exact_model(space),
        merged_folder(space) / "model.safetensors",
        tokenizer_folder(space) / "tokenizer.json",
        corpus_file(space, "held_back"),
        OPENINGS,
    ],
    writes=report_files,
    uses=("house_verify",),
    run=_run,
)
