"""External systems behind one protocol: they observe, and they carry out single changes; they
never diff.
"""
