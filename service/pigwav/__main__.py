"""`python -m pigwav`."""

from pigwav.cli.app import main

main()
