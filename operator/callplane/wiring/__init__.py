"""Puts the processes together: the one place that knows every concrete part."""
