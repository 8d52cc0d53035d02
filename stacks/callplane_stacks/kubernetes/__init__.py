"""The stack on a Kubernetes cluster of one's own: every component is objects of that cluster."""
