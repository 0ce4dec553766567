"""HTTP connections: uvicorn's protocol with limits on a client before, during and after its requests."""
