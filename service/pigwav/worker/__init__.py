"""The time entrance: work that nobody asks for by name."""
