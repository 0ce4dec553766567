"""`python -m pigwav`."""

from pigwav.cli import main

main()
