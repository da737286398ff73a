"""`python -m shopkeeper.cli` is the `shopkeeper` command."""

from shopkeeper.cli.main import main

main()
