"""PS3.7: messages, black-box."""
