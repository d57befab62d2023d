"""The shape of the house model: a small Llama with tied embeddings."""

from typing import TYPE_CHECKING

from training_pipeline.params import HousePretrain

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM


def new_model(
    shape: HousePretrain, vocabulary: int, end_id: int, pad_id: int
) -> "LlamaForCausalLM":
    """A model with random weights, drawn from torch's global generator."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(  # type: ignore[no-untyped-call]
        vocab_size=vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=shape.context,
        rope_theta=10000.0,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        use_cache=True,
        bos_token_id=None,
        eos_token_id=end_id,
        pad_token_id=pad_id,
    )
    return LlamaForCausalLM(config)  # type: ignore[no-untyped-call]


def weighted_loss(
    logits: "torch.Tensor", tokens: "torch.Tensor", weights: "torch.Tensor"
) -> "torch.Tensor":
    """Mean cross entropy in nats per weighted token.

    Args:
        logits: (batch, length, vocabulary).
        tokens: (batch, length), int64; each is predicted from those before it.
        weights: (batch, length); the first column is not used.
    """
    from torch.nn import functional

    flat = functional.cross_entropy(
        logits[:, :-1].reshape(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1), reduction="none"
    )
    counts = weights[:, 1:].reshape(-1)
    return (flat * counts).sum() / counts.sum().clamp(min=1.0)
