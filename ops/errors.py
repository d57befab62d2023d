"""The error tree of `ops`: each error is one line that says what to do."""


class OpsError(Exception):
    """Something the person at the keyboard can mend; the message says how."""


class PythonMissing(OpsError):
    """No Python of a needed version could be found or made."""


class InstallFailed(OpsError):
    """An environment could not be created."""


class PortTaken(OpsError):
    """A service's port belongs to another program."""


class DiskFull(OpsError):
    """Too little room where environments or state live."""


class ModelUnusable(OpsError):
    """A model file is missing or damaged."""


class SettingInvalid(OpsError):
    """An environment variable has a value that cannot be used."""


class ServiceFailed(OpsError):
    """A service did not become healthy, or Rasa cannot be kept running."""
