"""Provider-neutral nouns: what an external system can hold, observed or desired, in the very same
types.
"""
