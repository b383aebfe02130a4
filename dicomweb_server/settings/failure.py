"""What is wrong with a configuration."""


class SettingsError(Exception):
    """A configuration that cannot be used; the text names the option, its value, and what is allowed."""
