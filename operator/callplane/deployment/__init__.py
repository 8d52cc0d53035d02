"""What a cluster must hold so that the operator runs in it, described once.

`manifests/operator` is written from here, the Pulumi component `Platform` creates the same objects,
and end-to-end tests run the operator with exactly these rights. Pure: plain objects out.
"""
