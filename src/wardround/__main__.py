"""`python -m wardround`: the command line, as containers call it."""

from wardround.cli import main

main()
