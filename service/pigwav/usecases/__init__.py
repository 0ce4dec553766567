"""The use-cases: short transactions around long streams. The files of this folder list what the product does."""
