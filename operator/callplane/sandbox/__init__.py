"""A real Kubernetes API and a real PostgreSQL on one machine, without containers and without root.

The command line (`callplane sandbox …`), the demo and the tests start what they need from here.
Production code never imports this package.
"""
