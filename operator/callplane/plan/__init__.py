"""The pure middle: desired and observed in, sorted changes out; the gate's policy; what people are
shown.
"""
