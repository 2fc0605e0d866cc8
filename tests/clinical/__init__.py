"""Real files of many origins, where they are at hand: what goes in, what is refused, and how fast."""
