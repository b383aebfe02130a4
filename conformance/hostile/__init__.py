"""Bad input: clear refusals, bounded time and memory, nothing lost, and the next request is served."""
