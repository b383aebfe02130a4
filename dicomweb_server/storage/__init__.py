"""Implements the ports: where things rest."""
