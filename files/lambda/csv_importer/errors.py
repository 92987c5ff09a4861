"""The three ways in which an import can go wrong, told apart by what mends them."""


class ImporterError(Exception):
    """An error whose message is meant for people: cause first, never a value out of a file or a secret."""


class FileRefused(ImporterError):
    """This version of the file cannot be loaded as it stands. Recorded as failed and not tried again."""


class TransientFault(ImporterError):
    """A fault that passes by itself: tried again inside the invocation, then by Lambda."""


class Misconfigured(ImporterError):
    """A setting, secret, certificate or grant is wrong. Lambda keeps the event until it is mended or used up."""
