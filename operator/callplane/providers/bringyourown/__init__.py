"""A carrier of the customer's own: numbers are declared and nothing is asked of anybody."""
