"""`python -m sereno`."""

from sereno.cli import main

main()
