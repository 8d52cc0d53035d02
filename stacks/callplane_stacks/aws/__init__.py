"""The stack on AWS: SBCs on machines of their own, RDS, the rest on a cluster that is there."""
