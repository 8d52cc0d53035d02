"""DIDWW, by its public API version 3."""
