"""Rendering: stored pixel values to images that a person can look at (PS3.3 §C.11, PS3.4 §N). Arrays in, arrays out."""
