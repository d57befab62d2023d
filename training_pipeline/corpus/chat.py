"""The chat format of the house model: ChatML, as the server sends it and as it is trained."""

from training_pipeline.corpus.conversation import Conversation

SYSTEM_PROMPT = "You are Stillpoint, a support assistant. Listen, reflect, ask one open question."
START, END = "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

Piece = tuple[str, bool]


def message(role: str, content: str) -> str:
    """One message in ChatML, with its closing token and line end."""
    return f"{START}{role}\n{content}{END}\n"


def pieces(conversation: Conversation, system: bool = True) -> list[Piece]:
    """The conversation as text pieces, each with whether the assistant wrote it.

    The assistant's header is not its own words, its closing token is.
    """
    found: list[Piece] = []
    if system:
        found.append((message("system", SYSTEM_PROMPT), False))
    for user, reply in conversation.turns:
        found.append((message("user", user) + f"{START}assistant\n", False))
        found.append((reply + END, True))
        found.append(("\n", False))
    return found
