"""Lists of words, written as text so that they can be read."""


def words(text: str) -> frozenset[str]:
    """The words of a text, which are separated by white space."""
    return frozenset(text.split())
