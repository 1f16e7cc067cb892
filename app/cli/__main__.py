"""`python -m app.cli`: the command without its console script."""

from app.cli import main

main()
