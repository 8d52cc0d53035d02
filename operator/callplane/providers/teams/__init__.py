"""Microsoft Teams through Microsoft Graph v1.0."""
