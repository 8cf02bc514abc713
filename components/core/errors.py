"""The errors Traceo raises, each naming the thing, the value and the fix.

TraceoError                exit 1  something of ours could not be done
├── InputError             exit 2  a file, a column or a row is not what was promised
│   └── SchemaError        exit 2  a table lacks a column or has one of the wrong type
├── ParamsError            exit 2  a parameter is unknown or out of range
├── SettingsError          exit 2  an environment variable is missing or malformed
├── NotYetError            exit 3  there is too little data so far; a later run will find more
├── StorageError           exit 1  a URI could not be read or written
└── ServiceError           exit 1  a server did not answer, or answered with an error
"""

from collections.abc import Mapping


class TraceoError(Exception):
    """Something of ours could not be done; the message says what, where and how to mend it.

    links: what the failed work left to look at, by the names a step's summary uses (`report`, `mlflow_run_id`).
    """

    exit_code = 1

    def __init__(self, *arguments: object, links: Mapping[str, str] | None = None) -> None:
        super().__init__(*arguments)
        self.links: dict[str, str] = dict(links or {})


class InputError(TraceoError):
    """A file, a column or a row is not what was promised."""

    exit_code = 2


class SchemaError(InputError):
    """A table lacks a column or has one of the wrong type."""


class ParamsError(TraceoError):
    """A parameter is unknown or out of range."""

    exit_code = 2


class SettingsError(TraceoError):
    """An environment variable is missing or malformed."""

    exit_code = 2


class NotYetError(TraceoError):
    """There is too little data so far; a later run will find more."""

    exit_code = 3


class StorageError(TraceoError):
    """A URI could not be read or written."""


class ServiceError(TraceoError):
    """A server did not answer, or answered with an error."""
