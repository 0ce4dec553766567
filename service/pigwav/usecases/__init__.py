"""The verbs: short transactions around long streams. The listing of this folder is what the product does."""
