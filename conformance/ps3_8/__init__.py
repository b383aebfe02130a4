"""PS3.8: the upper layer, black-box."""
