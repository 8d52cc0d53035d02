"""Validation beyond schemas: country tables, overlaps, references, people declared twice."""
