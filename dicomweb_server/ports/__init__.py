"""Protocols between the services and what implements them, and the values they exchange."""
