"""Webex Calling: the provider behind the kind WebexOrganization."""
