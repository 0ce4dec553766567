"""The typed HTTP client. It imports nothing of the server."""
