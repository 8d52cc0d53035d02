"""Simwood, by its REST interface version 3 as its public documentation has it."""
