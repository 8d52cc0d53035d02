"""The stack on Azure: SBCs on machines of their own, a flexible server, the rest on a cluster that
is there.
"""
