"""The HTTP entrance: translate, authorise, call one use-case."""
