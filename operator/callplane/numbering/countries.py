"""Which country a number is in, as far as fraud goes: Jamaica is another than Canada, although both
are behind +1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import phonenumbers

#: The calling code of which no country is ever new.
HOME: Final = "+44"


@lru_cache(maxsize=65_536)
def foreign_country(destination: str) -> str:
    """The ISO code of another country's number, or its calling code where that is of no country.
    Empty for numbers of here and for what is no number.

    >>> foreign_country("+12425550123"), foreign_country("+442079460123"), foreign_country("118500")
    ('BS', '', '')
    """
    if destination.startswith(HOME) or not destination.startswith("+"):
        return ""
    try:
        number = phonenumbers.parse(destination)
    except phonenumbers.NumberParseException:
        return ""
    region = phonenumbers.region_code_for_number(number)
    # Sample numbers and new ranges are in no table; then the code alone has to do.
    return region if region and region != "001" else f"+{number.country_code}"
