"""Pixels: frames to arrays of samples and back. The only package that knows codecs; does no I/O."""
