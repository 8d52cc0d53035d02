"""From how a pass ended to the conditions that people and tools read. Pure."""
