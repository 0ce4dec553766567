"""HTTP connections: uvicorn's protocol with bounds on what a client may do before, around and after its requests."""
