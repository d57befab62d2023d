"""Every error the training pipeline raises on purpose."""


class PipelineError(Exception):
    """Base of the tree; the command line prints it as one line and exits with 1."""


class ParamsError(PipelineError):
    """A key of ``params.yaml`` is unknown, missing or has a value that cannot work."""


class CorpusError(PipelineError):
    """The corpus sources are malformed, or a composed reply breaks a rule of the voice."""


class StageError(PipelineError):
    """A stage cannot run: its input is absent or its output is not what it promised."""


class ExportError(PipelineError):
    """The model cannot be written as GGUF, or the file does not behave like the model."""
