"""The three ways in which an import can fail, distinguished by how to fix them."""


class ImporterError(Exception):
    """An error with a human-readable message: cause first, never a value out of a file or a secret."""


class FileRefused(ImporterError):
    """This object version cannot be loaded as it stands. Recorded as failed and not retried."""


class TransientError(ImporterError):
    """An error that goes away without a fix: retried inside the invocation, then by Lambda."""


class Contended(TransientError):
    """Another session of the database writes the same rows at the same time."""


class TooManyConnections(TransientError):
    """The server, or this user, has all the connections that it may have: this one has to wait for its turn."""


class ConfigurationError(ImporterError):
    """A setting, secret, certificate or grant is wrong.

    Lambda keeps the event until that is fixed, or its retries are used up.
    """
