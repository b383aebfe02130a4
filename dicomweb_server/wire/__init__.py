"""PURE: what travels over HTTP. Bytes in, events out; no I/O."""
