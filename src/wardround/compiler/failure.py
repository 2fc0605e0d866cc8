"""What the compiler tells the data scientist instead of a traceback."""


class CompilerFailure(Exception):
    """The recipe can't be compiled; the message says what to change."""
