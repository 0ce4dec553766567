"""The HTTP API: each route translates the request, authorises the caller and calls one use-case."""
