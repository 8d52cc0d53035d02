"""A Webex organisation as its admin and Calling APIs show it: people, licences, locations, numbers.

People and licences follow the vendor's published OpenAPI; Calling follows what is known of its
documents and SDK; jobs, digit patterns and emergency addresses are written from documentation
alone. Where none of them says what happens, a setting of `WorldSettings` decides, so that a caller
can be tried against each answer.
"""

from __future__ import annotations
