"""dicomweb-server: stores, finds and serves medical images."""

__version__ = "0.1.0"
