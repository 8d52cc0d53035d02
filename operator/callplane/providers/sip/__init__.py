"""Lines at the SBC: the provider behind the kind SessionBorderController."""
