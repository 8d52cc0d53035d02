"""Call control: answers the SBC about every call, and takes its records. Kept apart from the
operator, so that a burst of calls never starves reconciliation, nor the reverse.
"""
