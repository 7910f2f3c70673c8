"""`python -m tile_engine.cli`."""

from .app import main

main()
