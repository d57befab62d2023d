"""Which model file the settings mean, and whether it must be fetched first."""

from pathlib import Path

from llm_server.catalogue import HOUSE_NAMES, HubModel, hub_model
from llm_server.settings import HOUSE_MODEL, Settings


def wanted(settings: Settings) -> HubModel | None:
    """The file on the Hub that a local engine needs, or ``None`` if it needs none from there.

    ``LLM_MODEL_PATH`` goes before ``LLM_MODEL``, which then only gives the file a name.

    Raises:
        SettingsError: ``LLM_MODEL`` names nothing that is known.
    """
    is_local = settings.engine_kind in ("xllamacpp", "llama-cpp-python")
    if not is_local or settings.model_path is not None:
        return None
    if settings.model is None or settings.model in HOUSE_NAMES:
        return None
    return hub_model(settings.model)


def model_file(settings: Settings) -> Path:
    """Where the local engine's model file lies, or will lie once it is fetched."""
    model = wanted(settings)
    if model is not None:
        return settings.var / "models" / "hub" / model.folder / model.file
    return settings.model_path or HOUSE_MODEL
