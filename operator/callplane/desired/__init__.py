"""From specs and references to resources: what ought to be, without asking any system."""
