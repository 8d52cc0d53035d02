"""The Kubernetes API as pydantic models, one kind a file; CRDs and schemas are made from them."""
